/* SPDX-License-Identifier: MIT */
/*
 * The scene of a death: a socket with held messages between two neighbours in the same chain of the
 * table's hash. Afterwards everything is taken, and compared with what must be there.
 */
#ifndef WSRX_TESTS_SCENE_H
#define WSRX_TESTS_SCENE_H

#include "tails.h"

/* What is held for a socket: tails_drain()'s list. */
enum { SCENE_TAILS = 3 };

struct state {
    size_t count;
    struct tail tail[SCENE_TAILS];
};

#define ONE                    \
    {                          \
        HELD_HERE, 1, 600, 100 \
    }
#define TWO                  \
    {                        \
        HELD_HERE, 2, 300, 0 \
    }

enum { PART = 200 };

extern struct table *table;
extern uint64_t scene_socket;

/* A new table, of one page, so that a page that stays used for nothing shows as `full`. */
void scene_make(void);

void scene_hold(const struct state *state); /* and the neighbours' messages around it */
void scene_hold_neighbour(unsigned which);  /* 0 or 1: two messages */

void scene_take(size_t room, unsigned how, table_copy copy);

/* SIGKILL. */
void scene_die(void *context);
int scene_die_in_copy(void *context, const void *from, size_t size);

/* Takes all that is there. The neighbours' messages must be as they were, and the counters right. */
void scene_take_all(struct state *ret_found, const char *where, unsigned long count);

bool scene_same(const struct state *found, const struct state *expected);
const char *scene_words(const struct state *state);

#endif
