/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "spill.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

__thread struct spill_own spill_own;

static pthread_key_t at_thread_end;

static void unmap_own(void *mapping)
{
    struct spill *own = &spill_own.spill;

    if (own->iov == mapping) {
        size_t mapped = own->mapped;

        *own = (struct spill){.size = 0};
        munmap(mapping, mapped);
    }
}

int spill_start(void)
{
    return -pthread_key_create(&at_thread_end, unmap_own);
}

static bool map(struct spill *spill, size_t size)
{
    size_t lists = SPILL_IOVECS * sizeof(struct iovec), mapped = lists + SPILL_PAGE + size;
    char *at = mmap(NULL, mapped, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED)
        return false;
    *spill = (struct spill){.data = at + lists, .size = size, .iov = (struct iovec *)(void *)at,
                            .room = at + lists, .mapped = mapped};
    return true;
}

/* An area that describes itself, behind its data. */
struct spill *spill_nested(size_t size)
{
    struct spill spill, *nested;

    size = (size + sizeof spill - 1) / sizeof spill * sizeof spill;
    if (!map(&spill, size + sizeof spill))
        return NULL;
    nested = (struct spill *)(void *)(spill.room + SPILL_PAGE + size);
    *nested = spill;
    nested->size = size;
    return nested;
}

/* A larger area for the thread, which has just been marked busy. */
struct spill *spill_own_grow(size_t size)
{
    struct spill larger, *own = &spill_own.spill;

    if (!map(&larger, size)) {
        spill_own.busy = false;
        return NULL;
    }
    if (own->size > 0)
        munmap(own->iov, own->mapped);
    *own = larger;
    /* For our early keys glibc has the place in the thread already, and allocates nothing. */
    pthread_setspecific(at_thread_end, own->iov);
    return own;
}

void spill_unmap(struct spill *spill, size_t touched)
{
    if (spill != &spill_own.spill) {
        munmap(spill->iov, spill->mapped);
        return;
    }
    if (touched > SPILL_KEPT) {
        uintptr_t from = ((uintptr_t)spill->data + SPILL_KEPT) & ~(uintptr_t)(SPILL_PAGE - 1);
        uintptr_t end = (uintptr_t)spill->iov + spill->mapped;

        madvise((void *)from, end - from, MADV_DONTNEED);
    }
    spill_own.busy = false;
}
