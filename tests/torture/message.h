/* SPDX-License-Identifier: MIT
 *
 * Self-describing messages. Every block of 16 bytes names its socket, its message, the message's
 * length and its own offset, with a check sum of all this and the seed; so whoever holds some bytes
 * knows which bytes they are, wherever a part begins.
 */
#ifndef WSRX_TORTURE_MESSAGE_H
#define WSRX_TORTURE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

enum { MESSAGE_BLOCK = 16, MESSAGE_LONGEST = 1 << 20 };

struct message {
    unsigned socket, number;
    size_t length;
};

/* Writes `size` bytes of the message, from `offset`. */
void message_fill(void *to, const struct message *message, size_t offset, size_t size);

/* How many of the bytes are those of the message, from `offset` on. */
size_t message_match(const void *bytes, size_t size, const struct message *message, size_t offset);

/* What the first block of some bytes says of itself. False: it is no whole block. */
bool message_identify(const void *bytes, size_t size, struct message *ret_message,
                      size_t *ret_offset);

#endif
