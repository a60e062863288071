/* SPDX-License-Identifier: MIT
 *
 * The one way in which the library speaks: a line on the stderr that it started with.
 *
 * It must never allocate, use stdio, touch a lock, wait or raise a signal: it speaks inside somebody
 * else's process, perhaps inside a signal handler. See standard_error.h.
 *
 * A write to a file may take its time all the same (a network file system). So it is never made in a
 * critical section, and thus under none of our locks: there the line is kept, and written when the
 * thread has left the section.
 */
#ifndef WSRX_BASE_DIAG_H
#define WSRX_BASE_DIAG_H

#include <stdatomic.h>

/* Writes "libwsrx[PID]: " and the formatted line to stderr; in a critical section, once that is
 * left. Knows %s, %zu and %%; a longer line is cut. In a sandbox nothing is written.
 * Async-signal-safe; errno is untouched. */
__attribute__((format(printf, 1, 2))) void diag(const char *format, ...);

/* The same, but only the first time for this `reported`. */
#define diag_once(reported, ...)              \
    do {                                      \
        if (!atomic_exchange(&(reported), 1)) \
            diag(__VA_ARGS__);                \
    } while (0)

#endif
