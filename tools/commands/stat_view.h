/* SPDX-License-Identifier: MIT
 *
 * What wsrx stat prints of the sums: a table and the cure, or JSON, and a file of metrics.
 */
#ifndef WSRX_COMMANDS_STAT_VIEW_H
#define WSRX_COMMANDS_STAT_VIEW_H

#include "commands/live_view.h"

enum { METRICS_EVERY = 15 }; /* seconds, the default */

/* `name` of the program, `program`: its command line, or NULL if that is not known; `mode`: the one
 * that it ran in. */
void stat_print(struct live_view *view, const char *name, const char *const *program,
                const char *mode);

/* Writes the file of metrics, if there is to be one and it is `due`, or the time for it has come. */
void stat_metrics(struct live_view *view, bool due);

#endif
