/* SPDX-License-Identifier: MIT
 *
 * The ledger of one socket that many flows receive from: which bytes of which message have come.
 *
 * Who gets which part is free; that every byte comes once, that no part mixes messages, and that
 * what ended before another receive began is not what should have come after it, is not.
 * In memory shared with children; without a lock, so that signal handlers and flows that are killed
 * can use it. One flow sends.
 *
 * Parts are recognised by their blocks, so rooms are multiples of a block, and a message's last
 * piece, if it is not a block, is at least half of one.
 */
#ifndef WSRX_TORTURE_LEDGER_H
#define WSRX_TORTURE_LEDGER_H

#include "link.h"
#include "receive.h"

#include "torture.h"

#include <stdatomic.h>

enum { LEDGER_WINDOW = 64 };

struct entry {
    atomic_uint occupied; /* the message's number + 1; 0: free */
    atomic_uint length, got;
};

struct ledger {
    struct link link;
    unsigned socket;
    unsigned next; /* of the sender */
    atomic_uint empty_sent, empty_got;
    atomic_ulong in_flight;
    struct entry entry[LEDGER_WINDOW];
    size_t mapped;
    unsigned blocks;    /* for each message */
    atomic_uint tick[]; /* [LEDGER_WINDOW][blocks]: when the block's receive ended; 0: not come */
};

/* How ledger_receive() goes about it. */
enum {
    RECEIVE_AT_ONCE = 1 << 0, /* MSG_DONTWAIT, or no wait that could last */
    RECEIVE_PLAINLY = 1 << 1, /* no poll, select, epoll before it */
};

/* Opens a link of this kind. `socket` is its number in the messages. */
struct ledger *ledger_make(enum kind kind, unsigned socket, struct plan *plan);
void ledger_free(struct ledger *ledger);

/* Sends one message of a length of the plan's choice. False: there is no room now. */
bool ledger_send(struct ledger *ledger, struct plan *plan, struct hands *hands);

/* One receive by this flow, recorded. Returns how many parts came: 0 is EAGAIN, EINTR, a wait in
 * vain. Async-signal-safe with RECEIVE_PLAINLY. */
unsigned ledger_receive(struct ledger *ledger, struct plan *plan, struct hands *hands,
                        unsigned how);

/* Whether everything that was sent has come. */
bool ledger_is_complete(const struct ledger *ledger);

/* How many stretches may go with a flow that ends at its place as it stands: none, where it was not
 * between a receive and the record; else as many as its call can have in flight. Puts it in order
 * for the next flow there. */
unsigned ledger_bury(struct place *at);

/* Everybody has received all that there is: counts stretches that have not come. Where they are
 * more than `allowed`, reports the first one as a fault. Then all is as if it had come. */
void ledger_settle(struct ledger *ledger, unsigned allowed);

/* Receives until everything has come, or nothing comes any more for some seconds. */
void ledger_drain(struct ledger *ledger, struct plan *plan, struct hands *hands);

/* Receives, alone, until nothing comes any more: what is still missing then will never come. */
void ledger_exhaust(struct ledger *ledger, struct plan *plan, struct hands *hands);

#endif
