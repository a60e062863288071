/* SPDX-License-Identifier: MIT
 *
 * Makes names of programs and files safe to show: nothing in them moves the cursor of a terminal,
 * changes its colours, or means something to a shell.
 */
#ifndef WSRX_UTIL_PRINTABLE_H
#define WSRX_UTIL_PRINTABLE_H

/* A copy with control characters, and bytes that are no UTF-8, as in C: "\x1b". To be freed. */
char *printable(const char *text);

/* A copy as a word of a shell's command line, with quotes where it needs some. To be freed. */
char *printable_word(const char *text);

#endif
