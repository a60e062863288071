/* SPDX-License-Identifier: MIT
 *
 * Waits, and what is asked of a descriptor: the real answer against the model's.
 */
#define _GNU_SOURCE
#include "world.h"

#include "wsrx_functions.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE = 3000 }; /* milliseconds: whoever is not woken by then sleeps for ever */

static int sets[OWN_SETS];

void sets_open(void)
{
    for (unsigned i = 0; i < OWN_SETS; i++)
        sets[i] = epoll_create1(EPOLL_CLOEXEC);
}

void sets_close(void)
{
    for (unsigned i = 0; i < OWN_SETS; i++)
        close(sets[i]);
}

/* --- all of the process's descriptors ------------------------------------------------------ */

static int wait_by_poll(bool with_mask, int timeout, bool *ready)
{
    struct timespec limit = {timeout / 1000, 0};
    struct pollfd fds[SLOTS];
    int count;

    for (unsigned i = 0; i < SLOTS; i++)
        fds[i] = (struct pollfd){.fd = slots[i].open ? slots[i].fd : -1, .events = POLLIN};
    count = with_mask ? ppoll(fds, SLOTS, &limit, NULL) : poll(fds, SLOTS, timeout);
    for (unsigned i = 0; i < SLOTS; i++)
        ready[i] = slots[i].open && (fds[i].revents & POLLIN);
    return count;
}

static int wait_by_select(bool with_mask, int timeout, bool *ready)
{
    struct timespec limit = {timeout / 1000, 0};
    struct timeval time = {timeout / 1000, 0};
    fd_set set;
    int most = 0, count;

    FD_ZERO(&set);
    for (unsigned i = 0; i < SLOTS; i++) {
        if (!slots[i].open)
            continue;
        FD_SET(slots[i].fd, &set);
        most = slots[i].fd >= most ? slots[i].fd + 1 : most;
    }
    count = with_mask ? pselect(most, &set, NULL, NULL, &limit, NULL)
                      : select(most, &set, NULL, NULL, &time);
    for (unsigned i = 0; i < SLOTS; i++)
        ready[i] = slots[i].open && FD_ISSET(slots[i].fd, &set);
    return count;
}

/* By a set that was not there before. */
static int wait_by_new_set(int timeout, bool *ready)
{
    struct epoll_event events[SLOTS * 2]; /* enough for what the library adds */
    int set = epoll_create1(0), count;

    for (unsigned i = 0; i < SLOTS; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};

        if (slots[i].open)
            epoll_ctl(set, EPOLL_CTL_ADD, slots[i].fd, &event);
    }
    count = epoll_wait(set, events, SLOTS * 2, timeout);
    for (int i = 0; i < count; i++)
        if (events[i].data.u32 < SLOTS)
            ready[events[i].data.u32] = events[i].events & EPOLLIN;
    close(set);
    return count;
}

bool play_wait(const struct op *op)
{
    static const char *const names[] = {"poll", "ppoll", "select", "pselect", "new epoll set"};
    bool ready[SLOTS] = {false};
    int want = 0, count, timeout;
    unsigned how = op->a % 5;

    for (unsigned i = 0; i < SLOTS; i++)
        want += slots[i].open && model_readable(&world->model, slots[i].socket);
    timeout = want > 0 && op->b % 2 ? PATIENCE : 0;
    errno = 0;
    count = how == 4  ? wait_by_new_set(timeout, ready)
            : how < 2 ? wait_by_poll(how == 1, timeout, ready)
                      : wait_by_select(how == 3, timeout, ready);
    world_says(" %s -> %d", names[how], count);
    for (unsigned i = 0; i < SLOTS; i++)
        if (slots[i].open && ready[i] != model_readable(&world->model, slots[i].socket))
            world_diverges("%s: the descriptor of slot %u is %sreadable, and the model's is %s",
                           names[how], i, ready[i] ? "" : "not ", ready[i] ? "not" : "so");
    if (count != want)
        world_diverges("%s returns %d (%s), the model %d", names[how], count, strerror(errno),
                       want);
    return true;
}

bool play_fionread(const struct op *op)
{
    const struct slot *slot = &slots[op->slot];
    size_t want;
    int bytes = -1;

    if (!slot->open)
        return false;
    want = model_bytes_ready(&world->model, slot->socket);
    if (ioctl(slot->fd, FIONREAD, &bytes) != 0 || (size_t)bytes != want)
        world_diverges("FIONREAD says %d, the model %zu", bytes, want);
    world_says(" -> %d", bytes);
    return true;
}

bool play_hold(const struct op *op)
{
    const struct slot *slot = &slots[op->slot];
    size_t left = 0, want;
    int hold;

    if (!slot->open || !wsrx_hold)
        return false;
    want = model_tail(&world->model, slot->socket);
    hold = wsrx_hold(slot->fd, &left);
    if (hold < 0 || (hold > 0) != (want > 0) || left != want)
        world_diverges("wsrx_hold() returns %d and %zu, the model says %zu", hold, left, want);
    world_says(" -> %d, %zu", hold, left);
    return true;
}

/* --- sets that last ------------------------------------------------------------------------ */

/* Its number in the model. */
static unsigned set_of(const struct op *op)
{
    return world_player * OWN_SETS + op->a % OWN_SETS;
}

static int control(const struct op *op, int operation, unsigned index)
{
    static const uint32_t triggers[] = {EPOLLIN, EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT};
    struct epoll_event event = {.events = triggers[op->b % 3], .data.u64 = index};

    world_says(" set %u, descriptor %d, number %u, trigger %u", set_of(op), slots[op->slot].fd,
               index, op->b % 3);
    return epoll_ctl(sets[op->a % OWN_SETS], operation, slots[op->slot].fd, &event) == 0 ? 0
                                                                                         : -errno;
}

static bool compare(const char *what, int result, int want)
{
    if (result != want)
        world_diverges("epoll_ctl: %s returns %d, the model %d", what, result, want);
    return true;
}

bool play_add(const struct op *op)
{
    const struct slot *slot = &slots[op->slot];
    unsigned index = 0;
    int want;

    if (!slot->open)
        return false;
    want = model_register(&world->model, set_of(op), slot->fd, slot->socket,
                          (enum model_trigger)(op->b % 3), &index);
    return compare("ADD", control(op, EPOLL_CTL_ADD, index), want);
}

bool play_modify(const struct op *op)
{
    const struct slot *slot = &slots[op->slot];
    unsigned index = 0;
    int want;

    if (!slot->open)
        return false;
    want = model_change(&world->model, set_of(op), slot->fd, slot->socket,
                        (enum model_trigger)(op->b % 3), &index);
    return compare("MOD", control(op, EPOLL_CTL_MOD, index), want);
}

bool play_remove(const struct op *op)
{
    const struct slot *slot = &slots[op->slot];
    int want;

    if (!slot->open)
        return false;
    want = model_unregister(&world->model, set_of(op), slot->fd, slot->socket);
    return compare("DEL", control(op, EPOLL_CTL_DEL, 0), want);
}

static void check_events(const struct epoll_event *events, int count, int most, int must)
{
    bool seen[MODEL_REGISTRATIONS] = {false};

    for (int i = 0; i < count; i++) {
        unsigned index = events[i].data.u32;

        world_says(" [number %u events %x]", index, events[i].events);
        if (index < MODEL_REGISTRATIONS && world->model.registration[index].closed)
            continue;
        if (index >= MODEL_REGISTRATIONS || seen[index] || !(events[i].events & EPOLLIN) ||
            !model_may_report(&world->model, index)) {
            world_diverges(
                "an epoll set reports number %u with events %x%s", index, events[i].events,
                index < MODEL_REGISTRATIONS && seen[index] ? " twice" : ", the model does not");
            return;
        }
        seen[index] = true;
    }
    /* Where there is not room for all, some are reported, and the others by the next waits. */
    if (most < MODEL_REGISTRATIONS ? count < (must > 0) : count < must)
        world_diverges("an epoll set reports %d of %d (%s)", count, must, strerror(errno));
}

bool play_epoll(const struct op *op)
{
    struct epoll_event events[MODEL_REGISTRATIONS];
    unsigned set = set_of(op), how = op->b % 4;
    int must = 0, count, timeout, most = op->c % 8 == 0 ? 1 + (int)op->slot : MODEL_REGISTRATIONS;
    struct timespec limit = {0, 0};

    for (unsigned i = 0; i < MODEL_REGISTRATIONS; i++)
        must += world->model.registration[i].set == set && model_must_report(&world->model, i);
    timeout = must > 0 && op->b >= 128 ? PATIENCE : 0;
    limit.tv_sec = timeout / 1000;
    errno = 0;
    count = how == 0   ? epoll_pwait(sets[op->a % OWN_SETS], events, most, timeout, NULL)
            : how == 1 ? epoll_pwait2(sets[op->a % OWN_SETS], events, most, &limit, NULL)
                       : epoll_wait(sets[op->a % OWN_SETS], events, most, timeout);
    world_says(" set %u -> %d", set, count);
    check_events(events, count, most, must);
    for (int i = 0; i < count && !world->failed; i++)
        model_reported(&world->model, events[i].data.u32);
    if (count < most)
        model_waited(&world->model, set);
    return true;
}
