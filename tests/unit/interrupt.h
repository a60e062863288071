/* SPDX-License-Identifier: MIT */
/*
 * One operation of the table interrupted by another in a signal handler, on a socket in the middle of
 * a chain of the table's hash. A model says what each of them must give, in either order.
 */
#ifndef WSRX_TESTS_INTERRUPT_H
#define WSRX_TESTS_INTERRUPT_H

#include <setjmp.h>
#include <signal.h>

#include "tails.h"

/* What is held for the socket. */
enum { INTERRUPT_TAILS = 4 };

struct state {
    size_t count;
    struct {
        unsigned message;
        size_t length, offset;
    } tail[INTERRUPT_TAILS];
};

enum operation { TAKE, TAKE_REST, SKIP, TRUNC, PEEK, FAULT, LOOK, DRAIN, HOLD, ABANDON, REPLACE };

extern const char *const operation_names[];
enum { OPERATIONS = REPLACE + 1, PART = 200 };

size_t operation_room(enum operation operation);
unsigned operation_how(enum operation operation);

/* Async-signal-safe; one within another. */
struct run {
    enum operation operation;
    struct tail_take take[INTERRUPT_TAILS + 1];
    unsigned char bytes[INTERRUPT_TAILS + 1][1000];
    int result;
    size_t left;
};

void operation_run(struct run *run);

/* What an operation returns. */
struct outcome {
    int result;
    unsigned message;
    size_t offset, given, left;
    size_t wrong; /* bytes */
};

void operation_outcome(struct run *run, struct outcome *outcome); /* what the run gave */

/* What it must give, and what is left. */
void operation_model(enum operation operation, struct state *state, struct outcome *outcome);

bool state_same(const struct state *one, const struct state *other);

/* --- the scene --------------------------------------------------------------------------- */

extern struct table *table;
extern uint64_t interrupt_socket, interrupt_neighbour[2];

extern struct run outer, inner;
extern volatile sig_atomic_t handled; /* how often the handler was called */

void interrupt_set_up(void);               /* a table of one page */
void interrupt_make_table(unsigned pages); /* another one */
void interrupt_handler(int signal);        /* runs the inner operation */

/* A handler that does not return: recv(2) may be left by siglongjmp(). */
extern sigjmp_buf interrupt_left;
void interrupt_leave(int signal);

/* Holds the messages of the socket and of its neighbours in the chain. */
void interrupt_hold(struct state *ret_state);
/* The socket's have been taken again: its slot is vacant, if there are pages enough. */
void interrupt_hold_none(struct state *ret_state);

/* Takes all that is there. The neighbours' messages must be as they were. */
void interrupt_take_all(struct state *ret_state, const char *where);

/* When all has been taken. */
void interrupt_assert_no_page_lost(const char *outer_name, const char *inner_name);

/* Both results, and what is left, are those of one order or of the other. */
void interrupt_assert_some_order(const struct state *before, const char *where);

#endif
