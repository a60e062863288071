/* SPDX-License-Identifier: MIT
 *
 * Puts a message into its slot and pages.
 */
#ifndef WSRX_TABLE_FILL_H
#define WSRX_TABLE_FILL_H

#include "table/layout.h"
#include "table/slot.h"

/* What a slot is to say of the message, whose bytes are stored from `offset` on. Its sequence and its
 * pages are left 0. */
void message_init(struct message *message, const struct held *held, uint64_t cookie, size_t offset);

/* Writes the message, its `size` bytes from `message->stored` on, into the slot at `at`: all but the
 * state and the kind. */
void fill(struct inside *inside, uint32_t at, const struct message *message,
          const struct iovec *iov, size_t iovlen, size_t size);

/* Seals what was filled, where other processes write, too. */
void fill_seal(struct inside *inside, uint32_t at, const struct message *message,
               const struct iovec *iov, size_t iovlen, size_t size);

#endif
