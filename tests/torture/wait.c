/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "wait.h"

#include "torture.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

/* A lost wake-up is one that does not come within this time. */
enum { WAIT_MS = 5000, LONG_BITS = sizeof(long) * CHAR_BIT };

struct waiting {
    struct pollfd poll[LINES_MAX];
    struct epoll_event event[LINES_MAX];
    bool reported[LINES_MAX];
    int kept; /* an epoll set with every line in it, level-triggered, from its opening on */
    size_t longs;
    unsigned long *set; /* for select, of any size */
};

struct waiting *waiting_make(void)
{
    struct waiting *waiting = calloc(1, sizeof *waiting);

    if (!waiting)
        cannot("no memory");
    waiting->kept = options.with_epoll ? epoll_create1(EPOLL_CLOEXEC) : -1;
    if (options.with_epoll && waiting->kept < 0)
        cannot("no epoll set: %s", strerror(errno));
    return waiting;
}

void waiting_free(struct waiting *waiting)
{
    if (waiting->kept >= 0)
        close(waiting->kept);
    free(waiting->set);
    free(waiting);
}

static unsigned index_of(const struct crowd *crowd, const struct line *line)
{
    return (unsigned)(line - crowd->line);
}

static void add(struct crowd *crowd, int epoll, const struct line *line, unsigned how, int what)
{
    struct epoll_event event = {EPOLLIN | how,
                                {.u64 = UINT64_C(0xfeed0000) << 32 | index_of(crowd, line)}};

    if (epoll_ctl(epoll, what, line->link.fd, &event) != 0)
        fault(line->socket, 0, 0, "epoll_ctl %d of fd %d: expected success, got %s", what,
              line->link.fd, strerror(errno));
}

void wait_opened(struct crowd *crowd, const struct line *line)
{
    if (crowd->waiting->kept >= 0)
        add(crowd, crowd->waiting->kept, line, 0, EPOLL_CTL_ADD);
}

void wait_closing(struct crowd *crowd, const struct line *line, bool take_out)
{
    if (crowd->waiting->kept >= 0 && take_out &&
        epoll_ctl(crowd->waiting->kept, EPOLL_CTL_DEL, line->link.fd, NULL) != 0)
        fault(line->socket, 0, 0, "EPOLL_CTL_DEL of fd %d: expected success, got %s", line->link.fd,
              strerror(errno));
}

/* --- what is reported -------------------------------------------------------------------------- */

static void tell_phantom(const struct line *line, const char *how)
{
    fault(line->socket, line->next, line->offset,
          "%s: expected nothing (nothing is on its way on fd %d), got readable", how,
          line->link.fd);
}

static void tell_lost(const struct line *line, const char *how)
{
    fault(line->socket, line->out[line->head].number, line->offset,
          "%s: expected fd %d readable (%s), got nothing in %d ms", how, line->link.fd,
          line_is_held(line) ? "a tail is held" : "a message is queued", WAIT_MS);
}

static bool deadline_passed(int64_t deadline)
{
    return now() >= deadline;
}

/* A wait that a signal has ended: our own watchdog's, once a second. */
static bool interrupted(int count, int64_t deadline)
{
    return count < 0 && errno == EINTR && !deadline_passed(deadline);
}

/* --- poll, select -------------------------------------------------------------------------- */

static void by_poll(struct crowd *crowd, const struct line *target, bool with_mask)
{
    struct waiting *waiting = crowd->waiting;
    int64_t deadline = now() + (int64_t)WAIT_MS * 1000000;
    const char *how = with_mask ? "ppoll" : "poll";
    int count;

    for (unsigned i = 0; i < crowd->lines; i++) {
        const struct line *line = &crowd->line[i];
        bool in = line == target || plan_percent(&crowd->plan, 50);

        waiting->poll[i] = (struct pollfd){in ? line->link.fd : -1, POLLIN, -1};
    }
    stand(how, target->link.fd);
    do {
        if (with_mask) {
            struct timespec limit = {WAIT_MS / 1000, 0};

            count = ppoll(waiting->poll, crowd->lines, &limit, NULL);
        } else {
            count = poll(waiting->poll, crowd->lines, WAIT_MS);
        }
    } while (interrupted(count, deadline));
    if (!(waiting->poll[index_of(crowd, target)].revents & POLLIN) || count <= 0)
        tell_lost(target, how);
    for (unsigned i = 0; i < crowd->lines && count > 0; i++) {
        const struct line *line = &crowd->line[i];

        if (waiting->poll[i].fd < 0 ? waiting->poll[i].revents != 0
                                    : waiting->poll[i].revents && !line_expects(line))
            tell_phantom(line, how);
        if (waiting->poll[i].fd >= 0 && line_is_held(line) && !(waiting->poll[i].revents & POLLIN))
            tell_lost(line, how);
        count -= waiting->poll[i].revents != 0;
    }
    if (count > 0)
        fault(target->socket, 0, 0, "%s: expected a count that agrees, got %d more", how, count);
}

static bool bit(const unsigned long *set, int fd)
{
    return set[fd / LONG_BITS] >> fd % LONG_BITS & 1;
}

static void by_select(struct crowd *crowd, const struct line *target, bool with_mask)
{
    struct waiting *waiting = crowd->waiting;
    int64_t deadline = now() + (int64_t)WAIT_MS * 1000000;
    const char *how = with_mask ? "pselect" : "select";
    int highest = 0, count;
    size_t longs;

    for (unsigned i = 0; i < crowd->lines; i++)
        highest = crowd->line[i].link.fd > highest ? crowd->line[i].link.fd : highest;
    /* Some programs give the size of their descriptor table. */
    if (plan_percent(&crowd->plan, 5))
        highest += (int)plan_below(&crowd->plan, 100000);
    longs = (size_t)highest / LONG_BITS + 1;
    if (longs < sizeof(fd_set) / sizeof(long))
        longs = sizeof(fd_set) / sizeof(long);
    if (longs > waiting->longs) {
        waiting->set = realloc(waiting->set, longs * sizeof(long));
        waiting->longs = longs;
    }
    stand(how, target->link.fd);
    do {
        struct timeval limit = {WAIT_MS / 1000, 0};
        struct timespec fine = {WAIT_MS / 1000, 0};

        memset(waiting->set, 0, longs * sizeof(long));
        for (unsigned i = 0; i < crowd->lines; i++) {
            int fd = crowd->line[i].link.fd;

            waiting->set[fd / LONG_BITS] |= 1ul << fd % LONG_BITS;
        }
        count = with_mask ? pselect(highest + 1, (fd_set *)waiting->set, NULL, NULL, &fine, NULL)
                          : select(highest + 1, (fd_set *)waiting->set, NULL, NULL, &limit);
    } while (interrupted(count, deadline));
    if (count <= 0 || !bit(waiting->set, target->link.fd)) {
        tell_lost(target, how);
        return;
    }
    for (unsigned i = 0; i < crowd->lines; i++) {
        const struct line *line = &crowd->line[i];

        if (bit(waiting->set, line->link.fd) && !line_expects(line))
            tell_phantom(line, how);
        if (line_is_held(line) && !bit(waiting->set, line->link.fd))
            tell_lost(line, how);
        count -= bit(waiting->set, line->link.fd);
    }
    if (count != 0)
        fault(target->socket, 0, 0, "%s: expected a count that agrees, got %d more", how, count);
}

/* --- epoll --------------------------------------------------------------------------------- */

/* One epoll_wait. Notes in waiting->reported which lines were reported; returns the count. */
static int wait_once(struct crowd *crowd, int epoll, int most, int timeout, const char *how)
{
    struct waiting *waiting = crowd->waiting;
    struct timespec limit = {timeout / 1000, 0};
    unsigned choice = plan_below(&crowd->plan, 3);
    int64_t deadline = now() + (int64_t)timeout * 1000000;
    int count;

    memset(waiting->reported, 0, sizeof waiting->reported);
    do
        count = choice == 0   ? epoll_wait(epoll, waiting->event, most, timeout)
                : choice == 1 ? epoll_pwait(epoll, waiting->event, most, timeout, NULL)
                              : epoll_pwait2(epoll, waiting->event, most, &limit, NULL);
    while (interrupted(count, deadline));
    for (int i = 0; i < count; i++) {
        unsigned at = (unsigned)waiting->event[i].data.u64;

        if (waiting->event[i].data.u64 >> 32 != 0xfeed0000 || at >= crowd->lines) {
            fault(0, 0, 0, "%s: expected the program's own data, got %#llx", how,
                  (unsigned long long)waiting->event[i].data.u64);
            continue;
        }
        if (waiting->reported[at])
            fault(crowd->line[at].socket, 0, 0, "%s: expected one event, got two", how);
        waiting->reported[at] = true;
        if (!line_expects(&crowd->line[at]))
            tell_phantom(&crowd->line[at], how);
    }
    return count;
}

static void by_kept_set(struct crowd *crowd, const struct line *target)
{
    struct waiting *waiting = crowd->waiting;
    bool one = plan_percent(&crowd->plan, 20);
    int64_t deadline = now() + (int64_t)WAIT_MS * 1000000;
    const char *how = one ? "epoll_wait of one event" : "epoll_wait";

    /* Of those that are ready the kernel reports one after the other. */
    stand(how, target->link.fd);
    for (unsigned tries = 0; tries < 4 * LINES_MAX || !deadline_passed(deadline); tries++) {
        wait_once(crowd, waiting->kept, one ? 1 : LINES_MAX, WAIT_MS, how);
        if (waiting->reported[index_of(crowd, target)])
            return;
        if (!one && deadline_passed(deadline))
            break;
    }
    tell_lost(target, how);
}

/* A set for this wait alone, in which the lines are anew, some with a tail held already. */
static void by_new_set(struct crowd *crowd, const struct line *target, unsigned flags, bool nested)
{
    const char *how = nested                 ? "epoll_wait of a nested set"
                      : flags & EPOLLET      ? "epoll_wait, edge-triggered"
                      : flags & EPOLLONESHOT ? "epoll_wait, one-shot"
                                             : "epoll_wait of a new set";
    struct waiting *waiting = crowd->waiting;
    int epoll = epoll_create1(EPOLL_CLOEXEC), outer = -1;
    unsigned at = index_of(crowd, target);
    int64_t deadline = now() + (int64_t)WAIT_MS * 1000000;

    if (epoll < 0)
        return;
    stand(how, target->link.fd);
    for (unsigned i = 0; i < crowd->lines; i++)
        if (i == at || plan_percent(&crowd->plan, 30))
            add(crowd, epoll, &crowd->line[i], flags, EPOLL_CTL_ADD);
    if (nested) {
        struct epoll_event event = {EPOLLIN, {.fd = epoll}}, got;
        struct pollfd poll_outer;

        outer = epoll_create1(EPOLL_CLOEXEC);
        epoll_ctl(outer, EPOLL_CTL_ADD, epoll, &event);
        poll_outer = (struct pollfd){outer, POLLIN, 0};
        if ((plan_percent(&crowd->plan, 50) && poll(&poll_outer, 1, WAIT_MS) != 1) ||
            epoll_wait(outer, &got, 1, WAIT_MS) != 1 || got.data.fd != epoll)
            tell_lost(target, how);
    }
    do /* Another line may be ready sooner. */
        wait_once(crowd, epoll, LINES_MAX, WAIT_MS, how);
    while (!waiting->reported[at] && !deadline_passed(deadline));
    if (!waiting->reported[at])
        tell_lost(target, how);
    if (flags & EPOLLONESHOT) {
        wait_once(crowd, epoll, LINES_MAX, 0, how);
        if (waiting->reported[at])
            fault(target->socket, 0, 0, "%s: expected no second event, got one", how);
    }
    if (flags && plan_percent(&crowd->plan, 50)) {
        add(crowd, epoll, target, flags, EPOLL_CTL_MOD);
        wait_once(crowd, epoll, LINES_MAX, WAIT_MS, how);
        if (!waiting->reported[at])
            tell_lost(target, "epoll_wait after EPOLL_CTL_MOD");
    }
    if (outer >= 0)
        close(outer);
    close(epoll);
}

/* --- which ---------------------------------------------------------------------------------- */

void wait_for(struct crowd *crowd, const struct line *line)
{
    unsigned choice = plan_below(&crowd->plan, options.with_epoll ? 10 : 4);

    atomic_store_explicit(&place->socket, line->socket, memory_order_relaxed);
    count(&place->operations, 1);
    switch (choice) {
    case 0:
    case 1:
        by_poll(crowd, line, choice == 1);
        break;
    case 2:
    case 3:
        by_select(crowd, line, choice == 3);
        break;
    case 4:
        by_new_set(crowd, line, 0, plan_percent(&crowd->plan, 50));
        break;
    case 5:
        by_new_set(crowd, line, EPOLLET, false);
        break;
    case 6:
        by_new_set(crowd, line, EPOLLONESHOT, false);
        break;
    default:
        by_kept_set(crowd, line);
    }
}

void wait_for_none(struct crowd *crowd)
{
    struct waiting *waiting = crowd->waiting;
    int count;

    for (unsigned i = 0; i < crowd->lines; i++) {
        const struct line *line = &crowd->line[i];

        waiting->poll[i] = (struct pollfd){line_expects(line) ? -1 : line->link.fd, POLLIN, 0};
    }
    stand("poll for nothing", -1);
    count = poll(waiting->poll, crowd->lines, 0);
    for (unsigned i = 0; i < crowd->lines && count > 0; i++)
        if (waiting->poll[i].revents)
            tell_phantom(&crowd->line[i], "poll");
    if (waiting->kept >= 0)
        wait_once(crowd, waiting->kept, LINES_MAX, 0, "epoll_wait");
}
