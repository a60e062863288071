/* SPDX-License-Identifier: MIT
 *
 * How a held tail is shown to those who wait in an epoll set: the kernel cannot know of it.
 *
 * A registration with a tail to report is active, and reported in one of two ways, or both:
 *
 * The proxy: a readable eventfd in the set, with the program's own data. The kernel itself then
 * wakes every kind of waiter, nested sets and raw system calls included.
 *
 * Pending: the wait itself adds the event, and does not sleep. That takes no descriptor and no
 * system call, and is enough where nobody can be asleep in the set and nobody looks at it but by
 * our waits: in a process of one thread, whose last wait was in this set, and is over. It is also
 * all that is left where no eventfd can be had.
 *
 *     state     active  pending  proxy   leaves it by
 *     idle      no      no       no      a tail (proxy_update): pending, or shown
 *     pending   yes     yes      no      its report (edge, one shot), the tail's end; others come to
 *                                        look (proxy_expose): shown
 *     shown     yes     no (*)   yes     its report (edge, one shot), the tail's end: idle
 *     spent     yes     no       no      the program asks anew: idle, and again from there
 *     (*) in an inherited set yes: the wait looks first
 *
 * One shot: at most one of the proxy and the socket's own registration may fire; so that one is
 * muted meanwhile. Whether it has fired already is asked of the kernel (fdinfo), not tracked. A
 * report spends the shot, but the kernel reports EPOLLHUP and EPOLLERR to a registration that asks
 * for nothing: what comes of it until the program asks anew is dropped (spent).
 *
 * Processes: a set that was there before a fork is shared, and so is everything in it; but a proxy
 * can be taken out only by the process that made it, and goes with it. In such a set it is
 * edge-triggered, so that it wakes one waiter for each time it is armed, whatever becomes of its
 * maker; it is armed again with each event that is reported; and each wait looks for itself whether
 * a tail is there, before it sleeps. A waiter that sleeps already must wake even where the maker
 * ends at once: for this there is the flare, a one-shot registration of the socket itself, by a
 * number that is closed again, for what a socket nearly always is: writable. It is as long-lived as
 * the socket. No proxy outlives a fork, but for a raw clone(2), where both processes know of it.
 *
 * Everything here is called with the registry's lock held; may change errno.
 */
#ifndef WSRX_WAIT_EPOLL_PROXY_H
#define WSRX_WAIT_EPOLL_PROXY_H

#include "wait/epoll_fdinfo.h"
#include "wait/epoll_registry.h"

/* What the program waits for where it waits for something to receive. */
enum { PROXY_READABLE = EPOLLIN | EPOLLRDNORM };

/* The number of the set in which this thread waited last. PROXY_WAITS: it waits now, and what a
 * signal handler receives meanwhile must wake it. */
enum { PROXY_WAITS = -1, PROXY_NEVER_WAITED = -2 };
extern __thread int proxy_waited;

/* Whether a tail is held that the kernel does not know of. */
bool proxy_is_held(uint64_t cookie);

/* Begins to report a tail, or ends it, by whether one is held now. `asked`: the program has just
 * asked for the registration's events; what is ready is an edge, and a shot is in it. */
void proxy_update(struct registration *registration, bool held, bool asked);

/* Ends the report. `closing`: because the program closes the socket or the set. */
void proxy_end(struct registration *registration, bool closing);

/* The program has asked anew, or the registration is gone: it is as at first. */
void proxy_reset(struct registration *registration, bool closing);

/* An event of the registration is reported: what it says for the next one. */
void proxy_reported(struct registration *registration);

/* A place for the event in the kernel, for a wait has none: an eventfd after all. */
void proxy_expose(struct registration *registration);
/* The set is looked at by others than its waits, from now on. */
void proxy_watch(struct set *set);

/* Looks for tails that other processes have left, before a wait. */
void proxy_scan(struct set *set);

/* One shot: where the one shot is. */
enum proxy_shot {
    SHOT_ARMED,    /* in the socket's own registration */
    SHOT_MUTED,    /* in a proxy, ours or another process's */
    SHOT_FIRED,    /* reported by the kernel */
    SHOT_REPORTED, /* reported by a wait, for a tail */
    SHOT_UNKNOWN,  /* there is no /proc */
};
enum proxy_shot proxy_shot(const struct registration *registration);
/* Whether the proxy has fired; for several registrations with one data. */
bool proxy_has_fired(const struct registration *registration);

/* Of an entry of fdinfo: whether it is a muted registration, and then what the program asked for;
 * and whether it may be a flare. */
bool proxy_is_muted(const struct fdinfo_entry *entry, uint32_t *ret_events);
bool proxy_may_be_flare(const struct fdinfo_entry *entry);

void proxy_before_fork(void);
void proxy_after_fork(void);
/* A child's copies of proxies that its parent made during the fork. */
void proxy_close_copies(void);

#endif
