/* SPDX-License-Identifier: MIT
 *
 * Reads files of records: rings (finished, killed or still being written) and JSON Lines.
 *
 * It owns the judgement of what a file holds, and gives the records of all files in the order of
 * time. A file may be damaged or made by somebody unfriendly: every number in it is checked before
 * it is used, and everything before the damage is given.
 */
#ifndef WSRX_READER_H
#define WSRX_READER_H

#include "trace/record.h"
#include "trace/ring.h"

#include <stdio.h>

struct reader_file {
    char *path, *shown; /* `shown`: printable */
    uint32_t pid, parent;
    char *program; /* its name without the directory, printable, or "" */
    long east;
    uint64_t records;     /* that it has, or had when it was opened */
    uint64_t overwritten; /* gone from the ring before they were read */
    uint64_t dropped;     /* never written, for want of space */
    uint64_t unfinished;  /* the program was killed while it wrote them */
    bool finished;        /* the program has ended by itself */

    /* A ring. */
    int fd;
    const char *at;
    size_t size;
    struct ring_file head;
    uint64_t offset; /* from its clock to nanoseconds since 1970 */
};

struct reader;

struct reader *reader_new(void);
void reader_free(struct reader *reader);

/* Adds a file. False: it is none of ours or damaged, and that was told; what can be read of it is
 * there all the same. */
bool reader_add(struct reader *reader, const char *path);

/* The next record of all files by time, and its file (may be NULL). False: there is none now. What
 * the record points to stays as long as the reader; of a ring still being written, until the next
 * call. */
bool reader_next(struct reader *reader, struct record *ret_record,
                 const struct reader_file **ret_file);

/* Looks for records that came to rings since: then reader_next() has more. */
void reader_refresh(struct reader *reader);

/* Opens a file to write to; "-" is standard output. NULL: told; nothing that it reads is written
 * over. */
FILE *reader_output(const struct reader *reader, const char *path);

size_t reader_files(const struct reader *reader);
const struct reader_file *reader_file(const struct reader *reader, size_t number);

/* Of all files. */
uint64_t reader_records(const struct reader *reader);
bool reader_damaged(const struct reader *reader);

/* Tells on stderr what is missing: overwritten, dropped, unfinished records. */
void reader_tell_missing(const struct reader *reader);

#endif
