/* SPDX-License-Identifier: MIT */
#include "base/revocable.h"

#include <stdatomic.h>
#include <stdint.h>

enum { RANGES = 64 };

/* Addresses. `first` is 0 where the place is free, and `last` is 0 while it is being filled or
 * cleared: then the range is taken to have no end. */
struct range {
    atomic_uintptr_t first;
    atomic_uintptr_t last;
};

struct kept {
    struct range ranges[RANGES];
    atomic_uint used; /* places up to the highest that was ever filled */
    /* Around all ranges that have found no place. It never shrinks. */
    atomic_uintptr_t rest_first;
    atomic_uintptr_t rest_last;
};

static struct kept writable = {.rest_first = UINTPTR_MAX};
static struct kept unwritable = {.rest_first = UINTPTR_MAX};

/* The calling thread's stack is no file: it is not to be lost to the range around the rest. */
enum { STACK_NEAR = 64 << 10 };

static uintptr_t end_of(const void *at, size_t size)
{
    uintptr_t first = (uintptr_t)at;

    return size - 1 > UINTPTR_MAX - first ? UINTPTR_MAX : first + (size - 1);
}

static void note_used(struct kept *kept, unsigned count)
{
    unsigned seen = atomic_load(&kept->used);

    while (seen < count && !atomic_compare_exchange_weak(&kept->used, &seen, count))
        continue;
}

static void add_to_rest(struct kept *kept, uintptr_t first, uintptr_t last)
{
    uintptr_t seen = atomic_load(&kept->rest_last);

    while (seen < last && !atomic_compare_exchange_weak(&kept->rest_last, &seen, last))
        continue;
    seen = atomic_load(&kept->rest_first);
    while (seen > first && !atomic_compare_exchange_weak(&kept->rest_first, &seen, first))
        continue;
}

static void add(struct kept *kept, const void *at, size_t size)
{
    uintptr_t last;

    if (size == 0 || !at)
        return;
    last = end_of(at, size);
    for (unsigned i = 0; i < RANGES; i++) {
        uintptr_t none = 0;

        if (atomic_load(&kept->ranges[i].first) != 0)
            continue;
        note_used(kept, i + 1); /* whoever looks for it must look here */
        if (atomic_compare_exchange_strong(&kept->ranges[i].first, &none, (uintptr_t)at)) {
            atomic_store(&kept->ranges[i].last, last);
            return;
        }
    }
    add_to_rest(kept, (uintptr_t)at, last);
}

static bool remove_from(struct kept *kept, const void *at, size_t size)
{
    unsigned count = atomic_load(&kept->used);
    uintptr_t last;
    bool found = false;

    if (count == 0 || size == 0)
        return false;
    last = end_of(at, size);
    for (unsigned i = 0; i < count; i++) {
        uintptr_t first = atomic_load(&kept->ranges[i].first),
                  end = atomic_load(&kept->ranges[i].last);

        /* What is given up in part stays as it is. */
        if (first < (uintptr_t)at || first > last || end == 0 || end > last)
            continue;
        atomic_store(&kept->ranges[i].last, 0);
        atomic_store(&kept->ranges[i].first, 0);
        found = true;
    }
    return found;
}

static bool has(struct kept *kept, const void *at, size_t size)
{
    uintptr_t first = (uintptr_t)at, here = (uintptr_t)__builtin_frame_address(0);
    unsigned count = atomic_load(&kept->used);
    uintptr_t last;

    if (count == 0 || size == 0)
        return false;
    last = end_of(at, size);
    for (unsigned i = 0; i < count; i++) {
        uintptr_t begins = atomic_load(&kept->ranges[i].first),
                  ends = atomic_load(&kept->ranges[i].last);

        if (begins != 0 && begins <= last && (ends == 0 || ends >= first))
            return true;
    }
    return first <= atomic_load(&kept->rest_last) && last >= atomic_load(&kept->rest_first) &&
           !(first >= here && first - here < STACK_NEAR);
}

/* --- the interface ----------------------------------------------------------------------- */

void revocable_add(const void *at, size_t size)
{
    add(&writable, at, size);
}

void revocable_add_unwritable(const void *at, size_t size)
{
    add(&unwritable, at, size);
}

void revocable_writable(const void *at, size_t size)
{
    if (has(&unwritable, at, size) && !has(&writable, at, size))
        add(&writable, at, size);
}

bool revocable_remove(const void *at, size_t size)
{
    bool was_unwritable = remove_from(&unwritable, at, size);

    return remove_from(&writable, at, size) || was_unwritable;
}

bool revocable_has(const void *at, size_t size)
{
    return has(&writable, at, size);
}

bool revocable_may(const void *at, size_t size)
{
    return has(&writable, at, size) || has(&unwritable, at, size);
}
