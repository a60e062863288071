/* SPDX-License-Identifier: MIT
 *
 * The fragment table: socket -> held messages, oldest first.
 *
 * It lives in one shared mapping, so that a forked child shares its parent's tails exactly as it
 * shares the socket's queue. The key is the socket's cookie (SO_COOKIE: a kernel number, never
 * reused), so dups share a tail and a reused descriptor number cannot get another socket's bytes.
 *
 * The mutex. It protects everything in the mapping but the few atomics that are named so. It is
 * process-shared and robust: whoever dies inside it locks nobody out, and the next one in repairs
 * the table. No call that can block is made under it. No other lock is taken under it, so it may be
 * taken under any other.
 * Signals: the mutex is taken and held with signals blocked, so that no handler waits for its own
 * thread, none waits for a lock that its own thread has under the mutex, and none leaves it locked
 * by siglongjmp(). To block them costs two system calls, as much as a receive. So a look, and a
 * take that leaves something of the message, do without the mutex: they read, make sure that nobody
 * has changed the table meanwhile, and end with one compare-and-swap, which fails if anybody was
 * faster, be it a handler on the same thread or another process. Where somebody is in the midst of
 * a change, or died there, they take the mutex too.
 * fork: the mutex is in shared memory and belongs to a thread of one process; a child does not
 * inherit it and needs no atfork handler.
 */
#ifndef WSRX_TABLE_TABLE_H
#define WSRX_TABLE_TABLE_H

#include "base/critical_section.h"
#include "table/part.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* A message of which a part has been handed out, or that waits behind such a one. */
enum held_kind {
    HELD_NOT,    /* the slot is free */
    HELD_HERE,   /* its tail is in the table (held in the process) */
    HELD_KERNEL, /* it is still in the socket's queue (held in the kernel) */
    HELD_STREAM, /* bytes of a stream that was taken for a message socket: no message at all */
};

/* What the table knows of a held message beside its bytes. */
struct held {
    enum held_kind kind;
    size_t length; /* of the whole message, bytes */
    size_t offset; /* of the next part in it */
    int msg_flags; /* that the kernel reported, for the last part (MSG_EOR) */
    int error;     /* HELD_KERNEL: a pending error that came meanwhile, due after the message */
    uint64_t fingerprint; /* of a message that is, or was just now, in the socket's queue, or 0 */
    int64_t missed;       /* HELD_KERNEL: when it was first found gone from the queue (ns), or 0 */
    bool peer_known;      /* the first part's call asked for the address */
    socklen_t peer_length;
    struct sockaddr_storage peer;
};

/* What has happened since the table was made, in all processes that share it. */
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

/* The head of the mapping: what may be read without the mutex, first what every receive reads. */
struct table {
    atomic_uint used;              /* messages held, of every kind; 0: nothing to look up */
    atomic_uint here;              /* of these, in the table itself: what readiness must tell */
    atomic_bool peeking;           /* somebody looks at a message to hold it in the kernel */
    atomic_bool full;              /* WSRX_HOLD_MAX is reached: hold the next one in the kernel */
    atomic_bool shared;            /* a process that uses it has forked */
    uint32_t bucket[TABLE_HASHES]; /* by the cookie's hash: 0, or the slot of a message; atomic */
    struct table_counters counters;
};

/* Whether nothing at all is held. */
static inline bool table_idle(const struct table *table)
{
    return atomic_load_explicit(&table->used, memory_order_acquire) == 0;
}

/* Whether something may be held for this socket: what an ordinary datagram reads. `cookie`: 0 where
 * it is not known yet. */
static inline bool table_may_hold(const struct table *table, uint64_t cookie)
{
    return atomic_load_explicit(&table->peeking, memory_order_acquire) ||
           (!table_idle(table) &&
            (cookie == 0 ||
             __atomic_load_n(&table->bucket[table_hash(cookie)], __ATOMIC_ACQUIRE) != 0));
}

/* Copies `size` bytes of a held message to the caller. Without the mutex: they may become another
 * message's under its hands, and then it is called again, for what there is then, or not at all.
 * 0 or a negative errno, which ends the take with nothing consumed. Must not block. */
typedef int (*table_copy)(void *context, const void *from, size_t size);

/* Holds a message, given as the pieces of `iov`, `held->length` bytes in all, of which the first
 * `held->offset` have been handed out. Where the socket holds a message already, this one is put
 * behind it whole and 1 is returned: nothing of it counts as handed out. So it is, too, where it is
 * the very one (by its fingerprint) that the socket holds in the kernel: it goes on from there in
 * the process. 0: held. -ENOMEM: no room.
 * Async-signal-safe, like all below. */
int table_hold(struct table *table, uint64_t cookie, const struct held *held,
               const struct iovec *iov, size_t iovlen);

/* What was found for a socket: what is held first, and where, for the take that follows. */
struct table_found {
    uint64_t cookie;
    enum held_kind kind; /* HELD_NOT: nothing */
    size_t left;         /* bytes that remain of it */
    uint64_t version;    /* of the table, when it was found */
    uint32_t at;         /* 0: found by the mutex, so the take has to look again */
};

/* Looks what is held first for the socket. Returns its kind. */
enum held_kind table_find(struct table *table, uint64_t cookie, struct table_found *ret_found);

/* Takes the next part for a receive of `room` bytes. `how` is of enum part_how. Where the table has
 * changed since table_find(), it looks again.
 * 1: taken, `*ret_part` and `*ret_held` (as it was before) say what; 0: nothing held;
 * -EREMOTE: held in the kernel, nothing taken; or the error of `copy`. */
int table_take_found(struct table *table, struct table_found *found, size_t room, unsigned how,
                     table_copy copy, void *context, struct held *ret_held, struct part *ret_part);

/* Both in one. */
int table_take(struct table *table, uint64_t cookie, size_t room, unsigned how, table_copy copy,
               void *context, struct held *ret_held, struct part *ret_part);

/* As table_find(): the kind, and where `ret_left` is not NULL and something is held, the bytes that
 * remain of it. */
enum held_kind table_look(struct table *table, uint64_t cookie, size_t *ret_left);

/* The socket is gone for this process: its messages are dropped and counted as lost, or, where
 * another process or an unknown dup may still ask, kept until there are too many such. */
void table_abandon(struct table *table, uint64_t cookie, bool last);

/* For a message held in the kernel: a lock around peek and take, which do not block.
 * Between the two calls signals are blocked, nothing is a cancellation point, and the functions
 * named _locked may be used. */
void table_enter(struct table *table, struct critical_section *section);
void table_leave(struct table *table, struct critical_section *section);
/* The first message's record. false: there is none. Of a message that is held here the offset may
 * move on at any time, for others take parts of it without the mutex. */
bool table_get_locked(struct table *table, uint64_t cookie, struct held *ret_held);
int table_hold_locked(struct table *table, uint64_t cookie, const struct held *held,
                      const struct iovec *iov, size_t iovlen);
/* As long as a receive is between its peek and the record of it, table_may_hold() says yes. */
void table_announce_locked(struct table *table, bool peeking);
/* Keeps what has changed in it: offset, error, missed. */
void table_advance_locked(struct table *table, uint64_t cookie, const struct held *held);
void table_finish_locked(struct table *table, uint64_t cookie);

/* From now on other processes use the table, too, and what they write into it is checked. */
void table_share(struct table *table);

/* This process no longer shares the table: it has its own from now on, at the same place, with what
 * is held for its own sockets, which the others lose. Of other sockets it keeps a copy, as of all
 * memory that it shared, which is the first to be dropped. For a process that changes its identity,
 * or is about to confine itself. Async-signal-safe. */
void table_leave_shared(struct table *table);

/* Makes the lists anew: after a filter that did not come after all, for what was taken meanwhile is
 * still in them. */
void table_tidy(struct table *table);

/* Counts a part of `remaining` bytes, and what it dropped. */
void table_count_part(struct table *table, const struct part *part, size_t remaining);

/* Counts a message that lost bytes. */
static inline void table_count_lost(struct table *table, size_t bytes)
{
    atomic_fetch_add_explicit(&table->counters.messages_lost, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&table->counters.bytes_lost, bytes, memory_order_relaxed);
}

#endif
