/* SPDX-License-Identifier: MIT
 *
 * Without the mutex nothing is believed that is not verified. `version` is a sequence lock's: odd
 * while somebody changes the table, and another one after each change. Every field that is read
 * without the mutex is written with release and read with acquire, so whoever reads a byte of a
 * change reads its `version` afterwards. What was read under one even version is what the table was
 * then, and only then is it acted on: before that, no offset or length leads anywhere.
 * From there on the message's own `state` tells of its end: generation and offset never come back,
 * it is set to the message's end before the message's pages are given away, and to a new generation
 * before its slot's pages are written to again. So a compare-and-swap that finds it as it was says
 * that the bytes copied meanwhile were the message's own; one that fails says to throw them away,
 * which the caller's buffer bears. Pages that are given back to the system read as zeros: the
 * mapping itself never shrinks.
 */
#define _GNU_SOURCE
#include "table/lockless.h"

#include "table/slot.h"

#include <errno.h>

/* Whether all that was read since `version` was read held together. */
static bool unchanged(const struct inside *inside, uint64_t version)
{
    return !(version & 1) &&
           atomic_load_explicit(&inside->version, memory_order_relaxed) == version;
}

bool lockless_find(struct inside *inside, uint64_t cookie, struct table_found *ret_found)
{
    uint64_t version = atomic_load_explicit(&inside->version, memory_order_acquire);
    uint32_t at = table_read(inside->table.bucket[table_hash(cookie)]);

    /* Links that are being changed may lead in a circle. */
    for (uint32_t steps = 0; unchanged(inside, version); steps++) {
        const struct slot *slot = slot_of(inside, at);
        uint32_t length;

        if (steps >= extents_of(inside)->page_count)
            return false;
        if (at && table_read(slot->cookie) != cookie) {
            at = index_in(inside, table_read(slot->chain));
            continue;
        }
        *ret_found = (struct table_found){.cookie = cookie, .version = version, .at = at};
        if (!at)
            return unchanged(inside, version);
        length = table_read(slot->length);
        ret_found->kind = table_read(slot->kind);
        ret_found->left = length - (uint32_t)atomic_load(&slot->state);
        /* What is gone, or cannot be, is in the way of the next one. */
        return unchanged(inside, version) && ret_found->left <= length &&
               ret_found->kind - HELD_HERE <= HELD_STREAM - HELD_HERE;
    }
    return false;
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

    slot_read(slot, &message);
    slot_to_held(slot, &message, state, ret_held);
    /* Found, and still there with this state: from now on the state tells of its end. */
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
        if (version && ret_part->left == 0)
            return -EINTR;
        then = state_of(state >> 32, message.length - ret_part->left);
    }

    error = take->copy(take->context, page_of(inside, at) + ret_held->offset - message.stored,
                       ret_part->given);
    if (error)
        return error;
    /* Afterwards, so that what was changed meanwhile shows. */
    if (!message_is_intact(inside, at, &message, ret_held->offset, ret_part->given))
        return -EBADMSG;
    return atomic_compare_exchange_strong(&slot->state, &state, then) ? 1 : -EAGAIN;
}

/* Damage is dealt with by whoever has the mutex: others may have seen the message half gone. */
int lockless_take(struct inside *inside, const struct table_found *found, const struct take *take,
                  struct held *ret_held, struct part *ret_part)
{
    int result = take_from(inside, found->at, &found->version, take, ret_held, ret_part);

    return result == -EBADMSG ? -EINTR : result;
}

int lockless_take_locked(struct inside *inside, uint32_t at, const struct take *take,
                         struct held *ret_held, struct part *ret_part)
{
    return take_from(inside, at, NULL, take, ret_held, ret_part);
}
