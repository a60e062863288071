/* SPDX-License-Identifier: MIT
 *
 * The thread's bounce buffer: where a receive puts what may not fit the caller's buffer.
 *
 * One area a thread, mapped at its first need and unmapped when the thread ends. A receive in a
 * signal handler on top of another one gets an area of its own for its duration.
 */
#ifndef WSRX_RECEIVE_BOUNCE_BUFFER_H
#define WSRX_RECEIVE_BOUNCE_BUFFER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum {
    BOUNCE_IOVECS = 1024, /* UIO_MAXIOV: what one call can take */
    BOUNCE_PAGE = 4096,
    BOUNCE_KEPT = 128 << 10, /* touched beyond this, the rest goes back to the system */
};

struct bounce_buffer {
    char *data;        /* for the message, in the mapping: see bounce_align() */
    size_t size;       /* bytes of data */
    struct iovec *iov; /* BOUNCE_IOVECS of them, at the mapping's start */
    char *room;        /* behind them: a page more than the size */
    size_t mapped;     /* bytes in all */
};

/* The thread's own. Private to this module. */
struct bounce_own {
    volatile bool busy;
    struct bounce_buffer bounce;
};

extern __thread struct bounce_own bounce_own;

/* Prepares the release of areas with their threads. 0, or a negative errno. */
int bounce_start(void);

struct bounce_buffer *bounce_own_grow(size_t size);
struct bounce_buffer *bounce_nested(size_t size);
void bounce_unmap(struct bounce_buffer *bounce, size_t touched);

/* An area with at least `size` bytes of data, or NULL: no memory. To be given back with
 * bounce_release(). A thread cancelled or unwound in between leaves it to the thread's end.
 * Async-signal-safe; may change errno where an area is mapped. */
static inline struct bounce_buffer *bounce_acquire(size_t size)
{
    if (bounce_own.busy) /* a receive of this thread is under way beneath us */
        return bounce_nested(size);
    bounce_own.busy = true; /* before the area is looked at: a signal handler may change it */
    atomic_signal_fence(memory_order_seq_cst);
    return bounce_own.bounce.size >= size ? &bounce_own.bounce : bounce_own_grow(size);
}

/* The thread's own area, where it has one of the size at hand; else NULL. */
static inline struct bounce_buffer *bounce_acquire_own(size_t size)
{
    struct bounce_own *own = &bounce_own;

    if (own->busy || own->bounce.size < size)
        return NULL;
    own->busy = true;
    atomic_signal_fence(memory_order_seq_cst);
    return &own->bounce;
}

/* Puts the data at the same place in a page as the buffer that it is to be copied to: by that place
 * a processor tells whether a load has to wait for an earlier store, and a copy to the lines right
 * behind those that it reads is full of such waits. */
static inline void bounce_align(struct bounce_buffer *bounce, const void *buf)
{
    bounce->data = bounce->room + (((uintptr_t)buf - (uintptr_t)bounce->room) & (BOUNCE_PAGE - 1));
}

/* `touched`: at least how many bytes of data were used. */
static inline void bounce_release(struct bounce_buffer *bounce, size_t touched)
{
    atomic_signal_fence(memory_order_seq_cst);
    if (bounce != &bounce_own.bounce || touched > BOUNCE_KEPT)
        bounce_unmap(bounce, touched);
    else
        bounce_own.busy = false;
}

#endif
