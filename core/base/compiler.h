/* SPDX-License-Identifier: MIT
 *
 * Marks for the fast paths. The data that every receive and every wait reads lies together, in a
 * section of its own; each variable is defined in the file that owns it. After a system call the
 * processor's nearest cache holds the kernel's data, and each line and each page of ours is fetched
 * again. What a fork writes to lies there, too: elsewhere each variable would cost its child a page.
 */
#ifndef WSRX_BASE_COMPILER_H
#define WSRX_BASE_COMPILER_H

#define FAST_PATH_DATA __attribute__((section("wsrx_hot")))

/* Rare code lies elsewhere, too. Mark each condition by itself: if several share one mark, the
 * compiler ignores it. */
#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define SLOW_PATH         __attribute__((noinline, cold))

/* A function whose first KiB, in which its fast path is, lies in one page: after a system call each
 * further page of code costs some nanoseconds, 1 to 2 % of a receive. */
#define IN_ONE_PAGE __attribute__((aligned(1024)))

/* What every program runs as it starts and ends, side by side: a page of code that is not yet mapped
 * costs about as much as all that is done there. */
#define START_CODE __attribute__((section(".text.startup")))

/* Races with readers that find out, and throw away what they have read. A function of its own, where
 * a race detector is built in. */
#define RACES_ON_PURPOSE __attribute__((no_sanitize("thread")))

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The same value, which the compiler takes for another one. What is made of it is made only where it
 * is needed, and not before, for all places at once. */
static inline uint64_t compiler_hide(uint64_t value)
{
    __asm__("" : "+r"(value));
    return value;
}

static inline size_t compiler_hide_size(size_t value)
{
    __asm__("" : "+r"(value));
    return value;
}

/* Sets a structure of a few hundred bytes to zeros, without the instruction that gcc has for that, which
 * takes some 15 ns to begin. */
static inline __attribute__((always_inline)) void compiler_clear(void *structure, size_t size)
{
    char *at = structure, *end = at + size;

    for (; at + 64 <= end; at += 64) {
        memset(at, 0, 64);
        __asm__ volatile("" : : : "memory");
    }
    memset(end - size % 64, 0, size % 64);
}

static inline size_t round_up_to(size_t size, size_t to)
{
    return (size + to - 1) / to * to;
}

#endif
