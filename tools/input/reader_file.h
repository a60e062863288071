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

/* A module of a process of the file. */
struct reader_module {
    uint32_t pid;
    struct record_module module;
};

/* A process of a file of lines, as its start line tells of it. */
struct reader_process {
    uint32_t pid, parent;
    uint64_t time; /* when it started; 0: not known */
    struct trace_program about;
    char *name; /* of the program, printable */
};

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
    struct trace_program about; /* of the (first) process; what is not known is "" */
    char library[16];           /* the version of the library */
    struct reader_module **module;
    size_t modules;
    bool totals;        /* it has totals: see reader_total() */
    uint64_t uncounted; /* records that are not in them */

    /* A file of lines, which may have those of several processes. */
    struct reader_process **process;
    size_t processes;

    /* A ring file. */
    int fd;
    const char *at; /* its mapping; NULL: it has lines */
    size_t size;
    struct ring_file head;
    uint64_t offset;  /* from its clock to nanoseconds since 1970 */
    bool other_order; /* it was written on a machine of the other byte order */
};

void reader_file_add_module(struct reader_file *file, uint32_t pid,
                            const struct record_module *module);

/* Ends each string of what another program has written. */
void reader_file_end_strings(struct trace_program *about);

#endif
