/* SPDX-License-Identifier: MIT
 *
 * The fragment table from the inside: for table.c and table_map.c only.
 */
#ifndef WSRX_TABLE_LAYOUT_H
#define WSRX_TABLE_LAYOUT_H

#include "table.h"

enum {
    PAGE = 4096,
    TABLE_FORMAT = 1,
    TABLE_AHEAD = 1024, /* pages of a file that are made sure of before they are needed */
    /* Abandoned messages that are kept for a process that may still ask. */
    ORPHANS_MAX = 1024,
};

/* One slot for each page of the arena; a message uses that of its first page. Pages and slots are
 * named by index; 0 is never used and means "none". Slots are never reused for data, so the state
 * word of a message that is gone can be compared safely. */
struct slot {
    /* Generation in the upper half, offset of the next part in the message in the lower. Changes
     * with the mutex held, by compare-and-swap (see the head of table.h). */
    _Alignas(8) _Atomic uint64_t state;
    uint64_t cookie;
    uint64_t sequence; /* in the order of arrival, over all sockets */
    uint32_t pages;    /* length of the run that starts here */
    uint32_t next;     /* the socket's next message */
    uint32_t chain;    /* the bucket's next socket (first messages only) */
    uint32_t stored;   /* offset in the message at which the stored bytes begin */
    bool orphan;
    struct held held; /* .kind is written last, and cleared first: what repair() goes by */
};

/* How large its pieces are, and where in the mapping: at another address in each program. */
struct extents {
    uint32_t page_count; /* of the arena, room beyond WSRX_HOLD_MAX included */
    uint32_t pages_max;  /* WSRX_HOLD_MAX */
    size_t slots_at;     /* struct slot [page_count] */
    size_t bitmap_at;    /* a bit set: the page is used */
    size_t arena_at;
    size_t size; /* of it all */
};

struct inside {
    struct table table; /* first: what may be read without the mutex */
    char magic[8];
    uint32_t format;
    char boot[36]; /* cookies are unique for as long as the system is up */
    pthread_mutex_t mutex;
    atomic_bool dirty; /* somebody is in the midst of a change, or died there */
    uint64_t sequence;
    _Alignas(8) _Atomic uint64_t version; /* changes with every link: what an interrupted walk goes by */
    uint32_t orphans;
    uint32_t top;         /* pages above it were never used */
    uint32_t pages_used;
    uint32_t search;      /* where the last free run was found */
    uint32_t bucket[TABLE_HASHES];
    uint32_t populated;   /* pages below it are sure to be there (a file's disk may be full) */
    bool is_file;
    struct extents extents;
};

static inline struct inside *inside_of(struct table *table)
{
    return (struct inside *)table;
}

static inline struct slot *slot_of(const struct inside *inside, uint32_t at)
{
    return (struct slot *)((char *)(uintptr_t)inside + inside->extents.slots_at) + at;
}

static inline uint64_t *bitmap_of(const struct inside *inside)
{
    return (uint64_t *)((char *)(uintptr_t)inside + inside->extents.bitmap_at);
}

static inline char *page_of(const struct inside *inside, uint32_t page)
{
    return (char *)(uintptr_t)inside + inside->extents.arena_at + (size_t)page * PAGE;
}

static inline size_t round_up(size_t size)
{
    return (size + PAGE - 1) / PAGE * PAGE;
}

/* Makes sure that the arena's pages below `page`, and their slots, can be written to: of a file on
 * a full disk they cannot. Async-signal-safe. */
bool table_populate(struct inside *inside, uint32_t page);

/* The mutex, with repair after a death inside it. table_lock() tells table_unlock() whether it is
 * to be released. */
bool table_lock(struct inside *inside);
void table_unlock(struct inside *inside, bool release);

#endif
