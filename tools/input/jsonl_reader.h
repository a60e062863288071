/* SPDX-License-Identifier: MIT
 *
 * Reads records from JSON Lines: the inverse of format_jsonl().
 */
#ifndef WSRX_INPUT_JSONL_READER_H
#define WSRX_INPUT_JSONL_READER_H

#include "input/reader_file.h"
#include "trace/record.h"

#include <stdio.h>

/* A record, and what it points to. */
struct jsonl_record {
    struct record record;
    struct sockaddr_storage local, peer;
    unsigned char data[];
};

/* All records of a stream in the order of time; the array and each of them are to be freed. What the
 * other lines tell goes into `file`. False: there is damage, or nothing, and that was reported; what
 * is before the damage is given. */
bool jsonl_read(struct reader_file *file, FILE *stream, struct jsonl_record ***ret_lines,
                size_t *ret_count);

#endif
