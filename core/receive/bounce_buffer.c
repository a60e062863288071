/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "receive/bounce_buffer.h"

#include "base/sys.h"
#include "table/current.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

__thread struct bounce_own bounce_own;

FAST_PATH_DATA static pthread_key_t at_thread_end;

static void unmap_own(void *unused)
{
    struct bounce_buffer *more = bounce_own.more;

    (void)unused;
    for (unsigned i = 0; i < BOUNCE_AREAS; i++) {
        struct bounce_buffer *area = &bounce_own.area[i], was = *area;

        if (was.size == 0)
            continue;
        *area = (struct bounce_buffer){.size = 0};
        sys_unmap(was.iov, was.mapped);
    }
    bounce_own.next = 0;
    bounce_own.more = NULL;
    while (more) {
        struct bounce_buffer was = *more;

        sys_unmap(was.iov, was.mapped);
        more = was.more;
    }
}

START_CODE int bounce_start(void)
{
    return -pthread_key_create(&at_thread_end, unmap_own);
}

static bool map(struct bounce_buffer *bounce, size_t size)
{
    size_t lists = BOUNCE_IOVECS * sizeof(struct iovec), mapped = lists + BOUNCE_PAGE + size;
    char *at = sys_map_private(mapped);

    if (!at)
        return false;
    bounce->data = bounce->room = at + lists;
    bounce->size = size;
    bounce->iov = (struct iovec *)(void *)at;
    bounce->mapped = mapped;
    return true;
}

/* A buffer whose description lies behind its data. */
static struct bounce_buffer *map_another(size_t size, const void *owner)
{
    struct bounce_buffer bounce = {.owner = owner}, *another;

    size = (size + sizeof bounce - 1) / sizeof bounce * sizeof bounce;
    if (!map(&bounce, size + sizeof bounce))
        return NULL;
    another = (struct bounce_buffer *)(void *)(bounce.room + BOUNCE_PAGE + size);
    *another = bounce;
    another->size = size;
    /* A signal handler may come in between, with one of its own. */
    another->more = bounce_own.more;
    while (!__atomic_compare_exchange_n(&bounce_own.more, &another->more, another, false,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        continue;
    return another;
}

/* A larger area in the place of one that is ours now. */
static bool bounce_grow(struct bounce_buffer *area, size_t size)
{
    struct bounce_buffer larger = {.size = 0};

    if (!map(&larger, size))
        return false;
    if (area->size > 0)
        sys_unmap(area->iov, area->mapped);
    larger.owner = area->owner;
    *area = larger;
    /* For the first keys of a process glibc has room in the thread already, and allocates
     * nothing. */
    pthread_setspecific(at_thread_end, &bounce_own);
    return true;
}

bool bounce_call_is_gone(const void *call, const void *owner)
{
    return (uintptr_t)call >= (uintptr_t)__builtin_frame_address(0) &&
           (uintptr_t)call <= (uintptr_t)owner;
}

/* Frees all areas of calls that are gone: whoever leaves its receives so does it again and
 * again. */
static void sweep(const void *owner)
{
    for (unsigned i = 0; i < BOUNCE_AREAS; i++)
        if (bounce_call_is_gone(bounce_own.area[i].owner, owner))
            bounce_own.area[i].owner = NULL;
    for (struct bounce_buffer *more = bounce_own.more; more; more = more->more)
        if (bounce_call_is_gone(more->owner, owner))
            more->owner = NULL;
}

/* Takes an area, if nobody uses it. */
static bool take(struct bounce_buffer *area, const void *owner)
{
    if (area->owner)
        return false;
    area->owner = owner; /* before the area is looked at: a signal handler may change it */
    atomic_signal_fence(memory_order_seq_cst);
    return true;
}

struct bounce_buffer *bounce_acquire_another(size_t size, const void *owner)
{
    table_expects();
    sweep(owner);
    for (unsigned i = 0; i < BOUNCE_AREAS; i++) {
        struct bounce_buffer *area = &bounce_own.area[i];

        if (!take(area, owner))
            continue;
        if (area->size < size && !bounce_grow(area, size)) {
            area->owner = NULL;
            return NULL;
        }
        bounce_own.next = i * sizeof *area;
        return area;
    }
    for (struct bounce_buffer *more = bounce_own.more; more; more = more->more)
        if (more->size >= size && take(more, owner))
            return more;
    return map_another(size, owner);
}

void bounce_shrink(struct bounce_buffer *bounce)
{
    uintptr_t from = ((uintptr_t)bounce->data + BOUNCE_KEPT) & ~(uintptr_t)(BOUNCE_PAGE - 1);
    uintptr_t end = (uintptr_t)bounce->room + bounce->size;

    if (end > from)
        sys_madvise((void *)from, end - from, MADV_DONTNEED);
}
