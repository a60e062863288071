/* SPDX-License-Identifier: MIT
 *
 * The torture program: what its scenarios share. Options, counters, faults, where everybody stands.
 *
 * The program knows nothing of the library: it uses sockets as any program does, and holds what it
 * gets against the receive contract. It must never look at a WSRX_ setting or a wsrx_ function.
 */
#ifndef WSRX_TORTURE_H
#define WSRX_TORTURE_H

#include "plan.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct options {
    uint64_t seed;
    unsigned long parts;
    unsigned seconds;
    unsigned patience;    /* seconds without progress that are a hang */
    unsigned long faults; /* after which it gives up */
    bool calls_all;       /* reporting calls hold too: the program runs with that setting */
    bool with_epoll;
    bool trace;  /* a line on stderr for each receive */
    bool strict; /* what no library may be able to do is asked for too: see --help */
};

extern struct options options;

enum { PLACES = 64 };

/* Where a flow of control stands, and what it has done. In memory shared with all children. */
struct place {
    _Alignas(64) atomic_ulong operations;
    atomic_ulong parts, messages, bytes;
    _Atomic(const char *) doing;
    atomic_int fd;
    atomic_uint socket, message;
    atomic_uint turns; /* odd: between a receive and the record of what it gave */
    atomic_int pid;
};

struct common {
    atomic_ulong faults;
    atomic_ulong overtaken; /* messages that came, as a whole, after a later one */
    atomic_ulong peerless;  /* first parts whose peer nobody had asked for */
    atomic_ulong gone;      /* stretches of bytes that went with a killed or cancelled receiver */
    atomic_ulong killed;    /* receivers killed or cancelled in the midst of a receive */
    atomic_uint tick;       /* a clock of events: what was before what */
    _Atomic(const char *) scenario;
    struct place place[PLACES];
};

extern struct common *common;
extern __thread struct place *place; /* where this flow stands */

/* What a scenario is to do: parts, and until when. */
struct share {
    const char *name;
    unsigned long until; /* total of parts, of all places */
    int64_t deadline;    /* nanoseconds of CLOCK_MONOTONIC */
};

bool share_done(const struct share *share);
unsigned long total_of_parts(void);
int64_t now(void);

/* Says what the flow is about to do, for the watchdog's report. */
static inline void stand(const char *doing, int fd)
{
    atomic_store_explicit(&place->doing, doing, memory_order_relaxed);
    atomic_store_explicit(&place->fd, fd, memory_order_relaxed);
}

static inline void count(atomic_ulong *counter, unsigned long more)
{
    atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

/* One line: seed, scenario, socket, message, offset, and what is wrong (expected, got).
 * Async-signal-safe enough: no stdio, no malloc. */
__attribute__((format(printf, 4, 5))) void fault(unsigned socket, unsigned message, size_t offset,
                                                 const char *format, ...);

/* The machine does not give what the program needs: ends it with 77, which says "skipped". */
__attribute__((noreturn, format(printf, 1, 2))) void cannot(const char *format, ...);

/* Too many faults in this run to go on. */
bool hopeless(void);

void scenario_single(const struct share *share);
void scenario_many(const struct share *share);
void scenario_small(const struct share *share);
void scenario_shared(const struct share *share);
void scenario_signals(const struct share *share);
void scenario_cancel(const struct share *share);
void scenario_fds(const struct share *share);
void scenario_fork(const struct share *share);
void scenario_prefork(const struct share *share);

#endif
