/* SPDX-License-Identifier: MIT
 *
 * The thread's bounce buffers: where a receive puts what may not fit the caller's buffer.
 *
 * One area a thread, mapped at its first need and unmapped when the thread ends. A receive in a
 * signal handler on top of another one gets a second area, and so on; they are kept likewise.
 * A receive that is left by siglongjmp(3) gives nothing back. Its area stays in use until a call
 * is found to stand where that one stood on the stack, for which it must be gone; meanwhile the
 * thread goes on with the second area.
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
    BOUNCE_AREAS = 4,        /* of a thread that stand in its own data; there may be more */
};

struct bounce_buffer {
    char *data;        /* for the message, in the mapping: see bounce_align() */
    size_t size;       /* bytes of data */
    struct iovec *iov; /* BOUNCE_IOVECS of them, at the mapping's start */
    char *room;        /* behind them: a page more than the size */
    size_t mapped;     /* bytes in all */
    /* NULL: free. Else where the call on the stack ends that uses it: BOUNCE_CALL. */
    const void *volatile owner;
    struct bounce_buffer *more; /* the next one of those beyond BOUNCE_AREAS */
};

/* The thread's own. Private to this module. */
struct bounce_own {
    size_t next; /* bytes from the first area to the one that is probably free */
    struct bounce_buffer area[BOUNCE_AREAS];
    struct bounce_buffer *more;
};

extern __thread struct bounce_own bounce_own;

/* Where the frame of the calling function ends, with its return address. Two calls that have not
 * returned cannot end at the same place. */
#define BOUNCE_CALL ((const void *)__builtin_dwarf_cfa())

/* Prepares the release of areas with their threads. 0, or a negative errno. */
int bounce_start(void);

/* An area with at least `size` bytes of data, or NULL: no memory. To be given back with
 * bounce_release() before the function returns whose BOUNCE_CALL is `owner`. A thread cancelled or
 * unwound in between leaves it to the thread's end.
 * Async-signal-safe; may change errno where an area is mapped. */
struct bounce_buffer *bounce_acquire(size_t size, const void *owner);

/* Internal: gives back what a burst has touched. */
void bounce_shrink(struct bounce_buffer *bounce);

/* The thread's own area, where it has one of the size at hand; else NULL. */
static inline struct bounce_buffer *bounce_acquire_own(size_t size, const void *owner)
{
    struct bounce_buffer *area =
        (struct bounce_buffer *)(void *)((char *)bounce_own.area + bounce_own.next);

    if (area->owner || area->size < size)
        return NULL;
    area->owner = owner;
    atomic_signal_fence(memory_order_seq_cst);
    return area;
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
    if (touched > BOUNCE_KEPT)
        bounce_shrink(bounce);
    bounce->owner = NULL;
}

#endif
