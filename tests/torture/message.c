/* SPDX-License-Identifier: MIT */
#include "message.h"

#include "torture.h"

#include <string.h>

/* The socket and the number; then offset/16 (17 bits), length (21 bits), check sum (26 bits). */
struct block {
    uint64_t who, where;
};

enum { CHECK_BITS = 26, LENGTH_BITS = 21 };

static struct block block_of(const struct message *message, size_t offset)
{
    uint64_t where = (uint64_t)(offset / MESSAGE_BLOCK) << LENGTH_BITS | message->length;
    struct block block = {(uint64_t)message->number << 32 | message->socket, where << CHECK_BITS};
    uint64_t sum = (block.who ^ options.seed) * UINT64_C(0xff51afd7ed558ccd);

    sum = (sum ^ sum >> 29 ^ where) * UINT64_C(0xc4ceb9fe1a85ec53);
    block.where |= sum >> (64 - CHECK_BITS);
    return block;
}

void message_fill(void *to, const struct message *message, size_t offset, size_t size)
{
    unsigned char *at = to;

    while (size > 0) {
        struct block block = block_of(message, offset);
        size_t skip = offset % MESSAGE_BLOCK;
        size_t piece = MESSAGE_BLOCK - skip < size ? MESSAGE_BLOCK - skip : size;

        memcpy(at, (char *)&block + skip, piece);
        at += piece;
        offset += piece;
        size -= piece;
    }
}

size_t message_match(const void *bytes, size_t size, const struct message *message, size_t offset)
{
    const unsigned char *from = bytes;
    size_t at = 0;

    while (at < size) {
        struct block block = block_of(message, offset + at);
        size_t skip = (offset + at) % MESSAGE_BLOCK;
        size_t piece = MESSAGE_BLOCK - skip < size - at ? MESSAGE_BLOCK - skip : size - at;

        if (memcmp(from + at, (char *)&block + skip, piece) != 0) {
            while (from[at] == ((unsigned char *)&block)[skip])
                at++, skip++;
            return at;
        }
        at += piece;
    }
    return size;
}

bool message_identify(const void *bytes, size_t size, struct message *ret_message,
                      size_t *ret_offset)
{
    struct block block, check;

    if (size < sizeof block)
        return false;
    memcpy(&block, bytes, sizeof block);
    ret_message->socket = (unsigned)block.who;
    ret_message->number = (unsigned)(block.who >> 32);
    ret_message->length = block.where >> CHECK_BITS & ((1u << LENGTH_BITS) - 1);
    *ret_offset = (size_t)(block.where >> (CHECK_BITS + LENGTH_BITS)) * MESSAGE_BLOCK;
    check = block_of(ret_message, *ret_offset);
    return memcmp(&block, &check, sizeof block) == 0;
}
