/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "spill.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>

enum { KEPT = 128 << 10 }; /* touched beyond this, the rest goes back to the system */

static __thread struct {
    struct spill *area;
    volatile bool busy;
} own;

static pthread_key_t at_thread_end;

static void unmap(void *area)
{
    struct spill *spill = area;

    if (own.area == spill)
        own.area = NULL;
    munmap(spill, spill->mapped);
}

int spill_start(void)
{
    return -pthread_key_create(&at_thread_end, unmap);
}

static struct spill *map(size_t size)
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

struct spill *spill_acquire(size_t size)
{
    struct spill *spill, *smaller;

    if (own.busy)
        return map(size);
    own.busy = true;
    if (own.area && own.area->size >= size)
        return own.area;

    spill = map(size);
    if (!spill) {
        own.busy = false;
        return NULL;
    }
    smaller = own.area;
    own.area = spill;
    if (smaller)
        munmap(smaller, smaller->mapped);
    /* For our early keys glibc has the place in the thread already, and allocates nothing. */
    pthread_setspecific(at_thread_end, spill);
    return spill;
}

void spill_release(struct spill *spill, size_t touched)
{
    if (spill != own.area) {
        munmap(spill, spill->mapped);
        return;
    }
    if (touched > KEPT) {
        char *from = (char *)(((size_t)spill->data + KEPT) & ~(size_t)4095);

        madvise(from, (size_t)((char *)spill + spill->mapped - from), MADV_DONTNEED);
    }
    own.busy = false;
}
