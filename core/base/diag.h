/* SPDX-License-Identifier: MIT
 *
 * The one way in which the library speaks: a line on stderr, in one write(2).
 *
 * It must never allocate, use stdio or touch a lock: it speaks inside somebody else's process,
 * perhaps inside a signal handler.
 *
 * stderr may be a full pipe or a stopped terminal, so the write can block for as long as somebody
 * pleases. It is never made in a critical section, and thus under none of our locks: there the line
 * is kept, and written when the thread has left the section.
 */
#ifndef WSRX_BASE_DIAG_H
#define WSRX_BASE_DIAG_H

#include <stdatomic.h>

/* Writes "libwsrx[PID]: " and the formatted line to stderr; in a critical section, once that is
 * left. Knows %s, %zu and %%; a longer line is cut. Async-signal-safe; may change errno. */
__attribute__((format(printf, 1, 2))) void diag(const char *format, ...);

/* The same, but only the first time for this `told`. */
#define diag_once(reported, ...)              \
    do {                                      \
        if (!atomic_exchange(&(reported), 1)) \
            diag(__VA_ARGS__);                \
    } while (0)

#endif
