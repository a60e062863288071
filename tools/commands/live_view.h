/* SPDX-License-Identifier: MIT
 *
 * Records while they are written: shown line by line, or summed up.
 */
#ifndef WSRX_COMMANDS_LIVE_VIEW_H
#define WSRX_COMMANDS_LIVE_VIEW_H

#include "input/summary.h"
#include "trace/format.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

struct live_view {
    struct reader *reader;
    struct summary *records; /* the sums of what was shown, where files keep none themselves */
    struct summary *totals;  /* those that the files keep, as they were last looked at, or NULL */
    FILE *out;
    const char *name; /* of it, as it was given, or NULL */
    bool colour;
    bool counts;   /* no lines, but sums */
    bool any;      /* records were seen */
    bool at_least; /* the sums tell less than there was */
    bool json;     /* JSON, and not text */
    bool failed;   /* something could not be written, and that was reported */
    bool all;      /* lines for receives that found nothing, too */
    uint64_t hidden;
    const char *metrics; /* the path of a file of metrics, or NULL */
    int every;           /* seconds between two of them */
    time_t metrics_at;   /* the next */
    size_t *modules;     /* of each file whose first line of JSON is printed: those printed */
    size_t started;      /* such files */
    char *line;
    size_t room;
    struct format_cache lines;
    struct trace_filter filter; /* of a ring that is there; else the library applies it */
};

/* Ends the command if there is no memory. */
struct live_view *live_view_new(bool counts);
void live_view_free(struct live_view *view);

/* Whether lines there may be coloured: a terminal that can, and nobody has said NO_COLOR. */
bool live_view_may_colour(FILE *out);

/* Opens the output, standard error for NULL. False: reported. */
bool live_view_open(struct live_view *view, const char *name);

/* Adds the ring files of a directory that are not known yet. */
void live_view_find(struct live_view *view, const char *directory);

/* The sums until now; until the next call. */
const struct summary *live_view_summary(struct live_view *view);

/* Shows what has been written since. Until the `last` time the newest records wait, so that all
 * threads' lines are in the order of time. */
void live_view_catch_up(struct live_view *view, bool last);

#endif
