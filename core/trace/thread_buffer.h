/* SPDX-License-Identifier: MIT
 *
 * A thread's buffer: everything that a thread writes to without asking others, when it makes a
 * record.
 *
 * A thread that ends leaves its buffer to the next one; so does a signal handler that has
 * interrupted its thread in the midst of a record. This file owns the buffers of the process, and
 * knows for which process they are: a child begins with none.
 */
#ifndef WSRX_TRACE_THREAD_BUFFER_H
#define WSRX_TRACE_THREAD_BUFFER_H

#include "base/clock.h"
#include "base/compiler.h"
#include "trace/format.h"
#include "trace/output_file.h"
#include "trace/ring.h"
#include "trace/socket_names.h"
#include "trace/stats.h"

#include <stdatomic.h>
#include <stdbool.h>

enum { THREAD_BUFFER_ROWS = 4 };

struct thread_buffer {
    struct thread_buffer *next; /* of all buffers of the process; written once */
    atomic_bool taken;
    atomic_bool writing; /* the thread is in the midst of a record */
    uint32_t tid;
    struct stats_row *row[THREAD_BUFFER_ROWS]; /* where a descriptor was counted last */
    struct clock clock __attribute__((aligned(64)));
    struct ring_writer ring;
    struct output_file_window window;
    struct socket_names_cache names;
    struct stats_table stats;
    struct format_cache lines;
    char line[]; /* of the longest line */
};

/* --- the process ------------------------------------------------------------------------- */

/* What `thread_buffers_alive` says. */
enum {
    THREAD_BUFFERS_NEW = 0,    /* a child that has not begun its own trace yet */
    THREAD_BUFFERS_BEGINS = 1, /* a thread is at it */
    THREAD_BUFFERS_FIRST = 2,  /* from here on: the number of a process */
};
#define THREAD_BUFFERS_ENDED (~0u) /* no more records */

/* The kernel wipes this page in a child, by whatever call it was made. */
extern atomic_uint *thread_buffers_alive;

/* For start-up, and before all else here. `begin` is called by thread_buffer_acquire() in a process
 * that is new, by one thread and with signals blocked. `longest_line` in bytes. 0, or a negative
 * errno. */
int thread_buffers_start(size_t longest_line, void (*begin)(void));

/* Begins the process, if it is new: by begin(). */
void thread_buffers_begin(void);

/* All buffers of the process, by `next`. */
struct thread_buffer *thread_buffers_first(void);

/* Makes the buffers that threads may need in a sandbox. */
void thread_buffers_prepare_sandbox(void);

/* From now on nobody writes a record. False: a thread is still at it (it has been stopped, or has
 * left by siglongjmp()). */
bool thread_buffers_end(void);

/* --- a thread ---------------------------------------------------------------------------- */

/* Of this thread; `process`: the one for which it was taken. */
struct thread_buffer_own {
    struct thread_buffer *buffer;
    unsigned process;
};
extern __thread struct thread_buffer_own thread_buffer_own;

SLOW_PATH struct thread_buffer *thread_buffer_acquire_slow(void);
SLOW_PATH void thread_buffer_leave(struct thread_buffer *buffer);

/* The thread's buffer, now its own alone, or NULL: it has none that is free, or the program has
 * ended. Who ends it makes the two steps below appear in their order (membarrier(2)), at no cost
 * here. */
static inline struct thread_buffer *thread_buffer_acquire_own(void)
{
    struct thread_buffer *buffer = thread_buffer_own.buffer;

    if (!LIKELY(buffer && !atomic_load_explicit(&buffer->writing, memory_order_relaxed)))
        return NULL;
    atomic_store_explicit(&buffer->writing, true, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    if (LIKELY(atomic_load_explicit(thread_buffers_alive, memory_order_acquire) ==
               thread_buffer_own.process))
        return buffer;
    atomic_store_explicit(&buffer->writing, false, memory_order_relaxed);
    return NULL;
}

/* That, or another buffer; NULL: no memory, or the program has ended. */
static inline struct thread_buffer *thread_buffer_acquire(void)
{
    struct thread_buffer *buffer = thread_buffer_acquire_own();

    return LIKELY(buffer) ? buffer : thread_buffer_acquire_slow();
}

static inline void thread_buffer_release(struct thread_buffer *buffer)
{
    atomic_store_explicit(&buffer->writing, false, memory_order_release);
    if (!LIKELY(buffer == thread_buffer_own.buffer))
        thread_buffer_leave(buffer);
}

#endif
