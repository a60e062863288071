/* SPDX-License-Identifier: MIT
 *
 * What would have kept the bytes that were lost: the setting, or the buffer.
 */
#ifndef WSRX_COMMANDS_CURE_H
#define WSRX_COMMANDS_CURE_H

#include "trace/stats.h"

#include <stdbool.h>
#include <stdio.h>

enum { CURE_ROWS = 3 };

struct cure {
    size_t losses; /* calls of sockets that lost something */
    struct stats_row worst[CURE_ROWS];
    bool reporting;           /* recvmsg or recvmmsg among them */
    struct stats_row dropped; /* the row with the most messages that the kernel dropped */
};

/* Before the table is sorted, which leaves copies in it. */
struct cure cure_of(struct stats_table *table);

/* Prints nothing if nothing was lost. `program`: the command line, which ends with NULL; or
 * NULL, if it is not known. */
void cure_print(FILE *out, const struct cure *cure, const char *const *program);

#endif
