/* SPDX-License-Identifier: MIT
 *
 * The statistics of a process, added up and written when it ends: to stderr or to a file.
 */
#ifndef WSRX_TRACE_SUMMARY_H
#define WSRX_TRACE_SUMMARY_H

#include "trace/output_file.h"

#include <stdint.h>

/* What stands above the table. */
struct summary_head {
    uint32_t pid;
    const char *mode;
};

/* Once, for this process and its children. 0, or a negative errno. */
int summary_start(void);

/* One process's, before its first record. */
void summary_begin(void);

/* Once a process, after its last record. `file`: where to, or NULL for stderr. */
void summary_write(const struct summary_head *head, struct output_file *file);

/* Makes the file ready for an end in a sandbox, where it could not be made. */
void summary_prepare_sandbox(struct output_file *file);

#endif
