/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "table/links.h"

#include "fd/fd_class.h"
#include "table/page_alloc.h"
#include "table/slot.h"
#include "table/vacant.h"

static uint32_t *find_from(struct inside *inside, uint32_t *bucket, uint64_t cookie)
{
    uint32_t *link = bucket + table_hash(cookie), at;

    for (uint32_t steps = 0; steps < extents_of(inside)->slot_count; steps++) {
        at = index_in(inside, *link);
        if (!at || slot_of(inside, at)->cookie == cookie) {
            if (*link != at)
                table_write(*link, at);
            return link;
        }
        link = &slot_of(inside, at)->chain;
    }
    return NULL;
}

uint32_t *links_find(struct inside *inside, uint64_t cookie)
{
    return find_from(inside, inside->table.bucket, cookie);
}

void links_each_own(struct inside *inside, void (*act)(void *context, uint32_t at), void *context)
{
    for (unsigned fd = 0; fd <= fd_highest(); fd++) {
        uint64_t cookie = fd_query_cookie((int)fd);
        uint32_t *link = cookie ? links_find(inside, cookie) : NULL;
        uint32_t at = link ? index_in(inside, *link) : 0;

        for (uint32_t i = 0; at && i < extents_of(inside)->slot_count; i++) {
            act(context, at);
            at = index_in(inside, slot_of(inside, at)->next);
        }
    }
}

/* Inserts a message behind the first one of its socket, or behind a later one. */
static uint32_t *link_behind(struct inside *inside, struct slot *first, uint32_t at)
{
    struct slot *slot = slot_of(inside, at), *last = slot_of(inside, first->last);
    uint32_t *link = &first->next;

    if (last->sequence < slot->sequence) {
        link = &last->next;
        first->last = at;
    }
    for (uint32_t steps = 0; *link && slot_of(inside, *link)->sequence < slot->sequence &&
                             steps < extents_of(inside)->slot_count;
         steps++)
        link = &slot_of(inside, *link)->next;
    table_write(slot->next, *link);
    return link;
}

static void insert(struct inside *inside, uint32_t *bucket, uint32_t at)
{
    struct slot *slot = slot_of(inside, at), *first;
    uint32_t *link = find_from(inside, bucket, slot->cookie);

    if (!link)
        return;
    slot->last = at;
    table_write(slot->next, *link);
    table_write(slot->chain, 0);
    if (*link) {
        first = slot_of(inside, *link);
        if (first->sequence > slot->sequence) {
            slot->last = first->last;
            table_write(slot->chain, first->chain);
            table_write(first->chain, 0);
        } else {
            link = link_behind(inside, first, at);
        }
    }
    table_write(*link, at);
}

void links_insert(struct inside *inside, uint32_t at)
{
    insert(inside, inside->table.bucket, at);
}

void links_remove(struct inside *inside, uint32_t *link)
{
    struct slot *slot = slot_of(inside, *link), *next;

    if (slot->next) {
        next = slot_of(inside, slot->next);
        next->last = slot->last;
        table_write(next->chain, slot->chain);
        table_write(*link, slot->next);
    } else {
        table_write(*link, slot->chain);
    }
}

void links_update_full(struct inside *inside)
{
    atomic_store_explicit(&inside->table.full, pages_are_full(inside), memory_order_relaxed);
}

void links_free(struct inside *inside, uint32_t at, uint32_t pages)
{
    table_write(slot_of(inside, at)->kind, HELD_NOT);
    pages_release(inside, at, pages);
    links_update_full(inside);
}

/* Takes the slot that `link` leads to out of the lists if it holds nothing, and frees it if nobody
 * writes to it. false: it holds a message. */
static bool clear_vacant(struct inside *inside, uint32_t *link)
{
    uint32_t at = *link;
    struct slot *slot = slot_of(inside, at);
    uint32_t was = vacant_end(slot);

    if (!was)
        return false;
    links_remove(inside, link);
    inside->orphans -= slot->orphan != 0;
    if (was == OFFSET_VACANT) {
        atomic_fetch_sub(&inside->vacant, 1);
        links_free(inside, at, 1);
    }
    return true;
}

uint32_t *links_find_held(struct inside *inside, uint64_t cookie)
{
    uint32_t *link = links_find(inside, cookie);

    while (link && *link && clear_vacant(inside, link))
        link = links_find(inside, cookie);
    return link;
}

void links_clear_all_vacant(struct inside *inside)
{
    for (uint32_t at = 1; at < top_of(inside); at++) {
        const struct slot *slot = slot_of(inside, at);

        if (slot->kind != HELD_NOT && !slot_holds(slot))
            links_find_held(inside, slot->cookie);
    }
}

/* Whether to keep the message at `at`; the one before ends at `end`. */
static bool is_whole(struct inside *inside, uint32_t at, uint32_t end, uint32_t *ret_end)
{
    struct slot *slot = slot_of(inside, at);
    struct message message;
    uint32_t offset = (uint32_t)atomic_load(&slot->state);

    slot_read(slot, &message);
    *ret_end = at + message.pages;
    if (message.kind == HELD_NOT)
        return false;
    /* Nothing is left of one that was taken to its end. */
    if (!state_holds(offset) || (message.length > 0 && offset == message.length))
        return false;
    if (at >= end && message_is_sound(inside, at, &message) && offset >= message.stored &&
        offset <= message.length)
        return true;
    table_count_lost(&inside->table, 0);
    atomic_fetch_add(&view_of(inside)->broken, 1);
    return false;
}

/* The buckets are made in another array and then copied, so that table_may_hold() stays true for
 * each message meanwhile. */
void links_rebuild(struct inside *inside)
{
    static uint32_t remade[TABLE_HASHES]; /* belongs to the mutex */
    unsigned used = 0, here = 0;
    uint32_t end = 1;

    pages_zero(remade, sizeof remade);
    pages_reset(inside);
    inside->orphans = 0;
    atomic_store(&inside->vacant, 0);
    atomic_store(&inside->table.peeking, false);
    atomic_fetch_add(&inside->recounts, 1);

    for (uint32_t at = 1; at < top_of(inside); at++) {
        struct slot *slot = slot_of(inside, at);
        uint32_t next;

        if (vacant_is_written_to(slot)) {
            if (at >= end)
                pages_mark(inside, at, 1, true);
            continue;
        }
        if (!is_whole(inside, at, end, &next)) {
            table_write(slot->kind, HELD_NOT);
            continue;
        }
        end = next;
        pages_mark(inside, at, end - at, true);
        inside->orphans += slot->orphan != 0;
        used++;
        here += slot->kind != HELD_KERNEL;
        insert(inside, remade, at);
    }
    for (unsigned i = 0; i < TABLE_HASHES; i++)
        table_write(inside->table.bucket[i], remade[i]);
    atomic_store(&inside->table.used, used);
    atomic_store(&inside->table.here, here);
    atomic_fetch_add(&inside->recounts, 1);
    links_update_full(inside);
}
