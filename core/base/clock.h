/* SPDX-License-Identifier: MIT
 *
 * The monotonic clock, cheaper than clock_gettime(2): 11 ns against 27 on the machine where both
 * were measured, and a record of the ring may cost 35.
 *
 * On x86-64, if the kernel itself uses the time-stamp counter, a thread reads the counter, and
 * reads the kernel's clock again after some milliseconds. So the two never differ by more than
 * about a microsecond. Elsewhere it is clock_gettime(). A thread's times never go back.
 */
#ifndef WSRX_BASE_CLOCK_H
#define WSRX_BASE_CLOCK_H

#include "base/compiler.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#ifdef __x86_64__
#include <x86intrin.h>
#endif

/* A thread's own; all zero at first. */
struct clock {
    uint64_t ticks, time; /* one moment, by the counter and by the kernel */
    uint64_t rate;        /* nanoseconds for each tick, times 2^32; 0: unknown yet */
    uint64_t last;        /* the last time returned */
};

/* The counter must not be read, see clock_without_counter(). */
extern atomic_bool clock_is_coarse;

/* The program is about to forbid the counter: strict mode of seccomp(2), and PR_SET_TSC of prctl(2), end
 * a thread with SIGSEGV that reads it, in clock_gettime(2) as well. From now on all times are those of the
 * kernel's coarse clocks, which change some hundred times a second. */
static inline void clock_without_counter(void)
{
    atomic_store_explicit(&clock_is_coarse, true, memory_order_relaxed);
}

/* Finds out which clock the kernel uses. For start-up. */
void clock_start(void);

/* The time by the kernel's clock. */
uint64_t clock_ask(struct clock *clock);

/* Nanoseconds of CLOCK_MONOTONIC. Async-signal-safe. */
static inline uint64_t clock_now(struct clock *clock)
{
#ifdef __x86_64__
    enum { TRUSTED_TICKS = 1 << 24 }; /* 4 to 8 ms: then the kernel's clock is read again */
    uint64_t passed, now;

    if (LIKELY(clock->rate != 0) &&
        LIKELY(!atomic_load_explicit(&clock_is_coarse, memory_order_relaxed)) &&
        LIKELY((passed = __rdtsc() - clock->ticks) <= TRUSTED_TICKS))
        now = clock->time + (passed * clock->rate >> 32);
    else
        now = clock_ask(clock);
    if (!LIKELY(now >= clock->last))
        now = clock->last;
    return clock->last = now;
#else
    return clock_ask(clock);
#endif
}

/* To be added to these times, for nanoseconds since 1970. */
int64_t clock_realtime_offset(void);

/* Nanoseconds of CLOCK_MONOTONIC or CLOCK_REALTIME, or of their coarse kin, by clock_gettime(2).
 * Async-signal-safe. */
int64_t clock_read(clockid_t id);

#endif
