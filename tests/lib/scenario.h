/* SPDX-License-Identifier: MIT */
/*
 * Plays transcripts (see tests/preload/victim/victim.h) with the library preloaded, on every kind
 * of socket and in every blocking mode that a row asks for, and fails the running Criterion test
 * where something else happened than the transcript says.
 */
#ifndef WSRX_TESTS_SCENARIO_H
#define WSRX_TESTS_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>

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
 * Blocking modes. With any of them, an operation "end" is appended that asks for one more message,
 * and must find none in the way of that mode.
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
    WITHOUT_SAME,   /* the library must change nothing: this is what Linux does */
    WITHOUT_DIFFERS /* Linux does something else: a row that could not fail is a defect */
};

struct scenario {
    const char *name;
    unsigned kinds, modes, holds;
    const char *environment[5];
    int without;
    const char *transcript; /* "$C" stands for the call of scenario_check_call() */
};

/* Plays a row in all its combinations. */
void scenario_check(const struct scenario *scenario);

/* The same with "$C" replaced; the call may carry options ("readv parts=3"). */
void scenario_check_call(const struct scenario *scenario, const char *call);

/*
 * Plays without and with the library: output, standard error and the way it ended must be the
 * same. Text after " -> " in the transcript, if any, is asserted too.
 */
void scenario_compare(const struct scenario *scenario);
void scenario_compare_call(const struct scenario *scenario, const char *call);

#endif
