/* SPDX-License-Identifier: MIT
 *
 * The only way in which the library reports: a line on the stderr that it started with.
 *
 * It must never allocate, use stdio, take a lock, wait or raise a signal, since it runs inside
 * another program, perhaps in a signal handler. See standard_error.h.
 *
 * A write to a file may still take long (a network file system). So no line is written in a
 * critical section, and thus none under a lock of ours: it is kept, and written when the thread has
 * left the section.
 */
#ifndef WSRX_BASE_DIAG_H
#define WSRX_BASE_DIAG_H

#include <stdatomic.h>

/* Writes "libwsrx[PID]: " and the formatted line to stderr; in a critical section, after it. Knows
 * %s, %zu and %%. A line that is too long is cut. In a sandbox nothing is written.
 * Async-signal-safe; leaves errno alone. */
__attribute__((format(printf, 1, 2))) void diag(const char *format, ...);

/* The same, but only the first time for this `reported`. */
#define diag_once(reported, ...)              \
    do {                                      \
        if (!atomic_exchange(&(reported), 1)) \
            diag(__VA_ARGS__);                \
    } while (0)

#endif
