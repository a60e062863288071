/* SPDX-License-Identifier: MIT
 *
 * What stands around each of our locks, and around what a handler must not find half made: signals
 * blocked and cancellation off, so that no handler waits for what its own thread has, and nobody
 * leaves a lock taken.
 *
 * One within another costs nothing, so whoever needs several locks one after the other saves system
 * calls with a guard around all of it.
 */
#ifndef WSRX_GUARD_H
#define WSRX_GUARD_H

#include <signal.h>

struct guard {
    sigset_t signals; /* as they were; of the outermost guard only */
    int cancel;
};

/* In pairs, the last one entered left first. Async-signal-safe. */
void guard_enter(struct guard *guard);
void guard_leave(const struct guard *guard);

#endif
