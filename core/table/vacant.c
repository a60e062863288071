/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "table/vacant.h"

bool vacant_may_become(const struct inside *inside, uint32_t at, uint32_t kind, uint32_t pages)
{
    return kind == HELD_HERE && pages == 1 && !is_suspect(inside) && !view_of(inside)->is_file &&
           !atomic_load(&inside->table.full) && !table_read(slot_of(inside, at)->orphan) &&
           atomic_load(&inside->vacant) < VACANT_MAX;
}

/* The socket's slot, if it is vacant. Without the mutex. */
static uint32_t find(struct inside *inside, uint64_t cookie, uint64_t *ret_state)
{
    uint64_t version = atomic_load(&inside->version);
    uint32_t at = index_in(inside, table_read(inside->table.bucket[table_hash(cookie)]));

    for (uint32_t steps = 0; at && steps < extents_of(inside)->slot_count; steps++) {
        const struct slot *slot = slot_of(inside, at);

        *ret_state = atomic_load(&slot->state);
        if (table_read(slot->cookie) == cookie)
            break;
        at = index_in(inside, table_read(slot->chain));
    }
    return !(version & 1) && atomic_load(&inside->version) == version &&
                   (uint32_t)*ret_state == OFFSET_VACANT
               ? at
               : 0;
}

uint32_t vacant_claim(struct inside *inside, uint64_t cookie, uint64_t *ret_state)
{
    uint64_t vacant = 0, claimed;
    uint32_t at = 0;

    if (!is_suspect(inside) && !atomic_load(&inside->table.full))
        at = find(inside, cookie, &vacant);
    claimed = state_of((vacant >> 32) + 1, OFFSET_CLAIMED);
    if (!at || !atomic_compare_exchange_strong(&slot_of(inside, at)->state, &vacant, claimed))
        return 0;
    atomic_fetch_sub(&inside->vacant, 1);
    *ret_state = claimed;
    return at;
}

bool vacant_publish(struct inside *inside, uint32_t at, uint64_t claimed, size_t offset)
{
    struct slot *slot = slot_of(inside, at);

    /* While it is claimed nobody puts a message behind it, but one may have been there before. */
    return table_read(slot->next) == 0 && !table_read(slot->orphan) &&
           atomic_compare_exchange_strong(&slot->state, &claimed, state_of(claimed >> 32, offset));
}

uint32_t vacant_end(struct slot *slot)
{
    uint64_t now = atomic_load(&slot->state);

    for (;;) {
        uint32_t offset = (uint32_t)now;

        if (slot->kind == HELD_NOT || (offset != OFFSET_VACANT && offset != OFFSET_CLAIMED))
            return 0;
        if (atomic_compare_exchange_weak(
                &slot->state, &now,
                state_of(now >> 32, offset == OFFSET_VACANT ? slot->length : OFFSET_REVOKED)))
            return offset;
    }
}

bool vacant_is_written_to(struct slot *slot)
{
    vacant_end(slot);
    return slot->kind != HELD_NOT && (uint32_t)atomic_load(&slot->state) == OFFSET_REVOKED;
}

bool vacant_return(struct slot *slot, uint64_t claimed)
{
    uint64_t revoked = state_of(claimed >> 32, OFFSET_REVOKED);

    return atomic_compare_exchange_strong(&slot->state, &revoked, state_of(claimed >> 32, 0));
}
