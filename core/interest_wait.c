/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "interest_wait.h"

#include "clock.h"
#include "engine.h"
#include "readiness.h"

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

    if (engine.system.ppoll(&socket, 1, &(struct timespec){0, 0}, NULL) <= 0 ||
        (socket.revents & POLLNVAL))
        return 0;
    return (uint32_t)(unsigned short)socket.revents;
}

/* A tail, on a socket that is still there: that is asked where the wait tells of it again and
 * nobody has taken a part since, for the socket may have been closed behind our back. */
static bool has_tail(struct registration *registration)
{
    size_t before = registration->told;

    if (!registration->cookie || !stand_in_is_held(registration->cookie))
        return false;
    table_look(engine.table, registration->cookie, &registration->told);
    return registration->told != before ||
           socket_ask_cookie(registration->fd) == registration->cookie ||
           socket_next_duplicate(registration->fd, -1, registration->cookie) >= 0;
}

/* --- one event --------------------------------------------------------------------------- */

/* The functions below return whether there is an event to tell after all. */

static bool complete_shot(struct registration *registration, struct epoll_event *event, bool held)
{
    bool inherited = set_is_inherited(registration_set(registration));
    enum stand_in_shot shot = inherited ? stand_in_shot(registration) : SHOT_UNKNOWN;

    if (shot == SHOT_TOLD) { /* by another process: this was its stand-in, or ours */
        stand_in_end(registration, false);
        return false;
    }
    if (shot == SHOT_FIRED || (registration->stand_in < 0 && !inherited)) {
        registration->silenced = false; /* the kernel has told of the socket itself */
        stand_in_end(registration, false);
        return true;
    }
    event->events |= kernel_events(registration);
    if (!held && !kernel_events(registration)) {
        registration->silenced = true; /* and the socket's own registration is armed again */
        stand_in_end(registration, false);
        return false;
    }
    stand_in_told(registration);
    return true;
}

static bool complete_edge(struct registration *registration, bool held)
{
    if (!held)
        stand_in_end(registration, false);
    else if (registration->active)
        stand_in_told(registration);
    return true;
}

/* `others`: it may come from another process's stand-in. */
static bool complete_level(struct registration *registration, struct epoll_event *event, bool held,
                           bool others)
{
    bool stood_in = registration->stand_in >= 0 || others;

    if (held) {
        if (stood_in && (registration->events & EVENTS & ~(uint32_t)STAND_IN_READABLE))
            event->events |= kernel_events(registration);
        stand_in_update(registration, true, false);
        stand_in_told(registration);
    } else {
        stand_in_end(registration, false);
        if (stood_in)
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
        event->events |= registration->events & STAND_IN_READABLE;
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
            if (each->stand_in >= 0 && stand_in_has_fired(each)) {
                stand_in_told(each);
                return true;
            }
            if (!held)
                stand_in_end(each, false);
        } else if (each->active && !held) {
            stand_in_end(each, false);
        } else if (each->active && !(each->events & EPOLLET)) {
            stand_in_told(each);
        }
        tells |= held || (each->events & (EPOLLONESHOT | EPOLLET)) || kernel_events(each) != 0;
    }
    return tells;
}

/* --- all of a wait ----------------------------------------------------------------------- */

static void see(struct registration *registration, unsigned serial, int at)
{
    registration->seen = serial;
    registration->seen_at = at;
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
            if (registration->seen == serial) {
                events[registration->seen_at].events |= event.events & registration->events;
                continue;
            }
            if (registration->active || others)
                tells = complete_event(registration, &event, others);
            if (tells)
                see(registration, serial, kept);
        }
        if (tells)
            events[kept++] = event;
    }
    return kept;
}

/* What the wait tells of itself. Returns how many events there are then. */
static int add_due(struct set *set, struct epoll_event *events, int count, int max,
                   unsigned serial)
{
    struct registration *each = registration_at(set->first_active), *next;

    for (; each; each = next) {
        next = registration_at(each->next_active);
        if (!each->due || each->seen == serial)
            continue;
        if (!has_tail(each)) {
            stand_in_end(each, false);
        } else if (count == max) {
            stand_in_expose(each); /* the kernel sees to it that its turn comes */
        } else {
            events[count++] =
                (struct epoll_event){each->events & STAND_IN_READABLE, each->data};
            stand_in_told(each);
        }
    }
    return count;
}

static int complete_all(const struct interest_wait *wait, int count)
{
    static unsigned serial; /* protected by the lock */
    struct guard guard;
    struct set *set;

    registrations_enter(&guard);
    set = set_of(wait->epfd);
    if (set) {
        /* Nobody has a stand-in in the set where no message was ever held. */
        bool others = set_is_inherited(set) &&
                      atomic_load_explicit(&engine.table->counters.held, memory_order_relaxed) > 0;

        serial++;
        count = complete(set, wait->events, count, others, serial);
        count = add_due(set, wait->events, count, wait->max, serial);
    }
    registrations_leave(&guard);
    return count;
}

/* How long the call may sleep at most. */
static int64_t sleep_limit(int epfd, int64_t timeout)
{
    struct set *set = set_of(epfd);
    unsigned cares = set ? atomic_load(&set->cares) : 0;

    if ((cares & SET_SHARED) && ((cares & ~SET_SHARED) || readiness_concerns())) {
        struct guard guard;

        registrations_enter(&guard);
        if ((set = set_of(epfd)))
            stand_in_scan(set);
        registrations_leave(&guard);
    }
    if (set && atomic_load(&set->dues) > 0)
        return 0;
    return (cares & SET_SHARED) && (timeout < 0 || timeout > LOOK_AGAIN) ? LOOK_AGAIN : timeout;
}

/* Whether what the kernel said may not be all, or too much. */
static bool concerns(int epfd)
{
    struct set *set = set_of(epfd);

    return set && ((atomic_load(&set->cares) & ~SET_SHARED) ||
                   (set_is_inherited(set) &&
                    atomic_load_explicit(&engine.table->counters.held, memory_order_relaxed) > 0));
}

int interest_wait(const struct interest_wait *wait, int count)
{
    /* The program's own call knew of no tail here, so what it was told of was there just now, as it
     * may be with any thread that receives at the same time; and how long it slept is not known. */
    bool final = count != INTEREST_NOT_CALLED;
    int64_t start = !final && wait->timeout > 0 ? clock_read(CLOCK_MONOTONIC) : 0;
    int64_t timeout = wait->timeout;

    for (;;) {
        int given = count;

        if (count == INTEREST_NOT_CALLED) {
            int before = interest_wait_begins();

            given = wait->call(wait, sleep_limit(wait->epfd, timeout));
            interest_wait_ends(before, wait->epfd);
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
        count = INTEREST_NOT_CALLED;
    }
}
