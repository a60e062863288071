/* SPDX-License-Identifier: MIT
 *
 * The table of wsrx report and wsrx stat: the same columns in both, 80 wide. A row is two lines,
 * since whose it is has no width that could be foreseen.
 */
#ifndef WSRX_FORMATS_TABLE_H
#define WSRX_FORMATS_TABLE_H

#include "input/summary.h"

#include <stdio.h>

enum { TABLE_WIDTH = 80 };

void table_head(FILE *out);

/* `room` UINT64_MAX: no buffer got a message. */
void table_row(FILE *out, const char *who, const struct sums *sums, uint64_t room,
               uint64_t longest);

/* The sockets and callers of a summary, the worst first, no more than `most` of each; and the
 * total. */
void table_sockets(FILE *out, const struct summary *summary, size_t most);
void table_callers(FILE *out, const struct summary *summary, size_t most);

#endif
