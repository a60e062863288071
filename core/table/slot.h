/* SPDX-License-Identifier: MIT
 *
 * What a slot says of its message, and whether that is possible.
 *
 * A process that shares the table may write anything into it, by a fault or because it was taken
 * over. So whoever uses a message copies its slot once, and checks the copy. The seal and the sums
 * find accidental changes. The bounds also hold against deliberate ones: nobody reads or writes
 * outside the table.
 */
#ifndef WSRX_TABLE_SLOT_H
#define WSRX_TABLE_SLOT_H

#include "table/layout.h"

/* A copy of the fields that do not change while the message is held. */
struct message {
    uint64_t cookie, sequence, fingerprint, seal;
    uint32_t kind, pages, stored, length, peer_known, peer_length;
    int32_t msg_flags;
    uint64_t peer[sizeof(struct sockaddr_storage) / sizeof(uint64_t)];
};

void slot_read(const struct slot *slot, struct message *ret_message);

/* Writes all but the kind, which is written last, and the seal. */
void slot_write(struct slot *slot, const struct message *message);

/* Writes the seal of the slot at `at`, and the sums of its message's bytes. */
void slot_seal(struct inside *inside, uint32_t at, const struct message *message);

/* The record of the message, with the fields that change. */
void slot_to_held(const struct slot *slot, const struct message *message, uint64_t state,
                  struct held *ret_held);

/* Whether such a message is possible at `at`. */
bool message_is_sound(const struct inside *inside, uint32_t at, const struct message *message);

/* Whether its `size` bytes from `offset` on are those that were summed. */
bool message_is_intact(const struct inside *inside, uint32_t at, const struct message *message,
                       size_t offset, size_t size);

#endif
