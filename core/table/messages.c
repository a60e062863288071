/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "table/messages.h"

#include "table/links.h"
#include "table/slot.h"

uint32_t *messages_find(struct inside *inside, uint64_t cookie)
{
    static uint32_t none;
    uint32_t *link = links_find_held(inside, cookie);
    struct message message;

    for (unsigned tries = 0; tries < 2; tries++) {
        if (link && !*link)
            return link;
        if (link) {
            slot_read(slot_of(inside, *link), &message);
            if (message.cookie == cookie && message_is_sound(inside, *link, &message) &&
                state_holds(atomic_load(&slot_of(inside, *link)->state)))
                return link;
        }
        links_rebuild(inside);
        link = links_find_held(inside, cookie);
    }
    return &none;
}

size_t messages_remove(struct inside *inside, uint32_t *link)
{
    uint32_t at = *link;
    struct slot *slot = slot_of(inside, at);
    uint32_t length = slot->length, pages = slot->pages;
    uint64_t generation = atomic_load(&slot->state) >> 32;
    /* A take in flight without the mutex either has its part already, or gets nothing. */
    uint64_t end = atomic_exchange(&slot->state, state_of(generation, length));

    if ((uint32_t)end == OFFSET_VACANT) { /* by who has counted it */
        atomic_fetch_sub(&inside->vacant, 1);
    } else {
        atomic_fetch_sub(&inside->table.used, 1);
        if (slot->kind != HELD_KERNEL)
            atomic_fetch_sub(&inside->table.here, 1);
    }
    inside->orphans -= slot->orphan != 0;
    table_write(slot->kind, HELD_NOT);
    links_remove(inside, link);
    links_free(inside, at, pages);
    return state_holds(end) ? length - (uint32_t)end : 0;
}

void messages_lose(struct inside *inside, uint32_t *link)
{
    table_count_lost(&inside->table, messages_remove(inside, link));
}

void messages_drop(struct inside *inside, uint32_t at)
{
    table_count_lost(&inside->table, 0);
    atomic_fetch_add(&view_of(inside)->broken, 1);
    table_write(slot_of(inside, at)->kind, HELD_NOT);
    links_rebuild(inside);
}
