/* SPDX-License-Identifier: MIT
 *
 * The thread's spill area: where a receive puts what may not fit the caller's buffer.
 *
 * One area a thread, mapped at its first need and unmapped when the thread ends. A receive in a
 * signal handler on top of another one gets an area of its own for its duration.
 */
#ifndef WSRX_SPILL_H
#define WSRX_SPILL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum {
    SPILL_IOVECS = 1024,     /* UIO_MAXIOV: what one call can take */
    SPILL_PAGE = 4096,
    SPILL_KEPT = 128 << 10,  /* touched beyond this, the rest goes back to the system */
};

struct spill {
    char *data;        /* for the message, in the mapping: see spill_face() */
    size_t size;       /* bytes of data */
    struct iovec *iov; /* SPILL_IOVECS of them, at the mapping's start */
    char *room;        /* behind them: a page more than the size */
    size_t mapped;     /* bytes in all */
};

/* The thread's own. Private to this module. */
struct spill_own {
    volatile bool busy;
    struct spill spill;
};

extern __thread struct spill_own spill_own;

/* Prepares the release of areas with their threads. 0, or a negative errno. */
int spill_start(void);

struct spill *spill_own_grow(size_t size);
struct spill *spill_nested(size_t size);
void spill_unmap(struct spill *spill, size_t touched);

/* An area with at least `size` bytes of data, or NULL: no memory. To be given back with
 * spill_release(). A thread cancelled or unwound in between leaves it to the thread's end.
 * Async-signal-safe; may change errno where an area is mapped. */
static inline struct spill *spill_acquire(size_t size)
{
    if (spill_own.busy) /* a receive of this thread is under way beneath us */
        return spill_nested(size);
    spill_own.busy = true; /* before the area is looked at: a signal handler may change it */
    atomic_signal_fence(memory_order_seq_cst);
    return spill_own.spill.size >= size ? &spill_own.spill : spill_own_grow(size);
}

/* The thread's own area, where it has one of the size at hand; else NULL. */
static inline struct spill *spill_acquire_own(size_t size)
{
    struct spill_own *own = &spill_own;

    if (own->busy || own->spill.size < size)
        return NULL;
    own->busy = true;
    atomic_signal_fence(memory_order_seq_cst);
    return &own->spill;
}

/* Puts the data at the same place in a page as the buffer that it is to be copied to: by that place
 * a processor tells whether a load has to wait for an earlier store, and a copy to the lines right
 * behind those that it reads is full of such waits. */
static inline void spill_face(struct spill *spill, const void *buf)
{
    spill->data = spill->room + (((uintptr_t)buf - (uintptr_t)spill->room) & (SPILL_PAGE - 1));
}

/* `touched`: at least how many bytes of data were used. */
static inline void spill_release(struct spill *spill, size_t touched)
{
    atomic_signal_fence(memory_order_seq_cst);
    if (spill != &spill_own.spill || touched > SPILL_KEPT)
        spill_unmap(spill, touched);
    else
        spill_own.busy = false;
}

#endif
