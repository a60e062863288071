/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "formats/pcapng_block.h"

#include <stdlib.h>
#include <string.h>

void block_add(struct block *block, const void *data, size_t length)
{
    if (block->failed)
        return;
    if (block->length + length + 4 > block->room) {
        size_t room = 2 * (block->length + length) + 256;
        unsigned char *grown = realloc(block->data, room);

        if (!grown) {
            block->failed = true;
            return;
        }
        block->data = grown;
        block->room = room;
    }
    if (length > 0)
        memcpy(block->data + block->length, data, length);
    block->length += length;
}

void block_pad(struct block *block)
{
    static const char zeros[4];

    block_add(block, zeros, -block->length & 3);
}

void block_add32(struct block *block, uint32_t value)
{
    block_add(block, &value, sizeof value);
}

void block_add16(struct block *block, uint16_t value)
{
    block_add(block, &value, sizeof value);
}

void block_add_option(struct block *block, uint16_t code, const void *value, size_t length)
{
    block_add16(block, code);
    block_add16(block, (uint16_t)length);
    block_add(block, value, length);
    block_pad(block);
}

void block_add_text(struct block *block, uint16_t code, const char *text)
{
    block_add_option(block, code, text, strlen(text));
}

void block_add_time(struct block *block, uint64_t time)
{
    block_add32(block, (uint32_t)(time >> 32));
    block_add32(block, (uint32_t)time);
}

void block_end_options(struct block *block)
{
    block_add32(block, 0);
}

void block_begin(struct block *block, uint32_t type)
{
    block->length = 0;
    block_add32(block, type);
    block_add32(block, 0);
}

void block_finish(struct block *block, FILE *out)
{
    uint32_t length = (uint32_t)block->length + 4;

    block_add32(block, length);
    if (block->failed)
        return;
    memcpy(block->data + 4, &length, sizeof length);
    fwrite_unlocked(block->data, 1, block->length, out);
}
