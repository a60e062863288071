/* SPDX-License-Identifier: MIT
 *
 * How a held tail is told to those who wait in an epoll set, which the kernel cannot know of.
 *
 * A registration with a tail to tell is active, and told of in one of two ways, or both:
 *
 * The stand-in: a readable eventfd in the set, with the program's own data. The kernel itself then
 * wakes every kind of waiter, nested sets and raw system calls included.
 *
 * Due: the wait itself adds the event, and does not sleep. That takes no descriptor and no system
 * call, and is enough where nobody can be asleep in the set and nobody looks at it but by our
 * waits: in a process of one thread, whose last wait was in this set, and is over. It is also all
 * that is left where no eventfd can be had.
 *
 * One shot: at most one of the stand-in and the socket's own registration may fire; so that one is
 * silenced meanwhile. Whether it has fired already is asked of the kernel (fdinfo), not tracked.
 *
 * Processes: a set that was there before a fork is shared, and so is everything in it; but a
 * stand-in can be taken out only by the process that made it, and goes with it. In such a set it
 * is edge-triggered, so that it wakes one waiter for each time it is armed, whatever becomes of
 * its maker; it is armed again with each event that is told; and each wait looks for itself
 * whether a tail is there (due), before it sleeps and once in a while (epoll_wait_with_tails.c). No
 * stand-in outlives a fork, but for a raw clone(2), where both processes know of it.
 *
 * Everything here is called with the lock of the registrations held; may change errno.
 */
#ifndef WSRX_WAIT_EPOLL_PROXY_H
#define WSRX_WAIT_EPOLL_PROXY_H

#include "wait/epoll_registry.h"

/* What the program waits for where it waits for something to receive. */
enum { PROXY_READABLE = EPOLLIN | EPOLLRDNORM };

/* The number of the set in which this thread waited last. PROXY_WAITS: it waits now, and what a
 * signal handler receives meanwhile must wake it. */
enum { PROXY_WAITS = -1, PROXY_NEVER_WAITED = -2 };
extern __thread int proxy_waited;

/* Whether a tail is held that the kernel does not know of. */
bool proxy_is_held(uint64_t cookie);

/* Begins to tell of a tail, or ends it, by whether one is held now. `asked`: the program has just
 * asked for the registration's events; what is ready is an edge, and a shot is in it. */
void proxy_update(struct registration *registration, bool held, bool asked);

/* Ends the telling. `closing`: because the program closes the socket or the set. */
void proxy_end(struct registration *registration, bool closing);

/* An event of the registration is told: what it says for the next one. */
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
    SHOT_MUTED,    /* in a stand-in, ours or another process's */
    SHOT_FIRED,    /* told by the kernel */
    SHOT_REPORTED, /* told by a wait, for a tail */
    SHOT_UNKNOWN,  /* there is no /proc */
};
enum proxy_shot proxy_shot(const struct registration *registration);
/* Whether the stand-in has fired; for several registrations with one data. */
bool proxy_has_fired(const struct registration *registration);

void proxy_before_fork(void);
void proxy_after_fork(void);

#endif
