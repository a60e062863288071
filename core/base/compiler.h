/* SPDX-License-Identifier: MIT
 *
 * What every receive and every wait looks at lies together, each variable in the file that owns it:
 * after a system call the processor's nearest cache holds what the kernel used, and each line of
 * ours, and each page, is fetched anew.
 */
#ifndef WSRX_BASE_COMPILER_H
#define WSRX_BASE_COMPILER_H

#define FAST_PATH_DATA __attribute__((section("wsrx_hot")))

/* The code of what is rare stands elsewhere, too. Each condition is marked by itself: of several in
 * one mark the compiler forgets it. */
#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define SLOW_PATH         __attribute__((noinline, cold))

#include <stddef.h>

static inline size_t round_up_to(size_t size, size_t to)
{
    return (size + to - 1) / to * to;
}

#endif
