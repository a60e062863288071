/* SPDX-License-Identifier: MIT
 *
 * Where the lines of records go: to a file, or to the stderr that the library started with for as
 * long as that is there, and then to a file.
 */
#ifndef WSRX_TRACE_LINE_OUTPUT_H
#define WSRX_TRACE_LINE_OUTPUT_H

#include "trace/output_file.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct line_output {
    struct output_file *file;
    size_t longest;          /* line */
    atomic_bool to_standard; /* error; never set again */
    atomic_ulong unwritten;  /* lines that stderr did not take */
    atomic_bool started;     /* a stream has its first line */
    size_t (*make_start)(char *to);
};

/* One process's, before its first record. `file` has been planned. `make_start` makes the first line
 * of a file or a stream: its length, or 0 for none. */
void line_output_plan(struct line_output *output, struct output_file *file, bool to_standard,
                      size_t longest, size_t (*make_start)(char *to));

/* Whether lines are written at all. */
static inline bool line_output_works(const struct line_output *output)
{
    return output_file_state(output->file) != OUTPUT_BROKEN ||
           atomic_load_explicit(&output->to_standard, memory_order_relaxed);
}

/* Async-signal-safe. */
void line_output_add(struct line_output *output, struct output_file_window *window,
                     const char *line, size_t length);

/* Makes the file and a window, for a sandbox that is about to come. */
void line_output_prepare_sandbox(struct line_output *output, struct output_file_window *window);

/* The program ends: cuts the file, and reports the lines that could not be written. */
void line_output_end(struct line_output *output);

#endif
