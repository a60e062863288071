/* SPDX-License-Identifier: MIT
 *
 * The formats into which records are converted.
 */
#ifndef WSRX_FORMATS_FORMATS_H
#define WSRX_FORMATS_FORMATS_H

#include "formats/progress.h"
#include "input/reader.h"
#include "input/summary.h"

/* Each writes all records that are left. 0, or a negative errno; errors of `out` are its own. */
int write_text(struct reader *reader, FILE *out, struct progress *progress);
int write_jsonl(struct reader *reader, FILE *out, struct progress *progress);

/* The lines of JSON Lines beside the records: those that tell of a file's processes, and of its
 * modules from a number on, of which the next number is returned. */
void write_jsonl_start(const struct reader_file *file, FILE *out);
size_t write_jsonl_modules(const struct reader_file *file, size_t from, FILE *out);

int write_pcapng(struct reader *reader, FILE *out, struct progress *progress);
int write_perfetto(struct reader *reader, FILE *out, struct progress *progress);

/* One page, complete in itself. */
void write_html(const struct summary *summary, const struct reader *reader, FILE *out);

/* The same of two summaries, and the names that they were given by. */
void write_html_diff(struct summary *const summary[2], const char *const path[2], FILE *out);

#endif
