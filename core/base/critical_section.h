/* SPDX-License-Identifier: MIT
 *
 * What stands around each of our locks, and around what a handler must not find half made: signals
 * blocked and cancellation off, so that no handler waits for what its own thread has, and nobody
 * leaves a lock taken.
 *
 * One within another costs nothing, so whoever needs several locks one after the other saves system
 * calls with a critical section around all of it.
 *
 * Nothing that can block belongs in one. What has to be done all the same is postponed: it is done
 * when the thread has left its outermost section, with no lock held and signals as they were.
 */
#ifndef WSRX_BASE_CRITICAL_SECTION_H
#define WSRX_BASE_CRITICAL_SECTION_H

#include "base/sys.h"

#include <stdbool.h>

struct critical_section {
    sys_signals signals; /* as they were; of the outermost critical section only */
    int cancel;
};

/* In pairs, the last one entered left first. Async-signal-safe. */
void critical_section_enter(struct critical_section *section);
void critical_section_leave(const struct critical_section *section);

/* Has `action` called when this thread leaves its outermost critical section; there is one action a
 * thread, which may be asked for many times. It must leave errno alone. False: the thread is in no
 * section, so there is nothing to wait for. */
bool critical_section_postpone(void (*action)(void));

#endif
