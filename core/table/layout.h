/* SPDX-License-Identifier: MIT
 *
 * The fragment table from the inside: for the files of this folder only.
 *
 * A mapping of PAGE + size bytes. Its first page is private to the process, and says how large the
 * pieces of the rest are. The rest is shared by all processes that use the table.
 */
#ifndef WSRX_TABLE_LAYOUT_H
#define WSRX_TABLE_LAYOUT_H

#include "table/table.h"

enum {
    PAGE = 4096,
    TABLE_FORMAT = 7,
    TABLE_AHEAD = 1024, /* pages of a file that get disk space before they are needed */
    TABLE_FIRST = 256,  /* the same, before the first message is received */
    /* How many orphans are kept: another process may still have their sockets. */
    ORPHANS_MAX = 1024,
};

/* One slot for each page of the arena. A message uses the slot of its first page. Pages and slots
 * are numbered; 0 is never used and means "none". A slot never becomes anything else, so the state
 * word of a message that is gone can still be compared. The last slots of a small table have no page:
 * they are for messages that are held in the kernel, and take a tenth of the memory.
 *
 * Fields marked * are also read without the mutex (lockless.c), by table_read(), and are written by
 * table_write(). All others belong to the mutex.
 * Fields marked = do not change while the message is held: the seal is their checksum. */
struct slot {
    /* * Generation in the upper half, offset of the next part in the lower. The offset is `length`
     * when all of the message has been taken, or one of those named OFFSET_. Changes by
     * compare-and-swap, also without the mutex. A new message is a new generation. */
    _Alignas(8) _Atomic uint64_t state;
    _Alignas(8) uint64_t cookie; /* *= */
    uint64_t sequence;           /* *= in the order of arrival, over all sockets */
    uint64_t fingerprint;        /* *= */
    uint64_t seal;               /* * if others can write to the table: see slot.h */
    uint64_t sum;                /* * likewise: checksum of the bytes in the page of this number */
    uint32_t kind;               /* *= enum held_kind; written last, cleared first: for a rebuild */
    uint32_t pages;              /* *= length of the run that starts here */
    uint32_t stored;             /* *= offset in the message at which the stored bytes begin */
    uint32_t length;             /* *= of struct held, as are the following ones */
    int32_t msg_flags;           /* *= */
    uint32_t peer_known;         /* *= */
    uint32_t peer_length;        /* *= */
    uint32_t next;               /* * the socket's next message */
    uint32_t last;               /* the socket's last message (first messages only) */
    uint32_t chain;              /* * the bucket's next socket (first messages only) */
    uint32_t orphan;             /* * its socket is closed here, but may be open elsewhere */
    int32_t holder;              /* process id of who held it; 0: the table was not shared then */
    int32_t error;               /* * */
    int64_t missed;
    _Alignas(8) uint64_t peer[sizeof(struct sockaddr_storage) / sizeof(uint64_t)]; /* *= */
};

/* Acquire and release: whoever reads what a change has written will also read its `version`
 * (lockless.c). */
#define table_read(field)         __atomic_load_n(&(field), __ATOMIC_ACQUIRE)
#define table_write(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELEASE)

/* How large the pieces are, and their offsets in the mapping, whose address differs in each
 * process. */
struct extents {
    uint32_t slot_count; /* all numbers are below it */
    uint32_t page_count; /* of the arena, room beyond WSRX_HOLD_MAX included */
    uint32_t pages_max;  /* WSRX_HOLD_MAX */
    uint32_t records;    /* the slots that have no page */
    size_t slots_at;     /* struct slot [slot_count] */
    size_t bitmap_at;    /* a bit set: the page is used */
    size_t arena_at;
    size_t size; /* of it all */
};

/* The page before the table, which no other process can write to. */
struct view {
    struct extents extents;
    bool is_file;
    atomic_bool suspect; /* other processes can write to the table */
    atomic_uint broken;  /* damaged messages that have not been reported yet */
    atomic_bool parted;  /* the shared table was left, which has not been reported yet */
};

struct inside {
    struct table table; /* first: what may be read without the mutex */
    char magic[8];
    uint32_t format;
    char boot[36];         /* cookies are unique for as long as the system is up */
    _Atomic uint32_t lock; /* the mutex: 0, or its owner's thread id, and FUTEX_WAITERS */
    /* Odd: a change is in progress, or its maker has died. Each change makes it another number. */
    _Alignas(8) _Atomic uint64_t version;
    _Atomic uint64_t sequence;
    atomic_uint recounts; /* how often `used` and `here` were made anew; odd: they are being made */
    atomic_int vacant;    /* slots; see vacant.h */
    uint32_t orphans;
    uint32_t top; /* pages above it were never used */
    uint32_t pages_used;
    uint32_t search;    /* where the last free run was found */
    uint32_t populated; /* pages below it have disk space, if it is a file */
    int64_t swept;      /* the time of the last sweep (ns), if it did not help; or 0 */
    struct extents extents;
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

/* An index that was read from the mapping may be anything. One that leads outside becomes 0, which
 * exists and means nothing. */
static inline uint32_t index_in(const struct inside *inside, uint32_t at)
{
    return at < extents_of(inside)->slot_count ? at : 0;
}

static inline struct slot *slot_of(const struct inside *inside, uint32_t at)
{
    return (struct slot *)((char *)(uintptr_t)inside + extents_of(inside)->slots_at) +
           index_in(inside, at);
}

static inline char *page_of(const struct inside *inside, uint32_t page)
{
    return (char *)(uintptr_t)inside + extents_of(inside)->arena_at +
           (size_t)(page < extents_of(inside)->page_count ? page : 0) * PAGE;
}

static inline uint64_t *bitmap_of(const struct inside *inside)
{
    return (uint64_t *)((char *)(uintptr_t)inside + extents_of(inside)->bitmap_at);
}

/* The end of the slots that were ever used. */
static inline uint32_t top_of(const struct inside *inside)
{
    uint32_t top = inside->top, count = extents_of(inside)->slot_count;

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

/* In place of an offset, where the slot holds nothing. */
#define OFFSET_GONE    UINT32_MAX /* taken by a process that could not remove it: separate.c */
#define OFFSET_VACANT  (UINT32_MAX - 1) /* taken without the mutex: vacant.h, as the next two */
#define OFFSET_CLAIMED (UINT32_MAX - 2)
#define OFFSET_REVOKED (UINT32_MAX - 3)

static inline uint64_t state_of(uint64_t generation, size_t offset)
{
    return generation << 32 | (uint32_t)offset;
}

static inline bool state_holds(uint64_t now)
{
    return (uint32_t)now < OFFSET_REVOKED;
}

/* Whether it is a message's. Whoever asks has the mutex. */
static inline bool slot_holds(const struct slot *slot)
{
    return slot->kind != HELD_NOT && state_holds(atomic_load(&slot->state));
}

#endif
