/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "table/page_alloc.h"

#include "base/libc.h"
#include "base/sys.h"

#include <string.h>
#include <sys/mman.h>

/* The first pages, which are never given back to the system. */
enum { KEEP = 256 };

int pages_make_sure(void *at, size_t size)
{
    uintptr_t from = (uintptr_t)at & ~(uintptr_t)(PAGE - 1);

    return sys_madvise((void *)from, (uintptr_t)at + size - from, MADV_POPULATE_WRITE);
}

static __attribute__((noinline)) bool populate_file(struct inside *inside, uint32_t page)
{
    enum { STEP = 256 };
    uint32_t count = extents_of(inside)->page_count, from = inside->populated;

    if (page <= from)
        return true;
    page = (page + STEP - 1) / STEP * STEP;
    if (page > count)
        page = count;
    if (page > from &&
        (pages_make_sure(slot_of(inside, from), (page - from) * sizeof(struct slot)) != 0 ||
         pages_make_sure(page_of(inside, from), (size_t)(page - from) * PAGE) != 0))
        return false;
    /* They should be empty, but the file may be damaged. */
    for (uint32_t at = from; at < page; at++)
        table_write(slot_of(inside, at)->kind, HELD_NOT);
    inside->populated = page;
    return true;
}

/* Makes sure that the pages below `page`, and their slots, can be written to. */
static inline bool populate(struct inside *inside, uint32_t page)
{
    return LIKELY(!view_of(inside)->is_file) || populate_file(inside, page);
}

static bool page_used(const struct inside *inside, uint32_t page)
{
    return bitmap_of(inside)[page / 64] >> page % 64 & 1;
}

void pages_mark(struct inside *inside, uint32_t page, uint32_t count, bool used)
{
    const struct extents *extents = extents_of(inside);
    uint32_t most;

    page = index_in(inside, page);
    most = extents->slot_count - page;
    count = count < most ? count : most;
    if (page < extents->page_count)
        inside->pages_used += used ? count : -count;
    for (uint32_t end = page + count; page < end; page++) {
        uint64_t bit = UINT64_C(1) << page % 64;

        if (used)
            bitmap_of(inside)[page / 64] |= bit;
        else
            bitmap_of(inside)[page / 64] &= ~bit;
    }
}

/* The first run of `count` free pages between two bounds. 0: there is none. */
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

static uint32_t take(struct inside *inside, uint32_t page, uint32_t count)
{
    pages_mark(inside, page, count, true);
    if (inside->top < page + count)
        inside->top = page + count;
    return page;
}

uint32_t pages_take(struct inside *inside, uint32_t count)
{
    uint32_t page = inside->search;

    page = page > 0 ? pages_find(inside, page, extents_of(inside)->page_count, count) : 0;
    if (!page)
        page = pages_find(inside, 1, extents_of(inside)->page_count, count);
    if (!page || !populate(inside, page + count))
        return 0;
    inside->search = page + count;
    return take(inside, page, count);
}

uint32_t pages_take_slot(struct inside *inside)
{
    const struct extents *extents = extents_of(inside);
    uint32_t at = pages_find(inside, extents->page_count, extents->slot_count, 1);

    return at ? take(inside, at, 1) : pages_take(inside, 1);
}

void pages_zero(void *at, size_t size)
{
#ifdef __x86_64__
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(0) : "memory");
#else
    memset(at, 0, size);
#endif
}

void pages_release(struct inside *inside, uint32_t page, uint32_t count)
{
    uint32_t pages = extents_of(inside)->page_count, most;
    bool is_file = view_of(inside)->is_file;

    page = index_in(inside, page);
    most = (page < pages ? pages : extents_of(inside)->slot_count) - page;
    count = count < most ? count : most;
    pages_mark(inside, page, count, false);
    if (page >= pages)
        return;
    if (inside->search > page)
        inside->search = page;
    /* After a burst its pages go back to the system; a few are kept for the next one. */
    if (page + count > KEEP && !is_file) {
        uint32_t from = page > KEEP ? page : KEEP;

        sys_madvise(page_of(inside, from), (size_t)(page + count - from) * PAGE, MADV_REMOVE);
        count = from - page;
    }
    if (is_suspect(inside) || is_file)
        pages_zero(page_of(inside, page), (size_t)count * PAGE);
}

void pages_clear(struct inside *inside)
{
    uint32_t count = extents_of(inside)->page_count;

    count = count < top_of(inside) ? count : top_of(inside);
    for (uint32_t page = 1; page < KEEP && page < count; page++)
        if (!page_used(inside, page))
            pages_zero(page_of(inside, page), PAGE);
}

void pages_reset(struct inside *inside)
{
    pages_zero(bitmap_of(inside), (extents_of(inside)->slot_count / 64 + 1) * sizeof(uint64_t));
    inside->pages_used = 0;
    inside->search = 1;
}

bool pages_are_prepared(struct inside *inside)
{
    return populate(inside, TABLE_FIRST);
}

bool pages_are_full(struct inside *inside)
{
    return inside->pages_used >= extents_of(inside)->pages_max ||
           !populate(inside, inside->top + TABLE_AHEAD);
}
