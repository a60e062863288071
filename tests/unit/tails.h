/* SPDX-License-Identifier: MIT
 *
 * Held messages whose content is known, for the tests of the fragment table.
 *
 * A message has a number, from which its content follows (pattern.h), and which travels in the
 * record's msg_flags and peer address; so whoever takes a part knows what it is a part of.
 */
#ifndef WSRX_TESTS_TAILS_H
#define WSRX_TESTS_TAILS_H

#include "table/table.h"

enum { TAILS_LONGEST = 8 << 20 };

/* What a take gave. */
struct tail_take {
    int result;
    struct held held;
    struct part part;
    unsigned copies;      /* calls of the copy callback that succeeded */
    unsigned char *bytes; /* what it copied */
    /* From tails_check(): */
    unsigned message;
    size_t right; /* how many of the given bytes are the message's own, at their offset */
};

/* A new table. Ends the test where there is none. */
struct table *tails_create(size_t hold_max);

/* Holds message number `message`, of which `offset` bytes count as handed out. The bytes come in
 * three pieces, one of them empty. Result: table_hold()'s. */
int tails_hold(struct table *table, uint64_t cookie, unsigned message, size_t length,
               size_t offset);

/* The same for a message that stays in the kernel's queue. */
int tails_hold_in_kernel(struct table *table, uint64_t cookie, unsigned message, size_t length,
                         size_t offset);

/* The record of such a message, for a test that holds it by itself. */
struct held tails_record(enum held_kind kind, unsigned message, size_t length, size_t offset);

/* Takes with a buffer of `room` bytes, at most TAILS_LONGEST of them used, and checks what comes.
 * Async-signal-safe, but one at a time: parts up to TAILS_SMALL may be taken on top of a take. */
enum { TAILS_SMALL = 16 << 10 };
struct tail_take tails_take(struct table *table, uint64_t cookie, size_t room, unsigned how);

/* The take alone, into `bytes`, and the check alone. */
void tails_take_bytes(struct table *table, uint64_t cookie, size_t room, unsigned how,
                      unsigned char *bytes, struct tail_take *ret_take);
void tails_check(struct tail_take *take);

/* A take whose copy fails with `error`. Result: table_take()'s. */
int tails_take_failing(struct table *table, uint64_t cookie, size_t room, unsigned how, int error);

/* Cookies that lead to the same chain of the table's hash. `which` from 0; the first is `cookie`
 * itself. */
uint64_t tails_collide(uint64_t cookie, unsigned which);

/* One held message as it is found by taking it. */
struct tail {
    enum held_kind kind;
    unsigned message;
    size_t length, offset;
};

/* Takes whole what is held for the socket, oldest first, up to `most` messages. Returns how many
 * there were; `*ret_wrong` is the number of bytes that were not their message's own. */
size_t tails_drain(struct table *table, uint64_t cookie, struct tail *ret_tails, size_t most,
                   size_t *ret_wrong);

#endif
