/* SPDX-License-Identifier: MIT
 *
 * The standard error that the library started with, for whatever it says inside somebody else's
 * process.
 *
 * The program may close descriptor 2 and open its own data under that number: then nothing is
 * written. A write here never raises a signal, and never waits for a reader: a full pipe or a
 * terminal that has been stopped (^S) loses the text. Whoever was asked for the text may allow a
 * short wait.
 */
#ifndef WSRX_BASE_STANDARD_ERROR_H
#define WSRX_BASE_STANDARD_ERROR_H

#include <stddef.h>

enum standard_error_result {
    STANDARD_ERROR_WRITTEN,
    STANDARD_ERROR_DROPPED,  /* or cut: it takes no more now, nobody reads it, or a sandbox */
    STANDARD_ERROR_REPLACED, /* descriptor 2 is closed, or something else by now */
};

/* Remembers what descriptor 2 is. For start-up, before anything else may be under that number; until
 * then lines go to what is there. A second call changes nothing. */
void standard_error_start(void);

/* `patience`: milliseconds to wait for room, at most. A reader who was too slow once is not waited
 * for again until there is room. Async-signal-safe; errno is untouched. */
enum standard_error_result standard_error_write(const char *text, size_t length, int patience);

#endif
