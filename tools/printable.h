/* SPDX-License-Identifier: MIT
 *
 * Words of somebody else (names of programs and files) made fit to be shown: nothing in them moves
 * a terminal's cursor, changes its colours, or is taken by a shell for something else.
 */
#ifndef WSRX_PRINTABLE_H
#define WSRX_PRINTABLE_H

/* A copy with control characters, and bytes that are no UTF-8, as in C: "\x1b". To be freed. */
char *printable(const char *text);

/* A copy as a word of a shell's command line, with quotes where it needs some. To be freed. */
char *printable_word(const char *text);

#endif
