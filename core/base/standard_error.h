/* SPDX-License-Identifier: MIT
 *
 * The standard error that the library started with, for all that it reports.
 *
 * The program may close descriptor 2 and open its own data under that number: then nothing is
 * written. A write here never raises a signal, and never waits for a reader: if a pipe is full, or
 * a terminal is stopped (^S), the text is lost. For text that the user has requested, the caller
 * may allow a short wait.
 */
#ifndef WSRX_BASE_STANDARD_ERROR_H
#define WSRX_BASE_STANDARD_ERROR_H

#include <stddef.h>

enum standard_error_result {
    STANDARD_ERROR_WRITTEN,
    STANDARD_ERROR_DROPPED,  /* or cut: it takes no more now, nobody reads it, or a sandbox */
    STANDARD_ERROR_REPLACED, /* descriptor 2 is closed, or something else by now */
};

/* Remembers which file descriptor 2 is. Called at start-up, before the program can replace it;
 * until then lines go to whatever is there. A second call changes nothing. */
void standard_error_start(void);

/* `patience`: how many milliseconds to wait for room at most. After one wait in vain there is no
 * other until there is room. Async-signal-safe; leaves errno alone. */
enum standard_error_result standard_error_write(const char *text, size_t length, int patience);

#endif
