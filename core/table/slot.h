/* SPDX-License-Identifier: MIT
 *
 * What a slot says of its message, and whether that can be.
 *
 * A process that shares the table may write anything into it: by a fault, or because somebody has
 * taken it over. So whoever uses a message copies what its slot says once, and checks the copy. The
 * seal and the sums find what was changed by chance; the bounds hold against a purpose, too, so
 * that nobody reads or writes outside the table.
 */
#ifndef WSRX_TABLE_SLOT_H
#define WSRX_TABLE_SLOT_H

#include "table/layout.h"

/* A copy of what does not change as long as the message is there. */
struct message {
    uint64_t cookie, sequence, fingerprint, seal;
    uint32_t kind, pages, stored, length, peer_known, peer_length;
    int32_t msg_flags;
    uint64_t peer[sizeof(struct sockaddr_storage) / sizeof(uint64_t)];
};

void slot_read(const struct slot *slot, struct message *ret_message);

/* Writes all but the kind, which is written last, and the seal. */
void slot_write(struct slot *slot, const struct message *message);

/* Puts the seal on what has been written to the slot at `at`, and sums its bytes. */
void slot_seal(struct inside *inside, uint32_t at, const struct message *message);

/* The record of it, with what changes in it. */
void slot_to_held(const struct slot *slot, const struct message *message, uint64_t state,
                  struct held *ret_held);

/* Whether there may be such a message at `at`. */
bool message_is_sound(const struct inside *inside, uint32_t at, const struct message *message);

/* Whether its bytes from `offset` on, `size` of them, are those that were sealed. */
bool message_is_intact(const struct inside *inside, uint32_t at, const struct message *message,
                       size_t offset, size_t size);

#endif
