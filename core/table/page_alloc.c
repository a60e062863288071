/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "table/page_alloc.h"

#include "base/sys.h"

#include <string.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

int pages_make_sure(void *at, size_t size)
{
    uintptr_t from = (uintptr_t)at & ~(uintptr_t)(PAGE - 1);

    return sys_madvise((void *)from, (uintptr_t)at + size - from, MADV_POPULATE_WRITE);
}

bool pages_populate(struct inside *inside, uint32_t page)
{
    enum { STEP = 256 };

    if (!inside->is_file || page <= inside->populated)
        return true;
    page = (page + STEP - 1) / STEP * STEP;
    if (page > extents_of(inside)->page_count)
        page = extents_of(inside)->page_count;
    if (page > inside->populated &&
        (pages_make_sure(slot_of(inside, inside->populated),
                         (page - inside->populated) * sizeof(struct slot)) != 0 ||
         pages_make_sure(page_of(inside, inside->populated),
                         (size_t)(page - inside->populated) * PAGE) != 0))
        return false;
    /* They are new, but of a damaged file. */
    for (uint32_t at = inside->populated; at < page; at++)
        table_write(slot_of(inside, at)->kind, HELD_NOT);
    inside->populated = page;
    return true;
}

static bool page_used(const struct inside *inside, uint32_t page)
{
    return bitmap_of(inside)[page / 64] >> page % 64 & 1;
}

void pages_mark(struct inside *inside, uint32_t page, uint32_t count, bool used)
{
    if (used)
        inside->pages_used += count;
    else
        inside->pages_used -= count;
    for (uint32_t end = page + count; page < end; page++) {
        uint64_t bit = UINT64_C(1) << page % 64;

        if (used)
            bitmap_of(inside)[page / 64] |= bit;
        else
            bitmap_of(inside)[page / 64] &= ~bit;
    }
}

/* A run of free pages between two bounds: first fit. 0: there is none. */
static uint32_t pages_find(const struct inside *inside, uint32_t from, uint32_t to, uint32_t count)
{
    uint32_t run = 0;

    for (uint32_t page = from; page < to; page++) {
        if (run == 0 && page % 64 == 0 && bitmap_of(inside)[page / 64] == UINT64_MAX) {
            page += 63;
            continue;
        }
        run = page_used(inside, page) ? 0 : run + 1;
        if (run == count)
            return page - count + 1;
    }
    return 0;
}

uint32_t pages_take(struct inside *inside, uint32_t count)
{
    uint32_t page = pages_find(inside, inside->search, extents_of(inside)->page_count, count);

    if (!page)
        page = pages_find(inside, 1, extents_of(inside)->page_count, count);
    if (!page || !pages_populate(inside, page + count))
        return 0;
    pages_mark(inside, page, count, true);
    inside->search = page + count;
    if (inside->top < inside->search)
        inside->top = inside->search;
    return page;
}

void pages_release(struct inside *inside, uint32_t page, uint32_t count)
{
    enum { KEEP = 256 };

    pages_mark(inside, page, count, false);
    if (inside->search > page)
        inside->search = page;
    /* What a burst has touched goes back to the system; a little stays for the next one. */
    if (page + count > KEEP && !inside->is_file) {
        uint32_t from = page > KEEP ? page : KEEP;

        sys_madvise(page_of(inside, from), (size_t)(page + count - from) * PAGE, MADV_REMOVE);
    }
}

void pages_reset(struct inside *inside)
{
    memset(bitmap_of(inside), 0, (extents_of(inside)->page_count / 64 + 1) * sizeof(uint64_t));
    inside->pages_used = 0;
    inside->search = 1;
}

bool pages_are_full(struct inside *inside)
{
    return inside->pages_used >= extents_of(inside)->pages_max ||
           !pages_populate(inside, inside->top + TABLE_AHEAD);
}
