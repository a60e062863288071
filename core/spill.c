/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "spill.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

__thread struct spill_own spill_own;

static pthread_key_t at_thread_end;

static void unmap(void *area)
{
    struct spill *spill = area;

    if (spill_own.area == spill)
        spill_own.area = NULL;
    munmap(spill, spill->mapped);
}

int spill_start(void)
{
    return -pthread_key_create(&at_thread_end, unmap);
}

struct spill *spill_map(size_t size)
{
    size_t mapped = sizeof(struct spill) + size;
    struct spill *spill = mmap(NULL, mapped, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (spill == MAP_FAILED)
        return NULL;
    spill->mapped = mapped;
    spill->size = size;
    return spill;
}

/* A larger area for the thread, which has just been marked busy. */
struct spill *spill_own_grow(size_t size)
{
    struct spill *smaller = spill_own.area, *spill = spill_map(size);

    if (!spill) {
        spill_own.busy = false;
        return NULL;
    }
    spill_own.area = spill;
    if (smaller)
        munmap(smaller, smaller->mapped);
    /* For our early keys glibc has the place in the thread already, and allocates nothing. */
    pthread_setspecific(at_thread_end, spill);
    return spill;
}

void spill_unmap(struct spill *spill, size_t touched)
{
    if (spill != spill_own.area) {
        munmap(spill, spill->mapped);
        return;
    }
    if (touched > SPILL_KEPT) {
        char *from = (char *)(((size_t)spill->data + SPILL_KEPT) & ~(size_t)4095);

        madvise(from, (size_t)((char *)spill + spill->mapped - from), MADV_DONTNEED);
    }
    spill_own.busy = false;
}
