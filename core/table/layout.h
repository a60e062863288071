/* SPDX-License-Identifier: MIT
 *
 * The fragment table from the inside: for the files of this folder only.
 *
 * A mapping of PAGE + size bytes. Its first page is private to the process and says how large the
 * pieces of the rest are; the rest is shared by all processes that use the table.
 */
#ifndef WSRX_TABLE_LAYOUT_H
#define WSRX_TABLE_LAYOUT_H

#include "table/table.h"

enum {
    PAGE = 4096,
    TABLE_FORMAT = 4,
    TABLE_AHEAD = 1024, /* pages of a file that are made sure of before they are needed */
    TABLE_FIRST = 256,  /* the same of a new file, of which nobody has needed one yet */
    /* Abandoned messages that are kept for a process that may still ask. */
    ORPHANS_MAX = 1024,
};

/* One slot for each page of the arena; a message uses that of its first page. Pages and slots are
 * named by index; 0 is never used and means "none". Slots are never reused for data, so the state
 * word of a message that is gone can be compared safely.
 *
 * Fields marked * are read without the mutex (see the head of lockless.c): there by table_read(),
 * and written by table_write(). All others belong to the mutex.
 * Fields marked = do not change as long as the message is there: the seal is their sum. */
struct slot {
    /* * Generation in the upper half, offset of the next part in the message in the lower; equal to
     * `length` when the message has been taken to its end. Changes by compare-and-swap, also
     * without the mutex, but for a new message, which is a new generation. */
    _Alignas(8) _Atomic uint64_t state;
    _Alignas(8) uint64_t cookie; /* *= */
    uint64_t sequence;           /* *= in the order of arrival, over all sockets */
    uint64_t fingerprint;        /* *= */
    uint64_t seal;               /* * where others may write to the table: see slot.h */
    uint64_t sum;                /* * the same, of the bytes in the page of this number */
    uint32_t kind;               /* *= enum held_kind; written last, cleared first: for a rebuild */
    uint32_t pages;              /* *= length of the run that starts here */
    uint32_t stored;             /* *= offset in the message at which the stored bytes begin */
    uint32_t length;             /* *= of struct held, as are the following ones */
    int32_t msg_flags;           /* *= */
    uint32_t peer_known;         /* *= */
    uint32_t peer_length;        /* *= */
    uint32_t next;               /* the socket's next message */
    uint32_t last;               /* the socket's last message (first messages only) */
    uint32_t chain;              /* * the bucket's next socket (first messages only) */
    uint32_t orphan;             /* abandoned, and kept for whoever may still ask */
    int32_t holder; /* process id of who held it, or 0: while the table was not shared */
    int32_t error;  /* * */
    int64_t missed;
    _Alignas(8) uint64_t peer[sizeof(struct sockaddr_storage) / sizeof(uint64_t)]; /* *= */
};

/* Whoever reads what a change has written reads afterwards that there is a change: see the head of
 * lockless.c. */
#define table_read(field)         __atomic_load_n(&(field), __ATOMIC_ACQUIRE)
#define table_write(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELEASE)

/* How large its pieces are, and where in the mapping: at another address in each program. */
struct extents {
    uint32_t page_count; /* of the arena, room beyond WSRX_HOLD_MAX included */
    uint32_t pages_max;  /* WSRX_HOLD_MAX */
    size_t slots_at;     /* struct slot [page_count] */
    size_t bitmap_at;    /* a bit set: the page is used */
    size_t arena_at;
    size_t size; /* of it all */
};

/* The page before the table, which no other process can write to. */
struct view {
    struct extents extents;
    bool is_file;
    atomic_bool suspect; /* other processes can write to the table */
    atomic_uint broken;  /* messages that were found damaged, and not reported yet */
    atomic_bool parted;  /* the others were left in the lurch, which is not reported yet */
};

struct inside {
    struct table table; /* first: what may be read without the mutex */
    char magic[8];
    uint32_t format;
    char boot[36];         /* cookies are unique for as long as the system is up */
    _Atomic uint32_t lock; /* the mutex: 0, or its owner's thread id, and FUTEX_WAITERS */
    /* Odd: somebody is in the midst of a change, or died there. Each change makes it another. */
    _Alignas(8) _Atomic uint64_t version;
    uint64_t sequence;
    uint32_t orphans;
    uint32_t top; /* pages above it were never used */
    uint32_t pages_used;
    uint32_t search;    /* where the last free run was found */
    uint32_t populated; /* pages below it are sure to be there (a file's disk may be full) */
    int64_t swept;      /* when what is dead was looked for (ns), as long as that does not help */
    struct extents extents;
    uint32_t remade[TABLE_HASHES]; /* the buckets that a rebuild makes */
};

static inline struct inside *inside_of(struct table *table)
{
    return (struct inside *)table;
}

static inline struct view *view_of(const struct inside *inside)
{
    return (struct view *)((char *)(uintptr_t)inside - PAGE);
}

static inline const struct extents *extents_of(const struct inside *inside)
{
    return &view_of(inside)->extents;
}

/* An index that was read from the mapping may be anything: what leads outside is 0, which is there
 * and of no meaning. */
static inline uint32_t index_in(const struct inside *inside, uint32_t at)
{
    return at < extents_of(inside)->page_count ? at : 0;
}

static inline struct slot *slot_of(const struct inside *inside, uint32_t at)
{
    return (struct slot *)((char *)(uintptr_t)inside + extents_of(inside)->slots_at) +
           index_in(inside, at);
}

static inline char *page_of(const struct inside *inside, uint32_t page)
{
    return (char *)(uintptr_t)inside + extents_of(inside)->arena_at +
           (size_t)index_in(inside, page) * PAGE;
}

static inline uint64_t *bitmap_of(const struct inside *inside)
{
    return (uint64_t *)((char *)(uintptr_t)inside + extents_of(inside)->bitmap_at);
}

/* Where the slots end that were ever used. */
static inline uint32_t top_of(const struct inside *inside)
{
    uint32_t top = inside->top, count = extents_of(inside)->page_count;

    return top < count ? top : count;
}

static inline bool is_suspect(const struct inside *inside)
{
    return atomic_load_explicit(&view_of(inside)->suspect, memory_order_relaxed);
}

static inline size_t round_up(size_t size)
{
    return (size + PAGE - 1) / PAGE * PAGE;
}

/* In the place of an offset: the message has been taken away by somebody who could not remove it
 * (separate.c). */
#define OFFSET_GONE UINT32_MAX

static inline uint64_t state_of(uint64_t generation, size_t offset)
{
    return generation << 32 | (uint32_t)offset;
}

#endif
