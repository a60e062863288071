/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "receive/bounce_buffer.h"

#include "base/sys.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

__thread struct bounce_own bounce_own;

static pthread_key_t at_thread_end;

static void unmap_own(void *mapping)
{
    struct bounce_buffer *own = &bounce_own.bounce;

    if (own->iov == mapping) {
        size_t mapped = own->mapped;

        *own = (struct bounce_buffer){.size = 0};
        sys_unmap(mapping, mapped);
    }
}

int bounce_start(void)
{
    return -pthread_key_create(&at_thread_end, unmap_own);
}

static bool map(struct bounce_buffer *bounce, size_t size)
{
    size_t lists = BOUNCE_IOVECS * sizeof(struct iovec), mapped = lists + BOUNCE_PAGE + size;
    char *at = sys_map_private(mapped);

    if (!at)
        return false;
    *bounce = (struct bounce_buffer){.data = at + lists,
                                     .size = size,
                                     .iov = (struct iovec *)(void *)at,
                                     .room = at + lists,
                                     .mapped = mapped};
    return true;
}

/* An area that describes itself, behind its data. */
struct bounce_buffer *bounce_nested(size_t size)
{
    struct bounce_buffer bounce, *nested;

    size = (size + sizeof bounce - 1) / sizeof bounce * sizeof bounce;
    if (!map(&bounce, size + sizeof bounce))
        return NULL;
    nested = (struct bounce_buffer *)(void *)(bounce.room + BOUNCE_PAGE + size);
    *nested = bounce;
    nested->size = size;
    return nested;
}

/* A larger area for the thread, which has just been marked busy. */
struct bounce_buffer *bounce_own_grow(size_t size)
{
    struct bounce_buffer larger, *own = &bounce_own.bounce;

    if (!map(&larger, size)) {
        bounce_own.busy = false;
        return NULL;
    }
    if (own->size > 0)
        sys_unmap(own->iov, own->mapped);
    *own = larger;
    /* For our early keys glibc has the place in the thread already, and allocates nothing. */
    pthread_setspecific(at_thread_end, own->iov);
    return own;
}

void bounce_unmap(struct bounce_buffer *bounce, size_t touched)
{
    if (bounce != &bounce_own.bounce) {
        sys_unmap(bounce->iov, bounce->mapped);
        return;
    }
    if (touched > BOUNCE_KEPT) {
        uintptr_t from = ((uintptr_t)bounce->data + BOUNCE_KEPT) & ~(uintptr_t)(BOUNCE_PAGE - 1);
        uintptr_t end = (uintptr_t)bounce->iov + bounce->mapped;

        sys_madvise((void *)from, end - from, MADV_DONTNEED);
    }
    bounce_own.busy = false;
}
