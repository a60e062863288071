/* SPDX-License-Identifier: MIT
 *
 * Where the fragment table lies: in an anonymous mapping, in a file that survives exec, or in
 * memory that the caller provides.
 */
#ifndef WSRX_TABLE_BACKING_H
#define WSRX_TABLE_BACKING_H

#include "table/table.h"

struct inside;

/* How much a table has room for. */
struct table_room {
    size_t hold_max; /* bytes of tails: when these are held, the next ones are held in the kernel */
    size_t slack;    /* bytes of tails beyond it */
    uint32_t records; /* messages held in the kernel for which no page of the above is needed */
};

/* Maps a new table for up to `hold_max` bytes of tails, or a smaller one if there is not so much
 * memory. 0, or a negative errno. Async-signal-safe. */
int table_create(size_t hold_max, struct table **ret_table);
int table_create_within(struct table_room room, struct table **ret_table);

/* Receives that are under way when the table fills up are held all the same: room for 1,024
 * datagrams, which is address space only until it is used; a 32-bit program has little of that. */
enum { TABLE_SLACK = sizeof(size_t) > 4 ? 64 << 20 : 32 << 20 };

/* Makes one in `size` bytes of memory, which begin at a page. It is for messages that have been
 * received already; all others are held in the kernel. 0, or a negative errno.
 * Async-signal-safe. */
int table_create_at(void *at, size_t size, struct table **ret_table);

/* Maps the table of a file, so that tails survive exec. Makes the file if there is none. NULL, or
 * why it cannot be used: a static string. Not for signal handlers. */
const char *table_open(const char *path, size_t hold_max, struct table **ret_table);

/* Maps `size` bytes of zeros, or of the file, behind a private page (struct view). `flags` of
 * mmap(2), beside MAP_SHARED. NULL: `*ret_error` says why. Async-signal-safe. */
struct inside *backing_map(size_t size, int flags, int fd, int *ret_error);

/* Unmaps what table_create() or table_open() has mapped. */
void table_destroy(struct table *table);

#endif
