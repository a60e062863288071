/* SPDX-License-Identifier: MIT
 *
 * Reads files of records: rings (finished, killed or still being written) and JSON Lines.
 *
 * It decides what a file holds, and gives the records of all files in the order of time. Of a
 * damaged file, everything before the damage is given.
 */
#ifndef WSRX_INPUT_READER_H
#define WSRX_INPUT_READER_H

#include "input/reader_file.h"
#include "trace/record.h"

#include <stdio.h>

struct reader;

struct reader *reader_new(void);
void reader_free(struct reader *reader);

/* From now on only records that match are given. */
void reader_filter(struct reader *reader, const struct trace_filter *filter);
bool reader_is_filtered(const struct reader *reader);

/* Adds a file; "-" is standard input. False: nothing of it can be read, and that was reported. */
bool reader_add(struct reader *reader, const char *path);

/* The next record of all files by time, and its file (may be NULL). False: there is none now. What
 * the record points to stays as long as the reader; of a ring still being written, until the next
 * call. */
bool reader_next(struct reader *reader, struct record *ret_record,
                 const struct reader_file **ret_file);

/* Looks for records that were written to rings since: then reader_next() has more. Later records
 * than `until`, by CLOCK_MONOTONIC, are kept for the next time: a thread may still write one that
 * belongs before them. */
void reader_refresh(struct reader *reader, uint64_t until);

/* Whether a file of this name may be written to: it is none of those that are read. False:
 * reported. */
bool reader_may_write(const struct reader *reader, const char *path);

/* Opens a file to write to; "-" is standard output. NULL: reported; a file that is read is never
 * written over. */
FILE *reader_output(const struct reader *reader, const char *path);

/* --- what a file tells of itself --------------------------------------------------------- */

/* The module in which an address of a process lies, or NULL. To be found in the module's symbols: the
 * address less `bias`; as a record's caller is the address that the call returns to, one less than
 * that is in the call. It stays as long as the reader. */
const struct record_module *reader_module(struct reader_file *file, uint32_t pid, uint64_t address);

/* For format_cache.module_of: of a record that reader_next() has given. */
const struct record_module *reader_module_of(const struct record *record);

/* The name of a process's program, printable; "": not known. */
const char *reader_program(const struct reader_file *file, uint32_t pid);

/* The row of a number of a file's totals: what a socket and caller has received, whatever was
 * overwritten. False: there are no more rows. A row whose `used` is 0 is none. */
bool reader_total(const struct reader_file *file, size_t number, struct ring_total *ret_total);

/* Whether the sums of its records, or of its totals, tell less than there was. */
bool reader_is_partial(const struct reader_file *file);

size_t reader_files(const struct reader *reader);
const struct reader_file *reader_file(const struct reader *reader, size_t number);

/* Of all files. */
uint64_t reader_records(const struct reader *reader);
bool reader_damaged(const struct reader *reader);

/* Reports what is missing: overwritten, dropped, unfinished records. */
void reader_report_missing(const struct reader *reader);

#endif
