/* SPDX-License-Identifier: MIT
 *
 * The pattern of a path, as WSRX_TRACE_FILE and WSRX_STATS have it: %p pid, %e program, %t the
 * program's start time, %% a '%'.
 */
#ifndef WSRX_TRACE_OUTPUT_PATH_H
#define WSRX_TRACE_OUTPUT_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* Whether a pattern is one: every % is followed by p, e, t or %. */
bool output_path_is_pattern(const char *pattern);

/* What a pattern means, for one process. */
struct output_path_facts {
    const char *directory; /* where a relative path begins */
    const char *start_time;
    const char *suffix; /* put behind a pattern without %p; may be "" */
    unsigned pid;
};

/* Writes the path to `to`; *ret_stem is its length without the suffix. False: it is too long.
 * Async-signal-safe. */
bool output_path_expand(const char *pattern, const struct output_path_facts *facts, char *to,
                        size_t size, size_t *ret_stem);

#endif
