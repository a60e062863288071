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

#include <stdbool.h>
#include <stddef.h>

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

enum receive_plan receive_plan(const struct receive_facts *facts);

#endif
