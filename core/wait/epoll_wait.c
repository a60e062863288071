/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "wait/epoll_wait.h"

#include "base/clock.h"
#include "base/sys.h"
#include "fd/fd_class.h"
#include "table/held.h"
#include "wait/epoll_hints.h"
#include "wait/epoll_learn.h"
#include "wait/epoll_linger.h"
#include "wait/epoll_scan.h"

#include <errno.h>

enum { EVENTS = 0xffff }; /* of epoll_event.events: no manners */

/* The number by which the socket is open now: that of the registration may be closed, and another
 * file's by now, while a duplicate keeps the registration. -1: none is known. */
static int number_now(const struct registration *registration)
{
    if (!registration->cookie || fd_has_cookie(registration->fd, registration->cookie))
        return registration->fd;
    return fd_next_duplicate(registration->fd, -1, registration->cookie);
}

/* A program whose limit of descriptors is 0 cannot poll(2) even one, but may select(2). What a set
 * has no room for is told to be readable rather than never. */
static uint32_t select_events(int fd, uint32_t events)
{
    unsigned number = (unsigned)fd;
    fd_set reading, writing;

    if (fd >= FD_SETSIZE)
        return events & PROXY_READABLE;
    FD_ZERO(&reading);
    FD_SET(number, &reading);
    writing = reading;
    if (next_calls.pselect(fd + 1, events & EPOLLIN ? &reading : NULL,
                           events & EPOLLOUT ? &writing : NULL, NULL, &(struct timespec){0, 0},
                           NULL) <= 0)
        return 0;
    return (events & EPOLLIN && FD_ISSET(number, &reading) ? EPOLLIN : 0) |
           (events & EPOLLOUT && FD_ISSET(number, &writing) ? EPOLLOUT : 0);
}

/* Which of the program's events the socket itself has. */
static uint32_t kernel_events(const struct registration *registration)
{
    struct pollfd socket = {.fd = number_now(registration),
                            .events = (short)(registration->events & EVENTS)};
    int ready = 0;

    if (socket.fd >= 0)
        ready = next_calls.ppoll(&socket, 1, &(struct timespec){0, 0}, NULL);
    if (ready < 0)
        return select_events(socket.fd, registration->events);
    return ready == 0 || (socket.revents & POLLNVAL) ? 0 : (uint32_t)(unsigned short)socket.revents;
}

/* Whether the program waits for more than something to receive. */
static bool asks_more(const struct registration *registration)
{
    return (registration->events & EVENTS & ~(uint32_t)PROXY_READABLE) != 0;
}

/* Whether there is a tail, on a socket that is still open. The kernel is queried only if the wait
 * has reported the tail before and no part was taken since: the socket may have been closed
 * unseen. */
static bool has_tail(struct registration *registration)
{
    size_t before = registration->reported;

    if (!registration->cookie || !proxy_look(registration->cookie, &registration->reported))
        return false;
    return registration->reported != before || number_now(registration) >= 0;
}

/* --- one event --------------------------------------------------------------------------- */

/* The functions below return whether there is still an event to report. */

static bool complete_shot(struct registration *registration, struct epoll_event *event, bool held)
{
    bool inherited = registration_set(registration)->inherited;
    enum proxy_shot shot = inherited ? proxy_shot(registration) : SHOT_UNKNOWN;
    uint32_t own = 0;

    if (shot ==
        SHOT_REPORTED) { /* by another process; the event came from its proxy, or from ours */
        proxy_end(registration, false);
        return false;
    }
    if (shot == SHOT_FIRED || (registration->proxy < 0 && !inherited)) {
        registration->muted = false; /* the kernel has reported the socket itself */
        proxy_end(registration, false);
        return true;
    }
    if (!held || asks_more(registration))
        event->events |= own = kernel_events(registration);
    if (!held && !own) {
        registration->muted =
            true; /* so that proxy_end() arms the socket's own registration again */
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
    else if (registration_state(registration) != TAIL_IDLE)
        proxy_reported(registration);
    return true;
}

/* `others`: the event may come from a proxy of another process. */
static bool complete_level(struct registration *registration, struct epoll_event *event, bool held,
                           bool others)
{
    bool had_proxy = registration->proxy >= 0 || others;

    if (held) {
        if (had_proxy && asks_more(registration))
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

/* An event whose data only this registration has. */
static bool complete_event(struct registration *registration, struct epoll_event *event,
                           bool others)
{
    bool held = has_tail(registration), reports;

    if (registration->events & EPOLLONESHOT)
        reports = complete_shot(registration, event, held);
    else if (registration->events & EPOLLET)
        reports = complete_edge(registration, held);
    else
        reports = complete_level(registration, event, held, others);
    if (held)
        event->events |= registration->events & PROXY_READABLE;
    event->events &= registration->events | EPOLLERR | EPOLLHUP;
    return reports && event->events != 0;
}

/* Several registrations with the same data. The program cannot distinguish them either, but it can
 * count the events. */
static bool complete_shared(struct registration *first)
{
    bool reports = false;

    for (struct registration *each = first; each; each = registration_next_of_data(each)) {
        bool held = has_tail(each), active = registration_state(each) != TAIL_IDLE;

        if (proxy_is_spent(each))
            continue;
        if (active && (each->events & EPOLLONESHOT)) {
            if (each->proxy >= 0 && proxy_has_fired(each)) {
                proxy_reported(each);
                return true;
            }
            if (!held)
                proxy_end(each, false);
        } else if (active && !held) {
            proxy_end(each, false);
        } else if (active && !(each->events & EPOLLET)) {
            proxy_reported(each);
        }
        reports |= held || (each->events & (EPOLLONESHOT | EPOLLET)) || kernel_events(each) != 0;
    }
    return reports;
}

/* --- all of a wait ----------------------------------------------------------------------- */

/* Without events, its shot had been fired before the registry was filled: its event is the socket's
 * own. */
static bool has_events(const struct registration *registration)
{
    return (registration->events & EVENTS) != 0;
}

static void note_event(struct registration *registration, unsigned serial, int at)
{
    registration->wait_serial = serial;
    registration->event_index = at;
}

/* The kernel's event and the tail's event of one registration become one. Returns how many are
 * left. */
static int complete(struct set *set, struct epoll_event *events, int count, bool others,
                    unsigned serial)
{
    int kept = 0;

    for (int i = 0; i < count; i++) {
        struct epoll_event event = events[i];
        struct registration *registration = registration_of_data(set, event.data.u64);
        bool reports = true;

        if (registration && !registration_is_alone(registration)) {
            bool active = false;

            for (struct registration *each = registration; each;
                 each = registration_next_of_data(each))
                active |= registration_state(each) != TAIL_IDLE;
            reports = !active || complete_shared(registration);
        } else if (registration && registration->cookie && has_events(registration)) {
            if (registration->wait_serial == serial) {
                events[registration->event_index].events |=
                    event.events & (registration->events | EPOLLERR | EPOLLHUP);
                continue;
            }
            if (proxy_is_spent(registration))
                continue;
            if (registration_state(registration) != TAIL_IDLE || others)
                reports = complete_event(registration, &event, others);
            if (reports)
                note_event(registration, serial, kept);
        }
        if (reports)
            events[kept++] = event;
    }
    return kept;
}

/* Adds the events of pending tails. Returns how many events there are then. */
static int add_pending(struct set *set, struct epoll_event *events, int count, int max,
                       unsigned serial)
{
    struct registration *each = registration_first(set, REGISTRATION_ACTIVE), *next;

    for (; each; each = next) {
        next = registration_next(each, REGISTRATION_ACTIVE);
        if (each->wait_serial == serial)
            continue;
        if (registration_state(each) == TAIL_UNSURE)
            proxy_settle(each);
        if (registration_state(each) != TAIL_PENDING)
            continue;
        if (!has_tail(each)) {
            proxy_end(each, false);
        } else if (count == max) {
            proxy_expose(each); /* the kernel reports it in its turn */
        } else {
            events[count++] = (struct epoll_event){each->events & PROXY_READABLE, each->data};
            proxy_reported(each);
        }
    }
    return count;
}

/* Whether it is pending without a tail, and that is not for long yet (epoll_linger.h). */
static bool goes_on_lingering(struct registration *registration)
{
    enum { WAITS = 16 };

    return !(registration->events & EPOLLONESHOT) && registration->cookie &&
           !proxy_look(registration->cookie, NULL) &&
           registration_set(registration)->lingered++ <= WAITS;
}

/* With one thread and one tail, in a set at which only our waits look, the answer needs no lock: a
 * signal handler's changes show in the registration's word. */
int epoll_wait_complete_one(const struct epoll_wait_call *wait, int count)
{
    struct set *set = set_of(wait->epfd);
    struct registration *tail = set && atomic_load(&set->watched) == 1 && proxy_only_waits_look(set)
                                    ? registration_first(set, REGISTRATION_ACTIVE)
                                    : NULL;
    struct epoll_event event;
    uint32_t word;
    int at = 0;

    if (!tail)
        return -1;
    word = registration_word(tail);
    event = (struct epoll_event){tail->events, tail->data};
    if (tail_state_of(word) != TAIL_PENDING || tail->proxy >= 0 || (event.events & EPOLLET) ||
        !registration_is_alone(tail))
        return -1;
    if (!has_tail(tail))
        return goes_on_lingering(tail) && registration_word(tail) == word ? count : -1;
    set->lingered = 0;
    while (at < count && wait->events[at].data.u64 != event.data.u64)
        at++;
    if (at == wait->max)
        return -1;
    if (event.events & EPOLLONESHOT
            ? !registration_try_state(tail, word, at < count ? TAIL_SPENT : TAIL_LOOSE)
            : registration_word(tail) != word)
        return -1;
    event.events &= PROXY_READABLE;
    if (at < count)
        event.events |= wait->events[at].events;
    wait->events[at] = event;
    return at < count ? count : count + 1;
}

static int complete_all(const struct epoll_wait_call *wait, int count)
{
    static unsigned serial; /* protected by the lock */
    struct critical_section section;
    struct set *set;
    int all = epoll_wait_complete_one(wait, count);

    if (all >= 0)
        return all;
    registry_enter(&section);
    set = set_of(wait->epfd);
    if (set) {
        serial++;
        /* If no message was ever held, nobody has a proxy in the set. */
        count = complete(set, wait->events, count, set->inherited && learn_from_family(), serial);
        count = add_pending(set, wait->events, count, wait->max, serial);
    }
    registry_leave(&section);
    return count;
}

bool epoll_wait_has_more(int epfd)
{
    struct set *set = set_of(epfd);

    if (sys_is_sandboxed())
        return false;
    return (set && atomic_load(&set->watched) > 0) || learn_from_family();
}

/* Looks for tails that other processes have left, in the set and in those that may be nested in
 * it. */
static void look_for_others(int epfd)
{
    struct critical_section section;

    if (learn_concerned())
        learn_start();
    if (!learn_following())
        return;
    registry_enter(&section);
    for (struct set *set = set_next(NULL); set; set = set_next(set))
        if (set->sockets > 0 && (set == set_of(epfd) || set->exposed))
            scan_set(set);
    registry_leave(&section);
}

/* In any set of this process: one more stands for the tails of others. */
static bool any_shown(void)
{
    return atomic_load_explicit(&registry_watched, memory_order_relaxed) > 1;
}

/* Whether another process may have left a one shot of the set muted. */
static bool may_be_left(int epfd)
{
    struct set *set = set_of(epfd);

    return scan_may_be_left(set) &&
           (set || (learn_concerned() && !learn_following() && !hints_is_own(epfd)));
}

/* The timeout of the program's own call. */
static int64_t sleep_limit(int epfd, int64_t timeout)
{
    struct set *set;

    if (learn_from_family() && (table_tails_here() || any_shown() || may_be_left(epfd)))
        look_for_others(epfd);
    set = set_of(epfd);
    return set && atomic_load(&set->pending_count) > 0 && !(set->lingered > 0 && linger_only(set))
               ? 0
               : timeout;
}

bool epoll_wait_is_simple(int epfd)
{
    const struct set *set = set_of(epfd);

    return set && atomic_load(&set->watched) == 1 && atomic_load(&set->pending_count) == 1 &&
           !learn_from_family() && proxy_only_waits_look(set);
}

bool epoll_wait_may_sleep(int epfd)
{
    return sleep_limit(epfd, -1) != 0;
}

/* Whether the kernel's events may need tails added, or proxies taken out. */
static bool concerns(int epfd)
{
    struct set *set;

    /* An event may come from a proxy that another process has put into an inherited set. */
    if (learn_from_family() && learn_concerned() && !hints_is_own(epfd))
        learn_start();
    set = set_of(epfd);
    return set && (atomic_load(&set->watched) > 0 || (set->inherited && learn_from_family()));
}

int epoll_wait_with_tails(const struct epoll_wait_call *wait, int count)
{
    /* The program's own call has been made, and how long it slept is not known: so its events are
     * reported even if another thread has received the message meanwhile. */
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
            timeout = timeout > 0 ? timeout : 0; /* one last look */
        }
        count = EPOLL_WAIT_NOT_CALLED;
    }
}
