/* SPDX-License-Identifier: MIT
 *
 * The fragment table: socket -> held messages, oldest first.
 *
 * It lies in one shared mapping, so that a forked child shares its parent's tails as it shares the
 * queue of the socket. The key is the socket's cookie (SO_COOKIE, a number of the kernel's that is
 * never reused). So duplicates share a tail, and a reused descriptor number never gets the bytes of
 * another socket.
 *
 * The mutex protects everything in the mapping but the atomics. It works between processes: if its
 * owner dies, nobody is locked out, and the next one in repairs the table. No call that can block
 * is made under it. No other lock is taken under it, so it may be taken under any other. Signals:
 * they are blocked while it is taken and held. So no handler waits for its own thread, and none
 * leaves it locked by siglongjmp(). That costs two system calls, as much as a receive. So a lookup and
 * a take do without the mutex, where nothing else has to change: they read, check that the table has not
 * changed meanwhile, and end with one compare-and-swap. So does a hold, where the socket's last
 * message has left its slot (vacant.h). It fails if another thread,
 * another process or a handler on the same thread was faster. If a change is in progress, or its
 * maker has died, they take the mutex as well. fork: the mutex is in shared memory and belongs to a
 * thread of one process. A child does not inherit it, and needs no atfork handler.
 */
#ifndef WSRX_TABLE_TABLE_H
#define WSRX_TABLE_TABLE_H

#include "base/compiler.h"
#include "base/critical_section.h"
#include "table/part.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* A message of which a part has been handed out, or which waits behind such a message. */
enum held_kind {
    HELD_NOT,    /* the slot is free */
    HELD_HERE,   /* its tail is in the table (held in the process) */
    HELD_KERNEL, /* it is still in the socket's queue (held in the kernel) */
    HELD_STREAM, /* no message, but bytes of a stream that was taken for a message socket */
};

/* The record of a held message: all but its bytes. */
struct held {
    enum held_kind kind;
    size_t length; /* of the whole message, bytes */
    size_t offset; /* of the next part in it */
    int msg_flags; /* that the kernel reported, for the last part (MSG_EOR) */
    int error;     /* HELD_KERNEL: an error that came meanwhile, to be reported after the message */
    uint64_t fingerprint; /* of a message that is, or was just now, in the socket's queue, or 0 */
    int64_t missed;       /* HELD_KERNEL: when it was first found gone from the queue (ns), or 0 */
    bool peer_known;      /* the address is known: the call for the first part requested it */
    socklen_t peer_length;
    struct sockaddr_storage peer;
};

/* Counted since the table was made, by all processes that share it. */
struct table_counters {
    atomic_ulong held;          /* messages that were held */
    atomic_ulong parts;         /* parts handed out of held messages */
    atomic_ulong bytes_saved;   /* bytes handed out that Linux would have dropped */
    atomic_ulong messages_lost; /* that lost bytes: dropped by mode, or held and abandoned */
    atomic_ulong bytes_lost;
};

enum { TABLE_HASHES = 1 << 14 };

static inline unsigned table_hash(uint64_t cookie)
{
    return (unsigned)((cookie * UINT64_C(0x9e3779b97f4a7c15)) >> 50);
}

/* The head of the mapping, which may be read without the mutex. First what every receive reads. */
struct table {
    atomic_uint used;    /* messages held, of every kind; 0: nothing to look up */
    atomic_uint here;    /* of these, tails in the table, of which the kernel knows nothing */
    atomic_bool peeking; /* a receive peeks at a message to hold it in the kernel */
    atomic_bool full;    /* WSRX_HOLD_MAX is reached: hold the next one in the kernel */
    atomic_bool shared;  /* a process that uses it has forked */
    uint32_t bucket[TABLE_HASHES]; /* by the cookie's hash: 0, or the slot of a message; atomic */
    atomic_uint muted; /* registrations that were muted in sets of several processes, ever */
    struct table_counters counters;
};

/* Whether nothing at all is held. */
static inline bool table_idle(const struct table *table)
{
    return atomic_load_explicit(&table->used, memory_order_acquire) == 0;
}

/* Whether nothing is held on any socket, nor about to be held in the kernel. */
static inline bool table_is_quiet(const struct table *table)
{
    return LIKELY(!atomic_load_explicit(&table->peeking, memory_order_acquire)) &&
           LIKELY(table_idle(table));
}

/* Whether something may be held for this socket. Read for each ordinary datagram. `cookie`: 0 if it
 * is not known yet. */
static inline bool table_may_hold_for(const struct table *table, uint64_t cookie)
{
    return cookie == 0 ||
           __atomic_load_n(&table->bucket[table_hash(cookie)], __ATOMIC_ACQUIRE) != 0;
}

static inline bool table_may_hold(const struct table *table, uint64_t cookie)
{
    return atomic_load_explicit(&table->peeking, memory_order_acquire) ||
           (!table_idle(table) && table_may_hold_for(table, cookie));
}

/* Copies `size` bytes of a held message to the caller. Without the mutex the bytes may meanwhile
 * become those of another message. Then it is called again for what is held now, or the take ends
 * with nothing. 0, or a negative errno, which ends the take with nothing consumed. Must not
 * block. */
typedef int (*table_copy)(void *context, const void *from, size_t size);

/* Holds a message of `held->length` bytes, given as the pieces of `iov`. The first `held->offset`
 * bytes have been handed out. 0: held; -ENOMEM: no room. 1: a message is held for the socket
 * already, so this one is put behind it whole, and nothing of it counts as handed out. If it is the
 * same message (by its fingerprint) that is held in the kernel for the socket, it is held in the
 * process from now on, at the same offset, and the result is 1 as well. Async-signal-safe, like all
 * below. */
int table_hold(struct table *table, uint64_t cookie, const struct held *held,
               const struct iovec *iov, size_t iovlen);

/* The same without the mutex, in the slot that the socket's last message has left (vacant.h); nothing is
 * held for the socket then. false: not held, for there is no such slot; or it was claimed, and then
 * `may` (or NULL) said no. */
bool table_hold_lockless(struct table *table, uint64_t cookie, const struct held *held,
                         const struct iovec *iov, size_t iovlen, bool (*may)(uint64_t cookie));

/* From now on nothing is published that is claimed for the socket. */
void table_revoke(struct table *table, uint64_t cookie);

/* The first message that is held for a socket, and where it was found, for the take that
 * follows. */
struct table_found {
    uint64_t cookie;
    enum held_kind kind; /* HELD_NOT: nothing */
    size_t left;         /* bytes that remain of it */
    uint64_t version;    /* of the table, when it was found */
    uint32_t at;         /* 0: found with the mutex, so the take must look again */
};

/* Looks for the first message that is held for the socket. Returns its kind. */
enum held_kind table_find(struct table *table, uint64_t cookie, struct table_found *ret_found);

/* Takes the next part for a receive of `room` bytes. `how`: enum part_how. Looks again if the table
 * has changed since table_find(). 1: taken; `*ret_part` is the part, and `*ret_held` the record as
 * it was before. 0: nothing is held. -EREMOTE: held in the kernel, nothing taken. Otherwise the
 * error of `copy`. */
int table_take_found(struct table *table, struct table_found *found, size_t room, unsigned how,
                     table_copy copy, void *context, struct held *ret_held, struct part *ret_part);

/* The next part of a message, where all of it is known at a glance, and to take it needs no mutex. */
struct table_next {
    uint64_t cookie;
    const void *from;
    size_t size, left, length; /* of the part, behind it, of the message */
    uint64_t state;            /* of the message, when it was found */
    uint32_t at;
};

/* Looks for it, for a receive of `room` bytes (not 0). false: there is none, or it is for table_find(). */
bool table_find_next(const struct table *table, uint64_t cookie, size_t room,
                     struct table_next *ret_next);

/* After it was copied: takes it. false: the bytes are not the message's next ones, or not any more. */
bool table_take_next(struct table *table, const struct table_next *next);

/* As table_find(). If something is held and `ret_left` is not NULL, `*ret_left` is how many bytes
 * remain of it. */
enum held_kind table_look(struct table *table, uint64_t cookie, size_t *ret_left);

/* This process has closed the socket. `last`: nobody else has it, so its messages are dropped and
 * counted as lost. Otherwise they become orphans, of which a limited number is kept. */
void table_abandon(struct table *table, uint64_t cookie, bool last);

/* Takes and releases the mutex. For a message held in the kernel, around a peek and a take that do
 * not block. Between the two calls signals are blocked, cancellation is off, and the functions
 * named _locked may be used. */
void table_enter(struct table *table, struct critical_section *section);
void table_leave(struct table *table, struct critical_section *section);
/* The record of the first message. false: there is none. If it is held in the process, its offset
 * may change at any time, since parts are taken without the mutex. */
bool table_get_locked(struct table *table, uint64_t cookie, struct held *ret_held);
int table_hold_locked(struct table *table, uint64_t cookie, const struct held *held,
                      const struct iovec *iov, size_t iovlen);
/* While it is announced, table_may_hold() is true. Used between a peek and the record of it. */
void table_announce_locked(struct table *table, bool peeking);
/* Writes back the fields that have changed: offset, error, missed. */
void table_advance_locked(struct table *table, uint64_t cookie, const struct held *held);
void table_finish_locked(struct table *table, uint64_t cookie);

/* A table in a file gets disk space for the first messages that do not fit; if there is none, they are
 * held in the kernel. Called before a message is received that may not fit. Async-signal-safe. */
void table_prepare(struct table *table);

/* From now on other processes use the table, too. What they write into it is checked. */
void table_share(struct table *table);

/* This process leaves the shared table, and has its own from now on, at the same address. It takes
 * along what is held for its own sockets, which the others lose. It also keeps copies of all other
 * messages, which are the first to be dropped. For a process that is about to change its identity
 * or to confine itself. Async-signal-safe. */
void table_leave_shared(struct table *table);

/* Makes the lists anew, after a filter that did not come after all: what was taken meanwhile is still
 * in them. */
void table_tidy(struct table *table);

/* Counts a part that was taken when `remaining` bytes were left, and what it dropped. */
void table_count_part(struct table *table, const struct part *part, size_t remaining);

/* Counts a part of which nothing is lost. */
static inline void table_count_saved(struct table *table, size_t bytes)
{
    atomic_fetch_add_explicit(&table->counters.parts, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&table->counters.bytes_saved, bytes, memory_order_relaxed);
}

/* Counts a message that lost bytes. */
static inline void table_count_lost(struct table *table, size_t bytes)
{
    atomic_fetch_add_explicit(&table->counters.messages_lost, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&table->counters.bytes_lost, bytes, memory_order_relaxed);
}

#endif
