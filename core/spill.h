/* SPDX-License-Identifier: MIT
 *
 * The thread's spill area: where a receive puts what may not fit the caller's buffer.
 *
 * One area a thread, mapped at its first need and unmapped when the thread ends. A receive in a
 * signal handler on top of another one gets an area of its own for its duration.
 */
#ifndef WSRX_SPILL_H
#define WSRX_SPILL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

enum { SPILL_IOVECS = 1024 }; /* UIO_MAXIOV: what one call can take */

struct spill {
    size_t mapped; /* bytes, this head included */
    size_t size;   /* of data */
    struct iovec iov[SPILL_IOVECS];
    char data[];
};

/* The thread's own area. Private to this module. */
struct spill_own {
    struct spill *volatile area;
    volatile bool busy;
};

extern __thread struct spill_own spill_own;

/* Prepares the release of areas with their threads. 0, or a negative errno. */
int spill_start(void);

struct spill *spill_own_grow(size_t size);
struct spill *spill_map(size_t size);
void spill_unmap(struct spill *spill, size_t touched);

enum { SPILL_KEPT = 128 << 10 }; /* touched beyond this, the rest goes back to the system */

/* An area with at least `size` bytes of data, or NULL: no memory. To be given back with
 * spill_release(). A thread cancelled or unwound in between leaves it to the thread's end.
 * Async-signal-safe; may change errno. */
static inline struct spill *spill_acquire(size_t size)
{
    struct spill *own;

    if (spill_own.busy) /* a receive of this thread is under way beneath us */
        return spill_map(size);
    spill_own.busy = true; /* before the area is looked at: a signal handler may change it */
    own = spill_own.area;
    return own && own->size >= size ? own : spill_own_grow(size);
}

/* `touched`: at least how many bytes of data were used. */
static inline void spill_release(struct spill *spill, size_t touched)
{
    if (spill != spill_own.area || touched > SPILL_KEPT)
        spill_unmap(spill, touched);
    else
        spill_own.busy = false;
}

#endif
