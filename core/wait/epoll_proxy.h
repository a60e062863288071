/* SPDX-License-Identifier: MIT
 *
 * How a held tail is shown in an epoll set, since the kernel does not know of it.
 *
 * There are two ways:
 *
 * By a proxy: a readable eventfd in the set, with the program's own data. The kernel then wakes
 * every kind of waiter, also by nested sets and raw system calls.
 *
 * Pending: the wait adds the event by itself, and does not sleep. This takes no descriptor and no
 * system call. It is enough if nobody can be asleep in the set, and only our waits look at it: the
 * process has one thread, whose last wait was in this set and is over. It is also the fallback if
 * no eventfd can be had.
 *
 *     state     proxy    it ends with
 *     idle      no       a tail (proxy_update): unsure, pending, or shown
 *     unsure    no       one shot: the next wait, or others may look (proxy_settle): idle if it had
 *                        been fired before, else pending; or the program arms it: pending
 *     pending   no (*)   its report (edge, one shot) or the tail's end: idle, spent or loose; or
 *                        others may look at the set (proxy_expose): shown
 *     shown     yes      likewise
 *     spent     no (**)  a call of epoll_ctl by the program: idle
 *     loose     no (**)  likewise; or others may look, or the tail's end (proxy_settle): spent
 *     (*) In an inherited set yes: the proxy wakes, and the wait looks for the tail.
 *     (**) One that has fired is kept as long as there is a tail, to be armed by one call.
 *
 * One-shot registrations: at most one of the proxy and the socket's own registration may fire, so
 * the latter is muted meanwhile. Whether it has fired already is read from fdinfo, and not tracked.
 * A report spends the shot. But the kernel reports EPOLLHUP and EPOLLERR even for a registration
 * without events, and whatever it likes for one that is still armed (loose); this is dropped until
 * the program changes the registration.
 *
 * Several processes: a set that was made before a fork is shared, with all that is in it. But only
 * the process that made a proxy can take it out, and the proxy ends with that process. So in such a
 * set:
 * - a proxy is edge-triggered: each time it is armed it wakes one waiter, even if its maker ends.
 *   It is armed again with each event that is reported;
 * - each wait looks for tails by itself before it sleeps;
 * - a flare wakes a waiter that sleeps already, even if the maker of the proxy ends at once. It is
 *   a one-shot registration of the socket itself, by a duplicate that is closed again, for what a
 *   socket nearly always is: writable. It lives as long as the socket.
 * - whoever closes the socket or the set leaves the registration armed, and the flare burning while
 *   there is a tail (proxy_leave). What a process that was killed has left muted, the next wait arms
 *   (epoll_scan.h).
 * Proxies are taken out before a fork. A raw clone(2) keeps them, and both processes know of them.
 *
 * Everything here is called with the registry's lock held; may change errno.
 */
#ifndef WSRX_WAIT_EPOLL_PROXY_H
#define WSRX_WAIT_EPOLL_PROXY_H

#include "wait/epoll_fdinfo.h"
#include "wait/epoll_registry.h"

/* The events by which a program waits for something to receive. */
enum { PROXY_READABLE = EPOLLIN | EPOLLRDNORM };

/* The set in which this thread waited last. PROXY_WAITS: it waits now, so what a signal handler
 * receives meanwhile must wake it. */
enum { PROXY_WAITS = -1, PROXY_NEVER_WAITED = -2 };
extern __thread int proxy_waited;

/* Whether a tail is held that the kernel does not know of, and how much of it is left. */
bool proxy_look(uint64_t cookie, size_t *ret_left);

/* Whether a one shot has been reported, and is the program's to arm again. */
static inline bool proxy_is_spent(const struct registration *registration)
{
    enum tail_state now = registration_state(registration);

    return now == TAIL_SPENT || now == TAIL_LOOSE;
}

/* Begins or ends to show a tail: `held` says whether there is one now. `requested`: the program has
 * just made or changed the registration, so what is ready is an edge, and a one shot is armed. */
void proxy_update(struct registration *registration, bool held, bool requested);

/* Shows the tail no longer. `closing`: because the program closes the socket or the set. */
void proxy_end(struct registration *registration, bool closing);

/* The program has ended the registration, or has changed it: back to idle. A proxy that has fired
 * remains in the second case, until proxy_update() arms or ends it. */
void proxy_reset(struct registration *registration, bool closing);
void proxy_renew(struct registration *registration);

/* A wait reports an event of the registration. */
void proxy_reported(struct registration *registration);

/* A pending tail gets a proxy after all: others may look, or the wait has no room for its event. */
void proxy_expose(struct registration *registration);
/* A pending registration without a tail becomes idle (epoll_linger.h). */
void proxy_end_lingering(struct registration *registration);
/* Whether nobody can be asleep in the set, and only our waits look at it: what is shown there need
 * not be known to the kernel. Needs no lock. */
bool proxy_only_waits_look(const struct set *set);
/* Others may look, or the registration is forgotten: what was put off is done. Unsure becomes idle
 * or pending, and loose becomes spent. */
void proxy_settle(struct registration *registration);
/* From now on others than its own waits may look at the set. */
void proxy_watch(struct set *set);

/* The program is about to close its socket or its set, which others may have as well. */
void proxy_leave(struct registration *registration);

/* How many registrations this process, or one before it, has muted in sets of several. */
extern atomic_uint proxy_muted;

/* In which registration the one shot is. */
enum proxy_shot {
    SHOT_ARMED,    /* in the socket's own registration */
    SHOT_MUTED,    /* in a proxy, ours or another process's */
    SHOT_FIRED,    /* reported by the kernel */
    SHOT_REPORTED, /* reported by a wait, for a tail */
    SHOT_UNKNOWN,  /* /proc cannot be read */
};
enum proxy_shot proxy_shot(const struct registration *registration);
/* Whether the proxy has fired. For several registrations with the same data. */
bool proxy_has_fired(const struct registration *registration);

/* Whether an entry of fdinfo is a muted registration, and then with which events the program made
 * it; and whether it may be a flare. */
bool proxy_is_muted(const struct fdinfo_entry *entry, uint32_t *ret_events);
bool proxy_may_be_flare(const struct fdinfo_entry *entry);

/* From now on the set belongs to several processes. */
void proxy_share(struct set *set);

void proxy_before_fork(void);
void proxy_after_fork(void);
/* In a child: closes its copies of proxies that its parent's other threads made during the fork. */
void proxy_close_copies(void);

#endif
