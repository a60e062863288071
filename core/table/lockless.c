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

#include <errno.h>
#include <string.h>

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
    while (unchanged(inside, version)) {
        const struct slot *slot = slot_of(inside, at);

        if (at && table_read(slot->cookie) != cookie) {
            at = table_read(slot->chain);
            continue;
        }
        *ret_found = (struct table_found){.cookie = cookie, .version = version, .at = at};
        if (at) {
            ret_found->kind = table_read(slot->kind);
            ret_found->left = table_read(slot->length) - (uint32_t)atomic_load(&slot->state);
        }
        return unchanged(inside, version);
    }
    return false;
}

void lockless_read(const struct slot *slot, uint64_t state, struct held *ret_held)
{
    uint32_t peer_length = table_read(slot->peer_length);

    ret_held->kind = table_read(slot->kind);
    ret_held->length = table_read(slot->length);
    ret_held->offset = (uint32_t)state;
    ret_held->msg_flags = table_read(slot->msg_flags);
    ret_held->error = table_read(slot->error);
    ret_held->peer_known = table_read(slot->peer_known);
    ret_held->peer_length = peer_length;
    for (size_t i = 0; i < sizeof slot->peer && i < peer_length; i += sizeof *slot->peer) {
        uint64_t word = table_read(slot->peer[i / sizeof word]);

        memcpy((char *)&ret_held->peer + i, &word, sizeof word);
    }
}

/* `version`: NULL with the mutex held. */
static int take_from(struct inside *inside, uint32_t at, const uint64_t *version,
                     const struct take *take, struct held *ret_held, struct part *ret_part)
{
    struct slot *slot = slot_of(inside, at);
    uint64_t state = atomic_load(&slot->state), then = state;
    uint32_t stored = table_read(slot->stored);
    unsigned how = take->how;
    int error;

    lockless_read(slot, state, ret_held);
    /* Found, and still there with this state: from now on the state tells of its end. */
    if (version && !unchanged(inside, *version))
        return -EAGAIN;
    if (ret_held->kind == HELD_KERNEL)
        return -EREMOTE;
    if (ret_held->kind == HELD_STREAM)
        how |= PART_STREAM;
    *ret_part = part_next(ret_held->length - ret_held->offset, take->room, how);
    if (!(how & PART_PEEK)) {
        if (version && ret_part->left == 0)
            return -EINTR;
        then = state_of(state >> 32, ret_held->length - ret_part->left);
    }

    error =
        take->copy(take->context, page_of(inside, at) + ret_held->offset - stored, ret_part->given);
    if (error)
        return error;
    return atomic_compare_exchange_strong(&slot->state, &state, then) ? 1 : -EAGAIN;
}

int lockless_take(struct inside *inside, const struct table_found *found, const struct take *take,
                  struct held *ret_held, struct part *ret_part)
{
    return take_from(inside, found->at, &found->version, take, ret_held, ret_part);
}

int lockless_take_locked(struct inside *inside, uint32_t at, const struct take *take,
                         struct held *ret_held, struct part *ret_part)
{
    return take_from(inside, at, NULL, take, ret_held, ret_part);
}
