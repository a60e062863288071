/* SPDX-License-Identifier: MIT
 *
 * A registration that lingers: its tail has ended, and it stays pending.
 *
 * A level-triggered registration that is pending has no more to it than that the wait looks into the
 * table. So where the process has one thread and nobody but our waits looks at the set, it stays
 * pending when the last part is taken, and the next tail finds it so: neither has anything to
 * enter, and no moment lies between a change of the table and one of the registry, in which signals
 * would have to be blocked. After a few waits without a tail it becomes idle.
 *
 * A handler that comes before a tail is published may change what that depends on. All such changes
 * are made with the registry's lock. So who is about to publish announces it, then looks whether the
 * registration is pending, and then claims the slot; and whoever takes the lock meanwhile withdraws
 * the announcement, and revokes the claim (table/vacant.h). An announcement that a handler's jump
 * has left does no more than that once.
 *
 * What ends it elsewhere: proxy_end_lingering(). The announcement: epoll_announce.h.
 */
#ifndef WSRX_WAIT_EPOLL_LINGER_H
#define WSRX_WAIT_EPOLL_LINGER_H

#include "wait/epoll_registry.h"

/* Whether the tails of the socket can come and end without being entered. Needs no lock. */
bool linger_may(uint64_t cookie);

/* The last part was taken. Whether that need not be entered. */
bool linger_tail_ended(uint64_t cookie);

/* A tail is about to be published. False: it has to be entered. */
bool linger_begin(uint64_t cookie);
/* With the slot claimed: whether nothing has changed since. */
bool linger_goes_on(uint64_t cookie);
/* Published, or not. Whether it need not be entered after all: a handler may have made a thread. */
bool linger_end(uint64_t cookie);

/* Whether all that is pending in the set has no tail, so that a wait may sleep: what a handler
 * receives from now on gets a proxy. Needs no lock. */
bool linger_only(const struct set *set);

#endif
