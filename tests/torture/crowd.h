/* SPDX-License-Identifier: MIT
 *
 * A crowd: sockets (and pipes) that one thread alone sends to and receives from, so that it knows
 * at every moment what each next receive has to give, to the byte.
 *
 * Used by one thread; needs little stack.
 */
#ifndef WSRX_TORTURE_CROWD_H
#define WSRX_TORTURE_CROWD_H

#include "link.h"
#include "receive.h"

enum { LINES_MAX = 32, QUEUE_MAX = 64 };

/* A message on its way. */
struct out {
    unsigned number;
    size_t length;
    unsigned sender;
};

/* A link, and what is in it. */
struct line {
    struct link link;
    unsigned socket; /* the number in its messages: a new one whenever it is reopened */
    unsigned next;
    struct out out[QUEUE_MAX];
    unsigned head, queued;
    size_t in_flight;
    size_t offset;      /* of the first message: what was received of it */
    bool first_asked;   /* the call that took its first part asked for the peer */
    uint64_t sent, got; /* of a stream or a pipe */
};

struct crowd {
    struct plan plan;
    struct hands *hands;
    unsigned lines;
    unsigned kinds;   /* of enum kind, from the first */
    unsigned churn;   /* percent of the steps that close, reopen or move a descriptor */
    unsigned sockets; /* numbers given */
    struct line line[LINES_MAX];
    struct waiting *waiting; /* wait.c */
};

struct crowd *crowd_make(const char *scenario, unsigned flow, unsigned lines, unsigned kinds,
                         unsigned churn);
void crowd_free(struct crowd *crowd);

/* One step of the plan: a send, a receive, a wait, a close. */
void crowd_step(struct crowd *crowd);

/* Receives all that is on its way. */
void crowd_drain(struct crowd *crowd);

/* The pieces of which the steps are made, for scenarios with an order of their own. */
bool crowd_send(struct crowd *crowd, struct line *line, size_t length);
/* False: the contract was broken, which is reported; the line is of no more use. */
bool crowd_receive(struct crowd *crowd, struct line *line, size_t room);

bool line_expects(const struct line *line);
/* A part of a message was received, and its tail not yet. */
bool line_is_held(const struct line *line);

#endif
