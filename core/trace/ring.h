/* SPDX-License-Identifier: MIT
 *
 * The ring: how records lie in a file that survives the program, and who writes them there.
 *
 * The format, version 1. Numbers are in the byte order of the machine that wrote them: of the other
 * order is a file whose version is above 65535. Offsets and sizes are in bytes.
 *
 *   0             struct ring_file
 *   modules_at    the modules from which receives were called: struct record_module
 *   totals_at     the sums of each socket and caller: struct ring_total
 *   header_size   rings of `ring_size` each, `rings` of them; each is a struct ring_head in a block
 *                 of `ring_head_size`, then as many records of `record_size` as fit behind it
 *
 * A ring is written by one thread at a time; a thread that ends leaves its ring to the next one.
 * Record number n (from 0) of a ring lies in place n modulo its `capacity`, which may be smaller than
 * the ring where there was no room for all of it. `written` counts the
 * records that were ever put there, so written - capacity (where that is positive) have been
 * overwritten. A record is there if its `sequence` is base + n + 1; while it is being written the
 * sequence is 0, and a program that is killed then leaves that one record so: its receive had not
 * returned. Nothing needs to be flushed or closed: what is in the mapping is in the file.
 * A ring whose head has no magic was never used. With RING_KEEP_ALL a full ring is left as it is,
 * and the thread goes on in a new one, whose `base` continues the numbers.
 *
 * The totals are counted beside the records, so that they are right whatever was overwritten. A row
 * is written by one thread; a socket and caller may have several, to be added up. Row 0 is for all
 * that had no room in a row of their own: its cookie is 0. Files of older libraries have
 * neither modules nor totals: the numbers of their fields are 0.
 *
 * A reader takes sizes from the file, not from this header, so that fields can be added at the end
 * of each structure within a version; a changed meaning gets a new version. What is written at once
 * is aligned, so that it is the same in 32-bit programs.
 */
#ifndef WSRX_TRACE_RING_H
#define WSRX_TRACE_RING_H

#include "trace/module.h"
#include "trace/output_file.h"
#include "trace/program.h"
#include "trace/record.h"

#include <stdatomic.h>
#include <stdint.h>

#define RING_MAGIC      "WSRXRING"
#define RING_HEAD_MAGIC "ring"

enum {
    RING_VERSION = 1,
    RING_HEADER_SIZE = 4096,
    RING_HEAD_SIZE = 256,
    RING_ADDRESSES = 176,                   /* of both addresses together, in a record */
    RING_RECORD_SIZE = 80 + RING_ADDRESSES, /* without payload */
    RING_LEAST_RECORDS = 16,                /* in a ring, however small a size was asked for */
    RING_TOTAL_ADDRESS = 120,
    RING_TOTALS = 2048,
};

enum ring_flag {
    RING_KEEP_ALL = 1 << 0,
    RING_FINISHED = 1 << 1, /* the program has ended by itself, and the file is cut to its size */
};

struct ring_file {
    char magic[8];
    uint32_t version;
    uint32_t header_size;
    uint32_t ring_head_size;
    uint32_t record_size;
    uint64_t ring_size;
    uint32_t pid;
    uint32_t parent;              /* the process that forked this one, or 0 */
    int64_t realtime_offset;      /* added to a record's time: nanoseconds since 1970 */
    uint64_t start;               /* time when the library started, as in the records */
    int64_t east;                 /* of UTC, in seconds: the program's time zone */
    uint32_t data_size;           /* bytes of payload that a record may keep */
    uint32_t flags;               /* enum ring_flag */
    uint32_t rings;               /* all that are ready have a smaller number */
    uint32_t modules;             /* room for so many, of `module_size` each */
    _Alignas(8) uint64_t dropped; /* records that could not be written: no space, no memory */
    char boot[40];     /* /proc/sys/kernel/random/boot_id: times can be compared within it */
    char program[256]; /* what was executed */
    char library[16];  /* version of the library */
    _Alignas(8) uint64_t modules_at;
    uint64_t totals_at;
    uint64_t uncounted; /* of those dropped: not in the totals either */
    uint32_t module_size;
    uint32_t total_size;
    uint32_t totals;            /* room for so many rows, of `total_size` each */
    uint32_t totals_used;       /* row 0 included */
    struct trace_program about; /* of the program */
};

struct ring_head {
    char magic[4];
    uint32_t number; /* of this ring */
    uint32_t tid;    /* of the thread that wrote last */
    uint32_t reserved;
    uint64_t base;
    _Alignas(8) uint64_t written;
    uint64_t capacity;
};

/* A message that fitted, and was received whole, is counted in `fitted` alone: it is one of the
 * receives and one of the messages. */
struct ring_total {
    _Alignas(8) uint64_t cookie;
    uint64_t caller;
    uint64_t fitted;
    uint64_t bytes;
    uint64_t least_room, most_room; /* of the buffers that got a message or a part */
    uint32_t longest;               /* message */
    uint32_t used;                  /* 0: not yet */
    uint32_t call;                  /* enum record_call */
    int32_t fd;
    uint64_t receives, messages, errors, partial, saved, lost, lost_messages;
    uint32_t dropped; /* as in a record: the largest */
    uint32_t local_length;
    uint64_t peeks; /* of the receives */
    unsigned char local[RING_TOTAL_ADDRESS];
};

/* The local address, the peer's and the payload lie one behind the other in `tail`. */
struct ring_record {
    _Alignas(8) uint64_t sequence;
    uint64_t time; /* nanoseconds of CLOCK_MONOTONIC */
    uint64_t cookie;
    uint64_t caller;
    uint64_t room;
    uint32_t length, given, offset, left, lost;
    uint32_t tid;
    int32_t fd;
    uint8_t call; /* enum record_call */
    uint8_t flags;
    uint16_t error;
    uint16_t data_length; /* in the record */
    uint8_t local_length, peer_length;
    uint32_t dropped;
    unsigned char tail[RING_ADDRESSES];
};

/* --- the writer, in the library ---------------------------------------------------------- */

/* What is the same for the whole life of the program. */
struct ring_settings {
    size_t size; /* of a thread's ring */
    bool keep_all;
    size_t data_size;
    long east;
};

/* The process's file. */
struct ring_process {
    /* What every record asks for is in one line of the cache. */
    struct ring_settings settings;
    size_t record_size;
    uint64_t capacity;
    size_t ring_size;
    struct output_file *output;
    uint32_t parent;
    uint64_t start;
    struct ring_file *file; /* NULL: not made yet */
    atomic_ulong dropped, uncounted;
    atomic_uint rings; /* numbers given to rings; those that are ready are in the file's head */
    atomic_ulong totals_ready; /* bytes that may be written, from the file's start */
} __attribute__((aligned(64)));

enum { RING_WRITER_ROWS = 512 };

/* A thread's place in it. */
struct ring_writer {
    struct ring_head *head; /* NULL: none yet */
    char *records;
    uint64_t written, place;
    uint64_t ready; /* places that may be written */
    size_t ready_bytes;
    uint64_t offset; /* of the ring, in the file */
    /* The rows of its sockets and callers, by a hash of them. */
    struct ring_total *row[RING_WRITER_ROWS];
};

/* Prepares the process's file, which is made with the first record. */
void ring_prepare(struct ring_process *process, const struct ring_settings *settings,
                  struct output_file *output, uint32_t parent, uint64_t start);

/* Adds a record. Times are those of clock.h. One thread at a time for a writer.
 * Async-signal-safe, no lock, and no system call but where the file or a ring begins. */
void ring_write(struct ring_process *process, struct ring_writer *writer,
                const struct record *record);

/* Makes the writer's ring whole, for a sandbox that is about to come. */
void ring_prepare_sandbox(struct ring_process *process, struct ring_writer *writer, uint32_t tid);

/* A record is lost for want of space: counted. */
void ring_drop(struct ring_process *process);

/* The program ends. */
void ring_end(struct ring_process *process);

#endif
