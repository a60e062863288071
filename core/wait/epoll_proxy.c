/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "wait/epoll_proxy.h"

#include "base/diag.h"
#include "base/strbuf.h"
#include "base/sys.h"
#include "fd/fd_class.h"
#include "table/held.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

enum {
    OUT_OF_THE_WAY = 256, /* descriptor numbers below this are left to the program */
    /* The kernel's private bits, which a fired shot keeps (EP_PRIVATE_BITS). */
    MANNER = EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP,
    /* Marks a registration as silenced: nothing ever raises it on a socket. */
    MUTED = EPOLLMSG,
};

__thread int proxy_waited = PROXY_NEVER_WAITED;

bool proxy_is_held(uint64_t cookie)
{
    enum held_kind kind;

    if (!table_may_hold(state.table, cookie))
        return false;
    kind = table_look(state.table, cookie, NULL);
    return kind == HELD_HERE || kind == HELD_STREAM;
}

static int control(const struct registration *registration, int operation, int fd, uint32_t events)
{
    struct epoll_event event = {events, registration->data};

    return next_calls.epoll_ctl(registration_set(registration)->epfd, operation, fd, &event);
}

/* --- the kernel's word ------------------------------------------------------------------- */

struct fdinfo {
    int fd;
    uint64_t at;
    size_t length, next;
    char text[1024];
};

/* A line without its end, cut to the room that there is; false: the end. */
static bool fdinfo_line(struct fdinfo *info, char *line, size_t room)
{
    size_t length = 0;

    for (;;) {
        if (info->next == info->length) {
            ssize_t got = sys_pread(info->fd, info->text, sizeof info->text, info->at);

            if (got <= 0)
                return false;
            info->at += (uint64_t)got;
            info->length = (size_t)got;
            info->next = 0;
        }
        if (info->text[info->next] == '\n')
            break;
        if (length + 1 < room)
            line[length++] = info->text[info->next];
        info->next++;
    }
    info->next++;
    line[length] = '\0';
    return true;
}

/* The number after `name`, which is taken off; 0 where it is not there. */
static uint64_t number_after(const char **line, const char *name, unsigned base)
{
    const char *at = strstr(*line, name);
    uint64_t number = 0;

    if (!at)
        return 0;
    for (at += strlen(name); *at == ' '; at++)
        continue;
    for (unsigned digit;; at++) {
        digit = *at >= '0' && *at <= '9'   ? (unsigned)(*at - '0')
                : *at >= 'a' && *at <= 'f' ? (unsigned)(*at - 'a') + 10
                                           : base;
        if (digit >= base)
            break;
        number = number * base + digit;
    }
    *line = at;
    return number;
}

/* What the kernel waits for on `fd` in the set, by proc(5): "tfd: 5 events: 19 data: 1". -1: it
 * cannot be asked, or knows nothing of it. */
static int64_t kernel_waits_for(const struct set *set, int fd)
{
    char path[64] = "/proc/self/fdinfo/", line[128];
    struct fdinfo info = {.fd = -1};
    int64_t events = -1;

    *put_number(path + strlen(path), (unsigned)set->epfd) = '\0';
    info.fd = sys_open(path, O_RDONLY, 0);
    if (info.fd < 0)
        return -1;
    while (events < 0 && fdinfo_line(&info, line, sizeof line)) {
        const char *rest = line;

        if (strncmp(line, "tfd:", 4) == 0 && number_after(&rest, "tfd:", 10) == (unsigned)fd)
            events = (int64_t)number_after(&rest, "events:", 16);
    }
    sys_close(info.fd);
    return events;
}

enum proxy_shot proxy_shot(const struct registration *registration)
{
    int64_t events = kernel_waits_for(registration_set(registration), registration->fd);

    if (events < 0)
        return SHOT_UNKNOWN;
    if ((events & ~(int64_t)MANNER) == 0)
        return SHOT_FIRED;
    if (events & MUTED)
        return SHOT_MUTED;
    return events & PROXY_READABLE ? SHOT_ARMED : SHOT_REPORTED;
}

bool proxy_has_fired(const struct registration *registration)
{
    return (kernel_waits_for(registration_set(registration), registration->proxy) &
            ~(int64_t)MANNER) == 0;
}

static void set_pending(struct registration *registration, bool pending)
{
    if (pending && !registration->pending)
        atomic_fetch_add(&registration_set(registration)->pending_count, 1);
    else if (!pending && registration->pending)
        atomic_fetch_sub(&registration_set(registration)->pending_count, 1);
    registration->pending = pending;
}

/* --- begin ------------------------------------------------------------------------------- */

static int make_eventfd(void)
{
    int fd = sys_eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK), moved;

    if (fd < 0 || fd >= OUT_OF_THE_WAY)
        return fd;
    moved = sys_fcntl(fd, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
    if (moved < 0)
        return fd;
    sys_close(fd);
    return moved;
}

static uint32_t proxy_events(const struct registration *registration)
{
    uint32_t manner = registration->events & (EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE);

    if (set_is_inherited(registration_set(registration)))
        manner |= EPOLLET;
    return EPOLLIN | manner;
}

static bool attach(struct registration *registration)
{
    static atomic_int reported;
    int fd = make_eventfd(), error = fd < 0 ? -fd : 0;

    if (!error && control(registration, EPOLL_CTL_ADD, fd, proxy_events(registration)) != 0) {
        error = errno;
        sys_close(fd);
    }
    if (error) {
        diag_once(reported, "no eventfd for epoll: %s; from now on tails are held in the kernel",
                  strerrordesc_np(error));
        state_hold_in_kernel();
        return false;
    }
    registration->proxy = fd;
    fd_set_internal(fd, true);
    if (registration->events & EPOLLONESHOT)
        registration->muted =
            control(registration, EPOLL_CTL_MOD, registration->fd, EPOLLONESHOT | MUTED) == 0;
    return true;
}

/* Whether nobody can be asleep in the set, or look at it but by our waits. */
static bool nobody_else_looks(const struct set *set)
{
    return sys_is_single_threaded() && set_of(proxy_waited) == set && !set->exposed &&
           !set_is_inherited(set);
}

static void begin(struct registration *registration)
{
    struct set *set = registration_set(registration);
    bool alone = registration_is_alone(registration);

    registration->reported = SIZE_MAX;
    set_pending(registration, (alone && nobody_else_looks(set)) || !attach(registration) ||
                                  (alone && set_is_inherited(set)));
    registration_set_active(registration, true);
}

static bool is_armed(const struct registration *registration)
{
    enum proxy_shot shot = proxy_shot(registration);

    /* Silenced, and not by us: by a process that may be gone. */
    return shot == SHOT_ARMED || shot == SHOT_MUTED || shot == SHOT_UNKNOWN;
}

void proxy_update(struct registration *registration, bool held, bool asked)
{
    if (!held || !(registration->events & PROXY_READABLE)) {
        if (registration->active)
            proxy_end(registration, false);
    } else if (!registration->active) {
        if (asked || (!(registration->events & EPOLLET) &&
                      (!(registration->events & EPOLLONESHOT) || is_armed(registration))))
            begin(registration);
    }
}

void proxy_expose(struct registration *registration)
{
    if (registration->proxy < 0 && attach(registration) &&
        !set_is_inherited(registration_set(registration)))
        set_pending(registration, false);
}

void proxy_watch(struct set *set)
{
    set->exposed = true;
    for (struct registration *each = registration_at(set->first_active); each;
         each = registration_at(each->next_active))
        proxy_expose(each);
}

/* --- told, and ended --------------------------------------------------------------------- */

void proxy_reported(struct registration *registration)
{
    if (registration->events & EPOLLONESHOT) {
        /* The shot is spent, wherever it was. */
        control(registration, EPOLL_CTL_MOD, registration->fd, EPOLLONESHOT);
        registration->muted = false;
        proxy_end(registration, false);
    } else if (registration->events & EPOLLET) {
        proxy_end(registration, false);
    } else if (registration->proxy >= 0 && set_is_inherited(registration_set(registration))) {
        control(registration, EPOLL_CTL_MOD, registration->proxy, proxy_events(registration));
    }
}

/* Another process may have told of the tail, and spent the shot. */
static bool is_still_muted(const struct registration *registration)
{
    enum proxy_shot shot = SHOT_MUTED;

    if (set_is_inherited(registration_set(registration)))
        shot = proxy_shot(registration);
    return shot == SHOT_MUTED || shot == SHOT_UNKNOWN;
}

void proxy_end(struct registration *registration, bool closing)
{
    if (registration->proxy >= 0) {
        /* Closed it would be out by itself, but for a child that has not come to its exec. */
        if (!closing)
            next_calls.epoll_ctl(registration_set(registration)->epfd, EPOLL_CTL_DEL,
                                 registration->proxy, NULL);
        fd_set_internal(registration->proxy, false);
        sys_close(registration->proxy);
        registration->proxy = -1;
    }
    if (registration->muted && !closing && is_still_muted(registration))
        control(registration, EPOLL_CTL_MOD, registration->fd, registration->events);
    registration->muted = false;
    set_pending(registration, false);
    registration_set_active(registration, false);
}

/* --- processes --------------------------------------------------------------------------- */

static void scan_one(struct registration *registration)
{
    proxy_update(registration, proxy_is_held(registration->cookie), false);
    /* What another process's wait was told of it is to be told here, too. */
    if (registration->proxy >= 0 && !registration->pending &&
        !(registration->events & (EPOLLET | EPOLLONESHOT)))
        proxy_reported(registration);
}

void proxy_scan(struct set *set)
{
    for (struct registration *each = registration_at(set->first); each;
         each = registration_at(each->next_in_set))
        if (each->cookie && (each->active || table_may_hold(state.table, each->cookie)))
            scan_one(each);
}

void proxy_before_fork(void)
{
    for (struct set *set = set_next(NULL); set; set = set_next(set))
        for (struct registration *each = registration_at(set->first_active), *next; each;
             each = next) {
            next = registration_at(each->next_active);
            proxy_end(each, false);
            set_pending(each, true);
            registration_set_active(each, true);
        }
}

void proxy_after_fork(void)
{
    for (struct set *set = set_next(NULL); set; set = set_next(set)) {
        if (sys_is_single_threaded() && !set->exposed)
            continue;
        for (struct registration *each = registration_at(set->first_active); each;
             each = registration_at(each->next_active))
            proxy_expose(each);
    }
}
