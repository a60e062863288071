/* SPDX-License-Identifier: MIT */
/*
 * Plays transcripts (see tests/preload/victim/victim.h) with the library preloaded, on every kind
 * of socket and in every blocking mode that a row asks for. The running Criterion test fails if
 * anything but the transcript happens.
 *
 * A table of rows is run by a line such as
 *
 *     SCENARIOS(hold, places, rows, .kinds = KIND_ALL, .modes = MODE_NOWAIT)
 *     SCENARIOS_BY_CALL(address, every_call, rows, calls, .modes = MODE_NONBLOCK)
 *
 * The first makes one test per row, the second one per row and call. The fields at the end hold for
 * every row that does not set them itself.
 */
#ifndef WSRX_TESTS_SCENARIO_H
#define WSRX_TESTS_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>

#include "rows.h"

/* Kinds of socket: the pair r and s that a transcript starts with. */
enum {
    KIND_NONE = 0, /* the transcript makes its own */
    KIND_UDP4 = 1 << 0,
    KIND_UDP6 = 1 << 1,
    KIND_UNIX = 1 << 2,      /* AF_UNIX datagrams, both ends bound */
    KIND_SEQPACKET = 1 << 3, /* AF_UNIX, listening and connected, both ends bound */
    KIND_UNIXPAIR = 1 << 4,  /* socketpair(2) */
    KIND_SEQPAIR = 1 << 5,
    KIND_UDP = KIND_UDP4 | KIND_UDP6,
    KIND_LOCAL = KIND_UNIX | KIND_SEQPACKET | KIND_UNIXPAIR | KIND_SEQPAIR,
    KIND_NAMED = KIND_UDP | KIND_UNIX | KIND_SEQPACKET, /* the sender has an address */
    KIND_ALL = KIND_UDP | KIND_LOCAL,
    KIND_FOUR = KIND_NAMED, /* the four that the contract names */
};

/*
 * Blocking modes. With any of them, an operation "end" is appended: one more receive, which must
 * find nothing, in the way of that mode. A row that makes its own sockets (KIND_NONE) sets their
 * mode itself, unless the row has .modes.
 */
enum {
    MODE_ONCE = 0, /* blocking, and nothing is appended */
    MODE_BLOCK = 1 << 0,
    MODE_NONBLOCK = 1 << 1,
    MODE_TIMEOUT = 1 << 2, /* SO_RCVTIMEO */
    MODE_NOWAIT = 1 << 3,  /* non-blocking, and nothing is appended */
    MODE_ALL = MODE_BLOCK | MODE_NONBLOCK | MODE_TIMEOUT,
};

/* WSRX_HOLD. HOLD_DEFAULT sets nothing. */
enum {
    HOLD_DEFAULT = 0,
    HOLD_PROCESS = 1 << 0,
    HOLD_KERNEL = 1 << 1,
    HOLD_BOTH = HOLD_PROCESS | HOLD_KERNEL,
};

/* What the same transcript does without the library. */
enum {
    WITHOUT_IGNORED = 0,
    WITHOUT_SAME,    /* the library must change nothing: this is what Linux does */
    WITHOUT_DIFFERS, /* Linux does something else: otherwise the row could not fail */
    /*
     * The transcript is what Linux does: both are run, and output, standard error and the way the
     * program ends must be the same. The text after " -> ", if any, is ignored.
     */
    WITHOUT_DECIDES
};

struct scenario {
    const char *name;
    unsigned kinds, modes, holds;
    const char *environment[5];
    int without;
    const char *transcript; /* "$C" stands for the call */
};

/* Plays a row in all its combinations. */
void scenario_check(const struct scenario *row);

/*
 * The same with "$C" replaced by the call, which may carry options ("readv parts=3"), or NULL; and
 * with the fields of common (or NULL) where the row has none.
 */
void scenario_check_call(const struct scenario *row, const char *call,
                         const struct scenario *common);

#define SCENARIOS(suite, test, rows, ...)                                          \
    ROWS(suite, test, ROWS_OF(rows))                                               \
    {                                                                              \
        scenario_check_call(&(rows)[*row], NULL, &(struct scenario){__VA_ARGS__}); \
    }

#define SCENARIOS_BY_CALL(suite, test, rows, calls, ...)                                    \
    ROWS(suite, test, ROWS_OF(rows) * ROWS_OF(calls))                                       \
    {                                                                                       \
        scenario_check_call(&(rows)[*row / ROWS_OF(calls)], (calls)[*row % ROWS_OF(calls)], \
                            &(struct scenario){__VA_ARGS__});                               \
    }

#endif
