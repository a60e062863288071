/* SPDX-License-Identifier: MIT
 *
 * Records summed up: by socket, by caller and over time. Pure arithmetic, one record at a time.
 */
#ifndef WSRX_INPUT_SUMMARY_H
#define WSRX_INPUT_SUMMARY_H

#include "input/reader.h"

/* Sizes by powers of two: bin 0 is 0 bytes, bin n is 2^(n-1) to 2^n - 1. */
enum { SIZE_BINS = 26, TIME_BINS = 120, CALLS_BITS = 16 };

struct sums {
    uint64_t receives, errors, messages, partial;
    uint64_t bytes, saved, lost, lost_messages;
    uint64_t dropped; /* messages, by the kernel, for want of room in the socket's queue */
};

struct summary_socket {
    uint32_t pid;
    uint64_t cookie;
    int fd;
    char program[64], address[RECORD_ADDRESS_MAX];
    struct sums sums;
    uint64_t least_room, most_room; /* buffers that got a message or a part */
    uint64_t short_room;            /* the smallest that was too short; UINT64_MAX: none was */
    uint32_t longest;
    unsigned calls, losing; /* a bit for each enum record_call: that it came by, that lost bytes */
    uint64_t fits[SIZE_BINS], parts[SIZE_BINS], cut[SIZE_BINS]; /* messages by size and fate */
};

struct summary_caller {
    uint32_t pid;
    uint64_t address;
    enum record_call call;
    char program[64];
    struct record_module module; /* in which it lies; `path` is "" if that is not known */
    struct sums sums;
    uint64_t least_room;
    uint32_t longest;
};

struct summary_time {
    uint64_t bytes, saved, lost;
};

struct summary {
    struct sums total;
    bool at_least; /* there was more: records are gone, and no totals tell what was in them */
    bool sampled;  /* sizes by fate, and the sums over time, are those of the records left */
    struct summary_socket **socket; /* worst loss first, when finished */
    size_t sockets;
    struct summary_caller **caller;
    size_t callers;
    uint64_t first, last; /* time */
    uint64_t width;       /* of a time bin, in nanoseconds */
    struct summary_time time[TIME_BINS];
    void *socket_tree, *caller_tree;
};

/* Of the records that pass the reader's filter. Without one, the sums of a ring file are those of its
 * totals, if it has them, and so they are right whatever was overwritten. */
struct summary *summary_of(struct reader *reader);

/* The same step by step: records are added, and finished as often as the sums are looked at. */
struct summary *summary_new(void);
void summary_add(struct summary *summary, const struct reader_file *file,
                 const struct record *record);
void summary_finish(struct summary *summary, struct reader *reader);

/* What the files themselves say now; no record is read. */
struct summary *summary_of_totals(struct reader *reader);

void summary_free(struct summary *summary);

#endif
