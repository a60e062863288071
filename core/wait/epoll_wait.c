/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "wait/epoll_wait.h"

#include "base/clock.h"
#include "base/sys.h"
#include "fd/fd_class.h"
#include "table/held.h"
#include "wait/poll.h"

#include <errno.h>

enum {
    EVENTS = 0xffff,        /* of epoll_event.events: no manners */
    LOOK_AGAIN = 200000000, /* ns: see stand_in.h; a process that dies may leave no other sign */
};

/* What the kernel says of the socket itself, for the events the program asked for. */
static uint32_t kernel_events(const struct registration *registration)
{
    struct pollfd socket = {.fd = registration->fd,
                            .events = (short)(registration->events & EVENTS)};

    if (next_calls.ppoll(&socket, 1, &(struct timespec){0, 0}, NULL) <= 0 ||
        (socket.revents & POLLNVAL))
        return 0;
    return (uint32_t)(unsigned short)socket.revents;
}

/* A tail, on a socket that is still there: that is asked where the wait tells of it again and
 * nobody has taken a part since, for the socket may have been closed behind our back. */
static bool has_tail(struct registration *registration)
{
    size_t before = registration->reported;

    if (!registration->cookie || !proxy_is_held(registration->cookie))
        return false;
    table_look(state.table, registration->cookie, &registration->reported);
    return registration->reported != before ||
           fd_query_cookie(registration->fd) == registration->cookie ||
           fd_next_duplicate(registration->fd, -1, registration->cookie) >= 0;
}

/* --- one event --------------------------------------------------------------------------- */

/* The functions below return whether there is an event to tell after all. */

static bool complete_shot(struct registration *registration, struct epoll_event *event, bool held)
{
    bool inherited = set_is_inherited(registration_set(registration));
    enum proxy_shot shot = inherited ? proxy_shot(registration) : SHOT_UNKNOWN;

    if (shot == SHOT_REPORTED) { /* by another process: this was its stand-in, or ours */
        proxy_end(registration, false);
        return false;
    }
    if (shot == SHOT_FIRED || (registration->proxy < 0 && !inherited)) {
        registration->muted = false; /* the kernel has told of the socket itself */
        proxy_end(registration, false);
        return true;
    }
    event->events |= kernel_events(registration);
    if (!held && !kernel_events(registration)) {
        registration->muted = true; /* and the socket's own registration is armed again */
        proxy_end(registration, false);
        return false;
    }
    proxy_reported(registration);
    return true;
}

static bool complete_edge(struct registration *registration, bool held)
{
    if (!held)
        proxy_end(registration, false);
    else if (registration->active)
        proxy_reported(registration);
    return true;
}

/* `others`: it may come from another process's stand-in. */
static bool complete_level(struct registration *registration, struct epoll_event *event, bool held,
                           bool others)
{
    bool had_proxy = registration->proxy >= 0 || others;

    if (held) {
        if (had_proxy && (registration->events & EVENTS & ~(uint32_t)PROXY_READABLE))
            event->events |= kernel_events(registration);
        proxy_update(registration, true, false);
        proxy_reported(registration);
    } else {
        proxy_end(registration, false);
        if (had_proxy)
            event->events = kernel_events(registration);
    }
    return true;
}

/* An event of a registration that is alone with its data. */
static bool complete_event(struct registration *registration, struct epoll_event *event,
                           bool others)
{
    bool held = has_tail(registration), tells;

    if (registration->events & EPOLLONESHOT)
        tells = complete_shot(registration, event, held);
    else if (registration->events & EPOLLET)
        tells = complete_edge(registration, held);
    else
        tells = complete_level(registration, event, held, others);
    if (held)
        event->events |= registration->events & PROXY_READABLE;
    event->events &= registration->events | EPOLLERR | EPOLLHUP;
    return tells && event->events != 0;
}

/* Several registrations with one data: the program cannot tell them apart either, but for how many
 * there are. */
static bool complete_shared(struct registration *first)
{
    bool tells = false;

    for (struct registration *each = first; each; each = registration_next_of_data(each)) {
        bool held = has_tail(each);

        if (each->active && (each->events & EPOLLONESHOT)) {
            if (each->proxy >= 0 && proxy_has_fired(each)) {
                proxy_reported(each);
                return true;
            }
            if (!held)
                proxy_end(each, false);
        } else if (each->active && !held) {
            proxy_end(each, false);
        } else if (each->active && !(each->events & EPOLLET)) {
            proxy_reported(each);
        }
        tells |= held || (each->events & (EPOLLONESHOT | EPOLLET)) || kernel_events(each) != 0;
    }
    return tells;
}

/* --- all of a wait ----------------------------------------------------------------------- */

static void note_event(struct registration *registration, unsigned serial, int at)
{
    registration->wait_serial = serial;
    registration->event_index = at;
}

/* Kernel events and a tail's event for one registration become one. Returns how many are left. */
static int complete(struct set *set, struct epoll_event *events, int count, bool others,
                    unsigned serial)
{
    int kept = 0;

    for (int i = 0; i < count; i++) {
        struct epoll_event event = events[i];
        struct registration *registration = registration_of_data(set, event.data.u64);
        bool tells = true;

        if (registration && !registration_is_alone(registration)) {
            bool active = false;

            for (struct registration *each = registration; each;
                 each = registration_next_of_data(each))
                active |= each->active;
            tells = !active || complete_shared(registration);
        } else if (registration && registration->cookie) {
            if (registration->wait_serial == serial) {
                events[registration->event_index].events |= event.events & registration->events;
                continue;
            }
            if (registration->active || others)
                tells = complete_event(registration, &event, others);
            if (tells)
                note_event(registration, serial, kept);
        }
        if (tells)
            events[kept++] = event;
    }
    return kept;
}

/* What the wait tells of itself. Returns how many events there are then. */
static int add_pending(struct set *set, struct epoll_event *events, int count, int max,
                       unsigned serial)
{
    struct registration *each = registration_at(set->first_active), *next;

    for (; each; each = next) {
        next = registration_at(each->next_active);
        if (!each->pending || each->wait_serial == serial)
            continue;
        if (!has_tail(each)) {
            proxy_end(each, false);
        } else if (count == max) {
            proxy_expose(each); /* the kernel sees to it that its turn comes */
        } else {
            events[count++] = (struct epoll_event){each->events & PROXY_READABLE, each->data};
            proxy_reported(each);
        }
    }
    return count;
}

static int complete_all(const struct epoll_wait_call *wait, int count)
{
    static unsigned serial; /* protected by the lock */
    struct critical_section section;
    struct set *set;

    registry_enter(&section);
    set = set_of(wait->epfd);
    if (set) {
        /* Nobody has a stand-in in the set where no message was ever held. */
        bool others = set_is_inherited(set) &&
                      atomic_load_explicit(&state.table->counters.held, memory_order_relaxed) > 0;

        serial++;
        count = complete(set, wait->events, count, others, serial);
        count = add_pending(set, wait->events, count, wait->max, serial);
    }
    registry_leave(&section);
    return count;
}

/* How long the call may sleep at most. */
static int64_t sleep_limit(int epfd, int64_t timeout)
{
    struct set *set = set_of(epfd);
    unsigned watched = set ? atomic_load(&set->watched) : 0;

    if ((watched & SET_SHARED) && ((watched & ~SET_SHARED) || poll_tails_held())) {
        struct critical_section section;

        registry_enter(&section);
        if ((set = set_of(epfd)))
            proxy_scan(set);
        registry_leave(&section);
    }
    if (set && atomic_load(&set->pending_count) > 0)
        return 0;
    return (watched & SET_SHARED) && (timeout < 0 || timeout > LOOK_AGAIN) ? LOOK_AGAIN : timeout;
}

/* Whether what the kernel said may not be all, or too much. */
static bool concerns(int epfd)
{
    struct set *set = set_of(epfd);

    return set && ((atomic_load(&set->watched) & ~SET_SHARED) ||
                   (set_is_inherited(set) &&
                    atomic_load_explicit(&state.table->counters.held, memory_order_relaxed) > 0));
}

int epoll_wait_with_tails(const struct epoll_wait_call *wait, int count)
{
    /* The program's own call knew of no tail here, so what it was told of was there just now, as it
     * may be with any thread that receives at the same time; and how long it slept is not known. */
    bool final = count != EPOLL_WAIT_NOT_CALLED;
    int64_t start = !final && wait->timeout > 0 ? clock_read(CLOCK_MONOTONIC) : 0;
    int64_t timeout = wait->timeout;

    for (;;) {
        int given = count;

        if (count == EPOLL_WAIT_NOT_CALLED) {
            int before = epoll_wait_begins();

            given = wait->call(wait, sleep_limit(wait->epfd, timeout));
            epoll_wait_ends(before, wait->epfd);
        }
        if (given < 0)
            return -errno;
        count = concerns(wait->epfd) ? complete_all(wait, given) : given;
        if (final)
            return count > 0 ? count : given;
        if (count > 0 || timeout == 0)
            return count;
        if (wait->timeout > 0) {
            timeout = wait->timeout - (clock_read(CLOCK_MONOTONIC) - start);
            timeout = timeout > 0 ? timeout : 0; /* one look more */
        }
        count = EPOLL_WAIT_NOT_CALLED;
    }
}
