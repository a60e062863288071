/* SPDX-License-Identifier: MIT
 *
 * What stands around each of our locks, and around what a handler must not find half made: signals
 * blocked and cancellation off, so that no handler waits for what its own thread has, and nobody
 * leaves a lock taken.
 *
 * One within another costs nothing, so whoever needs several locks one after the other saves system
 * calls with a critical section around all of it.
 */
#ifndef WSRX_BASE_CRITICAL_SECTION_H
#define WSRX_BASE_CRITICAL_SECTION_H

#include <signal.h>

struct critical_section {
    sigset_t signals; /* as they were; of the outermost critical section only */
    int cancel;
};

/* In pairs, the last one entered left first. Async-signal-safe. */
void critical_section_enter(struct critical_section *section);
void critical_section_leave(const struct critical_section *section);

#endif
