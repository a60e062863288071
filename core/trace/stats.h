/* SPDX-License-Identifier: MIT
 *
 * The statistics: what each socket received, by which call, and what it lost; in the manner of
 * strace -c, worst loss first.
 *
 * A table belongs to one thread at a time, so that counting is plain additions; the tables of all
 * threads are added up when the program ends. It must never allocate or use stdio: a receive may
 * be in a signal handler, and the end of a program may be its _exit().
 */
#ifndef WSRX_TRACE_STATS_H
#define WSRX_TRACE_STATS_H

#include "trace/record.h"

enum { STATS_ROWS = 256, STATS_ADDRESS = 112 };

/* What a message that fits needs comes first, in one line of the cache. */
struct stats_row {
    uint64_t cookie; /* 0: all sockets that came when the table was full */
    uint32_t call;   /* enum record_call; RECORD_UNKNOWN: the row is free */
    uint32_t longest;
    uint64_t receives, bytes;
    uint64_t room; /* the smallest buffer that got a message, or a part of it */
    int32_t fd;
    uint32_t local_length;
    uint64_t errors, partial, saved, lost, lost_messages;
    uint64_t peeks;   /* of the receives */
    uint32_t dropped; /* by the kernel: as in a record, the largest */
    unsigned char local[STATS_ADDRESS];
} __attribute__((aligned(64)));

/* All zero at first. */
struct stats_table {
    struct stats_row row[STATS_ROWS];
};

/* Returns the row in which it was counted; it stays that of its socket and call, if it is. */
struct stats_row *stats_add(struct stats_table *table, const struct record *record);

/* A message that fitted, as nearly all do: nothing else of its row changes. */
static inline void stats_count(struct stats_row *row, uint64_t room, uint32_t length)
{
    row->receives++;
    row->bytes += length;
    if (room < row->room)
        row->room = room;
    if (length > row->longest)
        row->longest = length;
}

/* Adds a row to the one of its socket and call. */
void stats_add_row(struct stats_table *table, const struct stats_row *row);

/* Adds `from` to `to`. */
void stats_merge(struct stats_table *to, const struct stats_table *from);

/* What stands above the table. */
struct stats_head {
    const char *program; /* printable */
    uint32_t pid;
    const char *mode;
    bool at_least; /* there was more than it says */
};

/* What the kernel dropped of a socket's messages goes to the row of a receive of it, if there is
 * one, and to one row only. Before the rows are looked at. */
void stats_settle(struct stats_table *table);

/* Sorts the rows, worst loss first, and makes the text of the table. Settles the
 * table. Returns its length; a text that is too long is cut at a line. */
size_t stats_text(struct stats_table *table, const struct stats_head *head, char *to, size_t size);

#endif
