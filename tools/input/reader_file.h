/* SPDX-License-Identifier: MIT
 *
 * A file of records, as far as its readers and those who print about it need to know it.
 */
#ifndef WSRX_INPUT_READER_FILE_H
#define WSRX_INPUT_READER_FILE_H

#include "trace/ring.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader_file {
    char *path, *shown; /* `shown`: printable */
    uint32_t pid, parent;
    char *program; /* its name without the directory, printable, or "" */
    long east;
    uint64_t records;     /* that it has, or had when it was opened */
    uint64_t overwritten; /* gone from the ring before they were read */
    uint64_t dropped;     /* never written, for want of space */
    uint64_t unfinished;  /* the program was killed while it wrote them */
    bool finished;        /* the program has exited */
    bool damaged;

    /* A ring file. */
    int fd;
    const char *at; /* its mapping; NULL: it has lines */
    size_t size;
    struct ring_file head;
    uint64_t offset; /* from its clock to nanoseconds since 1970 */
};

#endif
