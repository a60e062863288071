/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "table/slot.h"

#include "base/compiler.h"

#include <string.h>

/* --- sums -------------------------------------------------------------------------------- */

/* xxHash's multipliers. Four sums are made side by side, since a multiplication takes several
 * cycles. */
#define FACTOR_1 UINT64_C(0x9e3779b185ebca87)
#define FACTOR_2 UINT64_C(0xc2b2ae3d27d4eb4f)

static inline uint64_t step(uint64_t sum, uint64_t word)
{
    /* In a register of its own: two side by side in one of SSE2, which multiplies no such numbers, take
     * three times as long. */
    sum = compiler_hide((sum ^ word) * FACTOR_1);
    return sum ^ sum >> 29;
}

/* If others write to it meanwhile, the sum is wrong, as it should be. */
__attribute__((no_sanitize_thread)) static uint64_t sum_of(const char *at, size_t size)
{
    uint64_t sum[4] = {size, FACTOR_1, FACTOR_2, ~FACTOR_1}, word;
    size_t i = 0;

    for (; i + 32 <= size; i += 32)
        for (unsigned lane = 0; lane < 4; lane++) {
            memcpy(&word, at + i + lane * 8, sizeof word);
            sum[lane] = step(sum[lane], word);
        }
    for (; i < size; i += 8) {
        word = 0;
        memcpy(&word, at + i, size - i < 8 ? size - i : 8);
        sum[i / 8 % 4] = step(sum[i / 8 % 4], word);
    }
    return step(step(step(sum[0], sum[1]), sum[2]), sum[3]) * FACTOR_2;
}

static uint64_t seal_of(uint32_t at, const struct message *message)
{
    uint64_t seal = step(at * FACTOR_2, message->cookie);

    seal = step(seal, message->sequence);
    seal = step(seal, message->fingerprint);
    seal = step(seal, (uint64_t)message->kind << 32 | message->pages);
    seal = step(seal, (uint64_t)message->stored << 32 | message->length);
    seal = step(seal, (uint64_t)(uint32_t)message->msg_flags << 32 | message->peer_known);
    seal = step(seal, message->peer_length);
    for (size_t i = 0; i < sizeof message->peer && i < message->peer_length; i += sizeof seal)
        seal = step(seal, message->peer[i / sizeof seal]);
    return seal * FACTOR_2;
}

/* --- slots ------------------------------------------------------------------------------- */

void slot_read(const struct slot *slot, struct message *ret_message)
{
    ret_message->cookie = table_read(slot->cookie);
    ret_message->sequence = table_read(slot->sequence);
    ret_message->fingerprint = table_read(slot->fingerprint);
    ret_message->seal = table_read(slot->seal);
    ret_message->kind = table_read(slot->kind);
    ret_message->pages = table_read(slot->pages);
    ret_message->stored = table_read(slot->stored);
    ret_message->length = table_read(slot->length);
    ret_message->msg_flags = table_read(slot->msg_flags);
    ret_message->peer_known = table_read(slot->peer_known);
    ret_message->peer_length = table_read(slot->peer_length);
    for (size_t i = 0; i < sizeof slot->peer && i < ret_message->peer_length; i += 8)
        ret_message->peer[i / 8] = table_read(slot->peer[i / 8]);
}

void slot_to_held(const struct slot *slot, const struct message *message, uint64_t state,
                  struct held *ret_held)
{
    ret_held->kind = message->kind;
    ret_held->length = message->length;
    ret_held->offset = (uint32_t)state;
    ret_held->msg_flags = message->msg_flags;
    ret_held->error = table_read(slot->error);
    ret_held->fingerprint = message->fingerprint;
    ret_held->peer_known = message->peer_known;
    ret_held->peer_length = message->peer_length;
    if (message->peer_length <= sizeof ret_held->peer)
        memcpy(&ret_held->peer, message->peer, message->peer_length);
}

static size_t bytes_in(const struct message *message)
{
    return message->kind == HELD_KERNEL ? 0 : message->length - message->stored;
}

static size_t bytes_in_page(const struct message *message, size_t page)
{
    size_t rest = bytes_in(message) - page * PAGE;

    return rest < PAGE ? rest : PAGE;
}

void slot_write(struct slot *slot, const struct message *message)
{
    table_write(slot->cookie, message->cookie);
    table_write(slot->sequence, message->sequence);
    table_write(slot->fingerprint, message->fingerprint);
    table_write(slot->pages, message->pages);
    table_write(slot->stored, message->stored);
    table_write(slot->length, message->length);
    table_write(slot->msg_flags, message->msg_flags);
    table_write(slot->peer_known, message->peer_known);
    table_write(slot->peer_length, message->peer_length);
    for (size_t i = 0; i < sizeof slot->peer && i < message->peer_length; i += 8)
        table_write(slot->peer[i / 8], message->peer[i / 8]);
}

void slot_seal(struct inside *inside, uint32_t at, const struct message *message)
{
    for (size_t page = 0; page * PAGE < bytes_in(message); page++)
        table_write(slot_of(inside, at + (uint32_t)page)->sum,
                    sum_of(page_of(inside, at + (uint32_t)page), bytes_in_page(message, page)));
    table_write(slot_of(inside, at)->seal, seal_of(at, message));
}

bool message_is_sound(const struct inside *inside, uint32_t at, const struct message *message)
{
    const struct extents *extents = extents_of(inside);
    uint32_t count = message->kind == HELD_KERNEL ? extents->slot_count : extents->page_count;

    return at > 0 && at < count && message->pages > 0 && message->pages <= count - at &&
           message->kind > HELD_NOT && message->kind <= HELD_STREAM &&
           message->stored <= message->length &&
           bytes_in(message) <= (size_t)message->pages * PAGE && message->peer_known <= 1 &&
           message->peer_length <= sizeof message->peer &&
           (!is_suspect(inside) || message->seal == seal_of(at, message));
}

bool message_is_intact(const struct inside *inside, uint32_t at, const struct message *message,
                       size_t offset, size_t size)
{
    if (!is_suspect(inside) || size == 0)
        return true;
    for (size_t page = (offset - message->stored) / PAGE;
         page <= (offset - message->stored + size - 1) / PAGE; page++)
        if (table_read(slot_of(inside, at + (uint32_t)page)->sum) !=
            sum_of(page_of(inside, at + (uint32_t)page), bytes_in_page(message, page)))
            return false;
    return true;
}
