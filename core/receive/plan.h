/* SPDX-License-Identifier: MIT
 *
 * What a receive will do: a pure function of the facts that are known before it. receive.c acts by
 * it.
 */
#ifndef WSRX_RECEIVE_PLAN_H
#define WSRX_RECEIVE_PLAN_H

#include "fd/fd_class.h"
#include "receive/policy.h"
#include "table/table.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct receive_facts {
    enum fd_kind kind;   /* of the descriptor */
    enum held_kind held; /* of the message that is held first for its socket */
    enum call_kind call;
    enum mode mode;
    bool calls_all;    /* WSRX_CALLS=all */
    bool recorded;     /* a trace or statistics are on */
    bool peeks;        /* tails are held in the kernel: no message is taken without the mutex */
    bool under_wine;   /* recvmsg() is made by Wine */
    bool sandboxed;    /* no system call but the program's own may be made */
    bool most_buffers; /* as many as a call can have: ours cannot be added */
    int flags;         /* MSG_… */
    size_t room;       /* of all buffers */
    size_t longest;    /* that a message of this kind of socket can be */
};

enum receive_plan {
    PLAN_PASS,        /* the program's own call */
    PLAN_NEXT_PART,   /* the next part of what the table holds */
    PLAN_TAKE,        /* take the message whole, and hold its tail in the process */
    PLAN_PEEK,        /* peek it, and take it with its last part: hold it in the kernel */
    PLAN_PEEK_WHOLE,  /* the program's own call, but under the mutex, since others peek */
    PLAN_PEEK_OFFSET, /* Wine: peek it, with the offset in the socket */
};

static inline bool plan_is_message_kind(enum fd_kind kind)
{
    return kind == FD_DATAGRAM || kind == FD_LARGE;
}

/* Whether bytes may be cut off, and the call itself does not say what happens to them. */
static inline bool plan_may_be_cut(const struct receive_facts *facts)
{
    return facts->room > 0 && facts->room < facts->longest &&
           !(facts->flags & (MSG_PEEK | MSG_TRUNC));
}

/* Whether the length of what is cut off is needed. */
static inline bool plan_wants_length(const struct receive_facts *facts)
{
    if (facts->call == CALL_COOPERATING)
        return true;
    if (facts->mode == MODE_OFF)
        return false;
    return facts->call == CALL_PLAIN || facts->calls_all || facts->recorded;
}

/* Inline: half of the facts need not be stored then. */
static inline enum receive_plan receive_plan(const struct receive_facts *facts)
{
    bool holds = receive_policy(facts->mode, facts->call, facts->calls_all).hold, in_kernel;

    if ((facts->flags & (MSG_OOB | MSG_ERRQUEUE)) ||
        (!plan_is_message_kind(facts->kind) && facts->kind != FD_STREAM))
        return PLAN_PASS;
    if (facts->held == HELD_HERE || facts->held == HELD_STREAM)
        return PLAN_NEXT_PART;
    if (facts->sandboxed || facts->kind == FD_STREAM)
        return PLAN_PASS;
    if (facts->under_wine && facts->kind == FD_DATAGRAM && facts->call == CALL_REPORTING)
        return facts->mode == MODE_OFF ? PLAN_PASS : PLAN_PEEK_OFFSET;

    /* read(2) and recv(2) differ for a length that no memory can have, so such a call passes. */
    in_kernel =
        (facts->peeks && facts->room <= INT_MAX) || facts->held == HELD_KERNEL ||
        (facts->most_buffers && (holds || (plan_may_be_cut(facts) && plan_wants_length(facts))));
    if (in_kernel)
        return holds && plan_may_be_cut(facts) ? PLAN_PEEK : PLAN_PEEK_WHOLE;
    return plan_may_be_cut(facts) && plan_wants_length(facts) ? PLAN_TAKE : PLAN_PASS;
}

#endif
