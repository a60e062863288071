/* SPDX-License-Identifier: MIT
 *
 * A block of a pcapng file while it is made.
 */
#ifndef WSRX_FORMATS_PCAPNG_BLOCK_H
#define WSRX_FORMATS_PCAPNG_BLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct block {
    unsigned char *data;
    size_t length, room;
    bool failed;
};

void block_begin(struct block *block, uint32_t type);
void block_add(struct block *block, const void *data, size_t length);
void block_add16(struct block *block, uint16_t value);
void block_add32(struct block *block, uint32_t value);
void block_pad(struct block *block);

void block_add_option(struct block *block, uint16_t code, const void *value, size_t length);
void block_add_text(struct block *block, uint16_t code, const char *text);

/* The higher half comes first, as in a packet. */
void block_add_time(struct block *block, uint64_t time);

/* After the last option. */
void block_end_options(struct block *block);

/* Writes the block, unless there was no memory for it. */
void block_finish(struct block *block, FILE *out);

#endif
