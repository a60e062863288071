/* SPDX-License-Identifier: MIT
 *
 * What becomes of a record: the trace (text, JSON Lines or ring), the statistics, or both.
 *
 * This is the way of a record, and the life of the trace: start, fork (a child has files of its own),
 * sandbox, end. Off (the default), it is one atomic read that is predicted.
 */
#ifndef WSRX_TRACE_SESSION_H
#define WSRX_TRACE_SESSION_H

#include "base/compiler.h"
#include "settings.h"
#include "trace/record.h"

#include <stdatomic.h>

enum trace_level { TRACE_LEVEL_NONE, TRACE_LEVEL_COUNTS, TRACE_LEVEL_RECORDS };
extern _Atomic unsigned char trace_level; /* enum trace_level */

/* Whether somebody wants records, or counts. */
static inline bool trace_on(void)
{
#ifdef WSRX_WITHOUT_TRACING /* for the benchmark, which tells what the question itself costs */
    return false;
#endif
    return !LIKELY(atomic_load_explicit(&trace_level, memory_order_relaxed) == TRACE_LEVEL_NONE);
}

/* Starts what the settings ask for. For start-up; needs the state. */
void trace_start(const struct settings *settings);

/* Takes a record of which the receive has filled call, fd, cookie, caller, the sizes, flags, error,
 * data and, where it is known, the peer; the rest is added here. Async-signal-safe; errno is
 * untouched. */
void trace_add(struct record *record);

/* Whether counts are all that is wanted. */
static inline bool trace_counts(void)
{
    return atomic_load_explicit(&trace_level, memory_order_relaxed) == TRACE_LEVEL_COUNTS;
}

/* Counts a message that fitted its buffer of `room` bytes, as nearly all do, where counts are all
 * that is wanted. False: trace_fitting() has to do it. */
bool trace_counted(int fd, uint64_t cookie, enum record_call call, size_t room, uint32_t length);

/* The record of such a message, taken by a call that returns to `caller`. `peer_length` 0: the call
 * did not ask. Otherwise as trace_add(). */
void trace_fitting(int fd, uint64_t cookie, enum record_call call, size_t room, uint32_t length,
                   const void *data, const void *caller, const struct sockaddr *peer,
                   socklen_t peer_length);

/* The socket is about to be closed, or the program to end: if this process has received something, a
 * record of the messages that the kernel has dropped for want of room in the queue, if there are
 * any. */
void trace_dropped(int fd, uint64_t cookie, enum record_call call);

/* After fork, in the child. */
void trace_forked(void);

/* The program is about to install a filter of system calls, or to be confined: makes ready what
 * records and statistics need afterwards, when no call of ours is made any more. Records go on in
 * what is there then; others are counted. */
void trace_prepare_sandbox(void);
/* The same for a socket from which may be received there. */
void trace_prepare_sandbox_socket(int fd, uint64_t cookie);

/* The program ends: statistics are printed, files cut to their size. Once a process. */
void trace_end(void);

#endif
