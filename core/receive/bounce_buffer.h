/* SPDX-License-Identifier: MIT
 *
 * The thread's bounce buffers: a receive puts a message there that may not fit the caller's buffer.
 *
 * Each thread has one area, mapped when it is first needed and unmapped when the thread ends. A
 * receive in a signal handler that interrupts another receive gets a second area, and so on; they
 * are kept too.
 * A receive that is left by siglongjmp(3) gives nothing back. Its area stays in use until another
 * call has the same place on the stack: then the first one must be gone. Until then the thread uses
 * its second area.
 */
#ifndef WSRX_RECEIVE_BOUNCE_BUFFER_H
#define WSRX_RECEIVE_BOUNCE_BUFFER_H

#include "base/arch/syscall.h"
#include "base/compiler.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum {
    BOUNCE_IOVECS = 1024, /* UIO_MAXIOV: what one call can take */
    BOUNCE_PAGE = 4096,
    BOUNCE_KEPT = 1 << 20,   /* what was touched beyond this is given back to the system */
    BOUNCE_AREAS = 4,        /* of a thread that stand in its own data; there may be more */
    BOUNCE_SMALL = 16 << 10, /* a longer message costs less by recvmsg(2) than by a copy */
    BOUNCE_LARGE = 64,       /* descriptors of which it is known; many share one */
    /* One of 64,000 bytes costs as much more by a copy as four small ones by recvmsg(2), a longer one
     * accordingly. So it counts as so many; above this the next one is taken to be large, too. */
    BOUNCE_DOUBT = 4,
    BOUNCE_SURE = 12,
};

struct bounce_buffer {
    char *data;        /* for the message, in the mapping: see bounce_align() */
    size_t size;       /* bytes of data */
    struct iovec *iov; /* BOUNCE_IOVECS of them, at the mapping's start */
    char *room;        /* behind them: a page more than the size */
    size_t mapped;     /* bytes in all */
    /* NULL: free. Else a place in the frame of the call that uses it: BOUNCE_CALL, or BOUNCE_STACK. */
    const void *volatile owner;
    struct bounce_buffer *more; /* the next one of those beyond BOUNCE_AREAS */
};

/* The thread's own. Private to this module. */
struct bounce_own {
    size_t next; /* bytes from the first area to the one that is probably free */
    struct bounce_buffer area[BOUNCE_AREAS];
    struct bounce_buffer *more;
    /* By descriptor: of the last messages, what the larger ones outweigh the smaller ones by. */
    unsigned char large[BOUNCE_LARGE];
};

extern __thread struct bounce_own bounce_own;

/* A place in the frame of the calling function: where it ends, with the return address, or where the
 * stack stands. No two calls that have not returned can have it in common. */
#define BOUNCE_CALL  ((const void *)__builtin_dwarf_cfa())
#define BOUNCE_STACK (sys_stack_pointer())

/* Prepares the release of buffers when their threads end. 0, or a negative errno. */
int bounce_start(void);

/* Whether a call is gone that has not ended, as far as one knows: where it would end (BOUNCE_CALL)
 * there is now a piece of the stack between `owner`, at which a call ends that is under way, and
 * ourselves. */
bool bounce_call_is_gone(const void *call, const void *owner);

/* Internal: bounce_acquire() where the first area at hand will not do. */
struct bounce_buffer *bounce_acquire_another(size_t size, const void *owner);

/* Internal: gives back what a burst has touched. */
void bounce_shrink(struct bounce_buffer *bounce);

/* The thread's own buffer, if it has one of this size and it is free; else NULL. */
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

/* An area with at least `size` bytes of data, or NULL: no memory. To be given back with
 * bounce_release() before the function returns whose BOUNCE_CALL is `owner`. If the thread is
 * cancelled or unwound in between, it keeps the area until it ends.
 * Async-signal-safe; may change errno if an area is mapped. */
static inline struct bounce_buffer *bounce_acquire(size_t size, const void *owner)
{
    /* Only the first one is taken at once: of the others the lowest that is free will do. */
    struct bounce_buffer *area = bounce_own.next == 0 ? bounce_acquire_own(size, owner) : NULL;

    return LIKELY(area) ? area : bounce_acquire_another(size, owner);
}

/* Whether the next message on `fd` is probably a large one, by the last ones: then it is received
 * straight into the caller's buffer, with the bounce buffer behind it, of which nothing is touched
 * if the message fits. */
static inline bool bounce_expects_large(int fd, size_t room)
{
    return room > BOUNCE_SMALL && bounce_own.large[(unsigned)fd % BOUNCE_LARGE] > BOUNCE_DOUBT;
}

/* The same the other way round, for a receive that does not look back: it counts as a small one. */
static inline bool bounce_takes_small(int fd, size_t room)
{
    unsigned char *large = &bounce_own.large[(unsigned)fd % BOUNCE_LARGE];

    if (LIKELY(room <= BOUNCE_SMALL) || LIKELY(*large == 0))
        return true;
    return *large <= BOUNCE_DOUBT ? (--*large, true) : false;
}

static inline void bounce_note_length(int fd, size_t length)
{
    unsigned char *large = &bounce_own.large[(unsigned)fd % BOUNCE_LARGE];

    if (length > BOUNCE_SMALL) {
        size_t weight = length / BOUNCE_SMALL + 1,
               most = weight > BOUNCE_SURE ? weight : BOUNCE_SURE;

        weight += *large;
        most = most < UCHAR_MAX ? most : UCHAR_MAX;
        *large = (unsigned char)(weight < most ? weight : most);
    } else if (*large > 0) {
        --*large;
    }
}

/* Puts the data at the same offset in its page as the buffer that it will be copied to. By that
 * offset a processor decides whether a load must wait for an earlier store, and a copy whose source
 * lies just behind its target in the page is full of such waits. */
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
