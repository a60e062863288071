/* SPDX-License-Identifier: MIT
 *
 * How the table is read without its mutex.
 *
 * `version` is a sequence lock: odd while a change is in progress, and another number after each
 * change. Each field that is read without the mutex is written with release and read with acquire,
 * so whoever reads a byte of a change reads its `version` afterwards. What was read between two
 * reads of the same even version is what the table was then. Only after the second read is it used:
 * before that, no offset and no length is followed.
 *
 * From then on the message's own `state` says whether it is still there. The same generation and
 * offset never come back. The offset is set to the message's end before its pages are given away,
 * and the generation changes before they are written to again. So if the final compare-and-swap
 * finds the state unchanged, the bytes that were copied meanwhile are the message's own. If it
 * fails, they are thrown away: they stand in the caller's buffer, and will be overwritten. Pages
 * that were given back to the system read as zeros, since the mapping never shrinks.
 */
#define _GNU_SOURCE
#include "table/lockless.h"

#include "base/sys.h"
#include "table/counts.h"
#include "table/slot.h"
#include "table/vacant.h"

#include <errno.h>

/* Whether nothing has changed since `version` was read. */
static bool unchanged(const struct inside *inside, uint64_t version)
{
    return !(version & 1) &&
           atomic_load_explicit(&inside->version, memory_order_relaxed) == version;
}

/* Whether the slot is in the lists, and holds nothing: in a sandbox bury() does that. */
static bool is_passed_over(const struct inside *inside, const struct slot *slot, uint64_t state)
{
    if (sys_is_sandboxed() && table_read(slot->kind) == HELD_NOT)
        return true;
    return !state_holds(state) && (uint32_t)state != OFFSET_GONE && !is_suspect(inside);
}

bool lockless_find(struct inside *inside, uint64_t cookie, struct table_found *ret_found)
{
    uint64_t version = atomic_load_explicit(&inside->version, memory_order_acquire);
    uint32_t at = table_read(inside->table.bucket[table_hash(cookie)]);

    /* While links are changed, they may lead in a circle. */
    for (uint32_t steps = 0; unchanged(inside, version); steps++) {
        const struct slot *slot = slot_of(inside, at);
        uint64_t state = atomic_load(&slot->state);
        uint32_t length;

        if (steps >= extents_of(inside)->slot_count)
            return false;
        if (at && table_read(slot->cookie) != cookie) {
            at = index_in(inside, table_read(slot->chain));
            continue;
        }
        if (at && is_passed_over(inside, slot, state)) {
            at = index_in(inside, table_read(slot->next));
            continue;
        }
        *ret_found = (struct table_found){.cookie = cookie, .version = version, .at = at};
        if (!at)
            return unchanged(inside, version);
        length = table_read(slot->length);
        ret_found->kind = table_read(slot->kind);
        ret_found->left = length - (uint32_t)state;
        /* A message that is gone, or impossible, hides the next one: the mutex is needed. */
        return unchanged(inside, version) && state >> 32 == atomic_load(&slot->state) >> 32 &&
               ret_found->left <= length && ret_found->kind - HELD_HERE <= HELD_STREAM - HELD_HERE;
    }
    return false;
}

/* For the first message of the bucket alone, in a table that no other process writes to. */
bool table_find_next(const struct table *table, uint64_t cookie, size_t room,
                     struct table_next *ret_next)
{
    const struct inside *inside = (const struct inside *)table;
    uint64_t version = atomic_load_explicit(&inside->version, memory_order_acquire);
    uint32_t at = index_in(inside, table_read(table->bucket[table_hash(cookie)]));
    const struct slot *slot = slot_of(inside, at);
    uint64_t state = atomic_load_explicit(&slot->state, memory_order_acquire);
    uint32_t offset = (uint32_t)state, stored = table_read(slot->stored);
    uint32_t length = table_read(slot->length), pages = table_read(slot->pages);
    uint32_t remaining = length - offset;

    if (!(LIKELY(at != 0) && LIKELY(table_read(slot->cookie) == cookie) &&
          LIKELY(state_holds(state)) && LIKELY(table_read(slot->kind) == HELD_HERE) &&
          LIKELY(unchanged(inside, version)) && LIKELY(!is_suspect(inside)) &&
          LIKELY(!counts_change)))
        return false;
    if (!(LIKELY(stored <= offset) && LIKELY(offset < length) &&
          LIKELY((uint64_t)at + pages <= extents_of(inside)->page_count) &&
          LIKELY(length - stored <= (uint64_t)pages * PAGE)))
        return false;
    if (room >= remaining && !vacant_may_become(inside, at, HELD_HERE, pages))
        return false;
    *ret_next = (struct table_next){.cookie = cookie,
                                    .from = page_of(inside, at) + (offset - stored),
                                    .size = room < remaining ? room : remaining,
                                    .left = room < remaining ? remaining - room : 0,
                                    .length = length,
                                    .state = state,
                                    .at = at};
    return true;
}

/* Its slot becomes vacant. */
static bool take_last(struct table *table, const struct table_next *next)
{
    struct inside *inside = inside_of(table);
    uint64_t state = next->state;
    unsigned begun;
    bool taken;

    if (sys_is_sandboxed() || !vacant_may_become(inside, next->at, HELD_HERE, 1))
        return false;
    begun = counts_begin(table);
    taken = atomic_compare_exchange_strong(&slot_of(inside, next->at)->state, &state,
                                           state_of(state >> 32, OFFSET_VACANT));
    if (taken) {
        atomic_fetch_add(&inside->vacant, 1);
        counts_add(table, -1);
    }
    counts_end(table, begun);
    return taken;
}

/* From the look on it is the state that says whether it still is the message, as above. */
bool table_take_next(struct table *table, const struct table_next *next)
{
    uint64_t state = next->state;

    /* The sum is below the message's length. */
    if (next->left == 0
            ? !take_last(table, next)
            : !atomic_compare_exchange_strong(&slot_of(inside_of(table), next->at)->state, &state,
                                              state + next->size))
        return false;
    table_count_saved(table, next->size);
    return true;
}

/* `version`: NULL with the mutex held. -EBADMSG: the message is damaged. */
static int take_from(struct inside *inside, uint32_t at, const uint64_t *version,
                     const struct take *take, struct held *ret_held, struct part *ret_part)
{
    struct slot *slot = slot_of(inside, at);
    uint64_t state = atomic_load(&slot->state), then = state;
    unsigned how = take->how;
    struct message message;
    int error;

    if (!state_holds(state))
        return -EAGAIN;
    slot_read(slot, &message);
    slot_to_held(slot, &message, state, ret_held);
    /* It was there with this state. From now on the state says whether it still is. */
    if (version && !unchanged(inside, *version))
        return -EAGAIN;
    if (!message_is_sound(inside, at, &message) || ret_held->offset < message.stored ||
        ret_held->offset > message.length)
        return -EBADMSG;
    if (message.kind == HELD_KERNEL)
        return -EREMOTE;
    if ((how & PART_TAIL) && (ret_held->offset == 0 || message.kind == HELD_STREAM))
        return 0;
    if (message.kind == HELD_STREAM)
        how |= PART_STREAM;
    *ret_part = part_next(message.length - ret_held->offset, take->room, how);
    if (!(how & PART_PEEK)) {
        then = state_of((state >> 32) + (ret_part->left == 0 && sys_is_sandboxed()),
                        message.length - ret_part->left);
        if (version && ret_part->left == 0 && !sys_is_sandboxed()) {
            if (!vacant_may_become(inside, at, message.kind, message.pages))
                return -EINTR;
            then = state_of(state >> 32, OFFSET_VACANT);
        }
    }

    error = take->copy(take->context, page_of(inside, at) + ret_held->offset - message.stored,
                       ret_part->given);
    if (error)
        return error;
    /* Checked after the copy, so that a change meanwhile is found. */
    if (!message_is_intact(inside, at, &message, ret_held->offset, ret_part->given))
        return -EBADMSG;
    if (!atomic_compare_exchange_strong(&slot->state, &state, then))
        return -EAGAIN;
    if ((uint32_t)then == OFFSET_VACANT)
        atomic_fetch_add(&inside->vacant, 1);
    return 1;
}

/* In a sandbox nobody takes the mutex, which needs system calls. Whoever took the last part says so in
 * the slot, which stays where it is: no new message comes. */
static void bury(struct inside *inside, uint32_t at)
{
    struct slot *slot = slot_of(inside, at);

    table_write(slot->kind, HELD_NOT);
    atomic_fetch_sub(&inside->table.here, 1);
    atomic_fetch_sub(&inside->table.used, 1);
}

/* Without the mutex it may only look like damage, because the message is being removed. */
int lockless_take(struct inside *inside, const struct table_found *found, const struct take *take,
                  struct held *ret_held, struct part *ret_part)
{
    int result = take_from(inside, found->at, &found->version, take, ret_held, ret_part);

    if (sys_is_sandboxed() &&
        (result == -EBADMSG || (result == 1 && ret_part->left == 0 && !(take->how & PART_PEEK))))
        bury(inside, found->at);
    return result == -EBADMSG ? -EINTR : result;
}

int lockless_take_locked(struct inside *inside, uint32_t at, const struct take *take,
                         struct held *ret_held, struct part *ret_part)
{
    return take_from(inside, at, NULL, take, ret_held, ret_part);
}
