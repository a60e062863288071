/* SPDX-License-Identifier: MIT
 *
 * Which way a receive goes: a pure function of what is known before it. The ways themselves are in
 * receive.c.
 */
#ifndef WSRX_RECEIVE_PLAN_H
#define WSRX_RECEIVE_PLAN_H

#include "fd/fd_class.h"
#include "receive/policy.h"
#include "table/table.h"

#include <stdbool.h>
#include <stddef.h>

struct receive_facts {
    enum fd_kind kind;   /* of the descriptor */
    enum held_kind held; /* of what is held first for its socket */
    enum call_kind call;
    enum mode mode;
    bool calls_all;    /* WSRX_CALLS=all */
    bool recorded;     /* somebody wants records or counts */
    bool peeks;        /* tails are held in the kernel: no message is taken without the mutex */
    bool under_wine;   /* recvmsg() is made by Wine */
    bool sandboxed;    /* no system call but the program's own may be made */
    bool most_buffers; /* as many as a call can have: none of ours can be put behind them */
    int flags;         /* MSG_… */
    size_t room;       /* of all buffers */
    size_t longest;    /* that a message of this kind of socket can be */
};

enum receive_plan {
    PLAN_PASS,        /* the program's own call */
    PLAN_NEXT_PART,   /* the next part of what the table holds */
    PLAN_TAKE,        /* take the message whole, and hold its tail in the process */
    PLAN_PEEK,        /* peek it, and take it with its last part: hold it in the kernel */
    PLAN_PEEK_WHOLE,  /* the program's own call, but out of the way of those who peek */
    PLAN_PEEK_OFFSET, /* Wine: peek it, with the offset in the socket */
};

enum receive_plan receive_plan(const struct receive_facts *facts);

#endif
