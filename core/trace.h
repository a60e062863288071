/* SPDX-License-Identifier: MIT
 *
 * What becomes of a record: the trace (text, JSON Lines or ring), the statistics, or both.
 *
 * It owns the threads' places in them, and what fork does to these: a child has files of its own.
 * Off (the default), it is one atomic read that is predicted.
 */
#ifndef WSRX_TRACE_H
#define WSRX_TRACE_H

#include "record.h"
#include "settings.h"

#include <stdatomic.h>

extern atomic_bool trace_active;

/* Whether somebody wants records. */
static inline bool trace_on(void)
{
#ifdef WSRX_WITHOUT_TRACING /* for the benchmark, which tells what the question itself costs */
    return false;
#endif
    return __builtin_expect(atomic_load_explicit(&trace_active, memory_order_relaxed), 0);
}

/* Starts what the settings ask for. For start-up; needs the engine. */
void trace_start(const struct settings *settings);

/* Takes a record of which the receive has filled call, fd, cookie, caller, the sizes, flags, error,
 * data and, where it was told, the peer; the rest is added here. Async-signal-safe; may change
 * errno. */
void trace_add(struct record *record);

/* The record of a message that fitted its buffer, as nearly all do, taken by a call that returns to
 * `caller`: `length` bytes, in a buffer of `room`. `peer_length` 0: the call did not ask. Otherwise
 * as trace_add(). */
void trace_fitting(int fd, uint64_t cookie, enum record_call call, const void *caller,
                   const void *data, uint32_t length, size_t room, const struct sockaddr *peer,
                   socklen_t peer_length);

/* After fork, in the child. */
void trace_forked(void);

/* The program ends: statistics are printed, files cut to their size. Once a process. */
void trace_end(void);

#endif
