/* SPDX-License-Identifier: MIT
 *
 * What is held is looked for, taken, and given up. What needs no mutex is in lockless.c.
 */
#define _GNU_SOURCE
#include "table/table.h"

#include "base/sys.h"
#include "table/counts.h"
#include "table/links.h"
#include "table/lockless.h"
#include "table/messages.h"
#include "table/slot.h"
#include "table/vacant.h"

#include <errno.h>

/* --- take -------------------------------------------------------------------------------- */

void table_count_part(struct table *table, const struct part *part, size_t remaining)
{
    size_t dropped = remaining - part->given - part->left;

    table_count_saved(table, part->given);
    if (dropped)
        table_count_lost(table, dropped);
}

enum held_kind table_find(struct table *table, uint64_t cookie, struct table_found *ret_found)
{
    struct critical_section section;
    struct held held;

    enum { TRIES_IN_SANDBOX = 1000 }; /* somebody who began before the filter is in a change */

    counts_check(table);
    for (unsigned tries = 0; !table_idle(table) && tries < TRIES_IN_SANDBOX; tries++)
        if (lockless_find(inside_of(table), cookie, ret_found))
            return ret_found->kind;
        else if (!sys_is_sandboxed())
            break;
    *ret_found = (struct table_found){.cookie = cookie};
    if (table_idle(table) || sys_is_sandboxed())
        return HELD_NOT;
    table_enter(table, &section);
    if (table_get_locked(table, cookie, &held)) {
        ret_found->kind = held.kind;
        ret_found->left = held.length - held.offset;
    }
    table_leave(table, &section);
    return ret_found->kind;
}

enum held_kind table_look(struct table *table, uint64_t cookie, size_t *ret_left)
{
    struct table_found found;
    enum held_kind kind = table_find(table, cookie, &found);

    if (kind != HELD_NOT && ret_left)
        *ret_left = found.left;
    return kind;
}

static int take_with_mutex(struct table *table, uint64_t cookie, const struct take *take,
                           struct held *ret_held, struct part *ret_part)
{
    struct inside *inside = inside_of(table);
    struct critical_section section;
    uint32_t *link;
    int result = 0;

    table_enter(table, &section);
    link = messages_find(inside, cookie);
    if (*link)
        result = lockless_take_locked(inside, *link, take, ret_held, ret_part);
    if (result == -EBADMSG) {
        messages_drop(inside, *link);
        result = -EAGAIN;
    }
    if (result == 1 && ret_part->left == 0 && !(take->how & PART_PEEK))
        messages_remove(inside, link);
    if (atomic_load(&inside->vacant) >= VACANT_MAX)
        links_clear_all_vacant(inside);
    table_leave(table, &section);
    return result;
}

static int take_lockless(struct table *table, const struct table_found *found,
                         const struct take *take, struct held *ret_held, struct part *ret_part)
{
    unsigned begun = counts_begin(table);
    int result = lockless_take(inside_of(table), found, take, ret_held, ret_part);

    if (result == 1 && ret_part->left == 0 && !(take->how & PART_PEEK) && !sys_is_sandboxed())
        counts_add(table, -1);
    counts_end(table, begun);
    return result;
}

int table_take_found(struct table *table, struct table_found *found, size_t room, unsigned how,
                     table_copy copy, void *context, struct held *ret_held, struct part *ret_part)
{
    enum { TRIES = 8 }; /* while others change the table all the time */
    const struct take take = {room, how, copy, context};
    int result;

    for (unsigned tries = 0;; tries++) {
        if (found->kind == HELD_NOT)
            return 0;
        result = -EINTR;
        if (found->at && tries < TRIES)
            result = take_lockless(table, found, &take, ret_held, ret_part);
        if (result == -EINTR && sys_is_sandboxed())
            return 0;
        if (result == -EINTR)
            result = take_with_mutex(table, found->cookie, &take, ret_held, ret_part);
        if (result != -EAGAIN)
            break;
        table_find(table, found->cookie, found);
    }
    if (result == 1 && !(how & PART_PEEK))
        table_count_part(table, ret_part, ret_held->length - ret_held->offset);
    return result;
}

bool table_get_locked(struct table *table, uint64_t cookie, struct held *ret_held)
{
    struct inside *inside = inside_of(table);
    const struct slot *slot;
    struct message message;
    uint64_t now;

    /* A take that began before the mutex was taken may end now. */
    do {
        slot = slot_of(inside, *messages_find(inside, cookie));
        if (slot == slot_of(inside, 0))
            return false;
        now = atomic_load(&slot->state);
    } while (!state_holds(now));
    slot_read(slot, &message);
    slot_to_held(slot, &message, now, ret_held);
    ret_held->missed = slot->missed;
    return true;
}

void table_announce_locked(struct table *table, bool peeking)
{
    atomic_store(&table->peeking, peeking);
}

void table_advance_locked(struct table *table, uint64_t cookie, const struct held *held)
{
    struct inside *inside = inside_of(table);
    struct slot *slot = slot_of(inside, *messages_find(inside, cookie));

    table_write(slot->error, held->error);
    slot->missed = held->missed;
    atomic_store(&slot->state, state_of(atomic_load(&slot->state) >> 32, held->offset));
}

void table_finish_locked(struct table *table, uint64_t cookie)
{
    uint32_t *link = messages_find(inside_of(table), cookie);

    if (*link)
        messages_remove(inside_of(table), link);
}

/* --- the end of a socket ----------------------------------------------------------------- */

/* Drops the oldest orphan. */
static bool evict_orphan_locked(struct inside *inside)
{
    uint32_t oldest = 0, *link;

    if (inside->orphans == 0)
        return false;
    for (uint32_t at = 1; at < top_of(inside); at++) {
        struct slot *slot = slot_of(inside, at);

        if (slot_holds(slot) && slot->orphan &&
            (!oldest || slot->sequence < slot_of(inside, oldest)->sequence))
            oldest = at;
    }
    link = messages_find(inside, slot_of(inside, oldest)->cookie);
    if (!oldest || !*link || !slot_of(inside, *link)->orphan)
        return false;
    messages_lose(inside, link);
    return true;
}

void table_abandon(struct table *table, uint64_t cookie, bool last)
{
    struct inside *inside = inside_of(table);
    struct critical_section section;
    uint32_t count = extents_of(inside)->slot_count, *link;

    table_enter(table, &section);
    if (last) {
        for (uint32_t i = 0; i < count && *(link = messages_find(inside, cookie)); i++)
            messages_lose(inside, link);
    } else {
        uint32_t at = *messages_find(inside, cookie);

        for (uint32_t i = 0; i < count && at; i++, at = slot_of(inside, at)->next) {
            if (!slot_of(inside, at)->orphan)
                inside->orphans++;
            table_write(slot_of(inside, at)->orphan, true);
        }
        while (inside->orphans > ORPHANS_MAX && evict_orphan_locked(inside))
            continue;
    }
    table_leave(table, &section);
}
