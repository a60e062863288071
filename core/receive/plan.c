/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "receive/plan.h"

#include <limits.h>
#include <sys/socket.h>

static bool is_message_kind(enum fd_kind kind)
{
    return kind == FD_DATAGRAM || kind == FD_LARGE;
}

/* Whether bytes may be cut off, and the call itself does not say what happens to them. */
static bool may_be_cut(const struct receive_facts *facts)
{
    return facts->room > 0 && facts->room < facts->longest &&
           !(facts->flags & (MSG_PEEK | MSG_TRUNC));
}

/* Whether the length of what is cut off is needed. */
static bool wants_length(const struct receive_facts *facts)
{
    if (facts->call == CALL_COOPERATING)
        return true;
    if (facts->mode == MODE_OFF)
        return false;
    return facts->call == CALL_PLAIN || facts->calls_all || facts->recorded;
}

enum receive_plan receive_plan(const struct receive_facts *facts)
{
    bool holds = receive_policy(facts->mode, facts->call, facts->calls_all).hold, in_kernel;

    if ((facts->flags & (MSG_OOB | MSG_ERRQUEUE)) ||
        (!is_message_kind(facts->kind) && facts->kind != FD_STREAM))
        return PLAN_PASS;
    if (facts->held == HELD_HERE || facts->held == HELD_STREAM)
        return PLAN_NEXT_PART;
    if (facts->sandboxed || facts->kind == FD_STREAM)
        return PLAN_PASS;
    if (facts->under_wine && facts->kind == FD_DATAGRAM && facts->call == CALL_REPORTING)
        return facts->mode == MODE_OFF ? PLAN_PASS : PLAN_PEEK_OFFSET;

    /* read(2) and recv(2) differ for a length that no memory can have, so such a call passes. */
    in_kernel = (facts->peeks && facts->room <= INT_MAX) || facts->held == HELD_KERNEL ||
                (holds && facts->most_buffers);
    if (in_kernel)
        return holds && may_be_cut(facts) ? PLAN_PEEK : PLAN_PEEK_WHOLE;
    return may_be_cut(facts) && wants_length(facts) ? PLAN_TAKE : PLAN_PASS;
}
