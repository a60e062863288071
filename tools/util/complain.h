/* SPDX-License-Identifier: MIT
 *
 * What the command reports of its own: one line for each problem.
 */
#ifndef WSRX_UTIL_COMPLAIN_H
#define WSRX_UTIL_COMPLAIN_H

#include <stdbool.h>
#include <stdio.h>

/* "wsrx: …" on stderr, made printable. */
__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);

/* Whether everything printed so far was written; if not, it is reported, once. `name` is the
 * option's argument that the stream was opened for, or NULL. */
bool is_written(FILE *out, const char *name);

#endif
