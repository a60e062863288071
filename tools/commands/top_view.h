/* SPDX-License-Identifier: MIT
 *
 * Who loses what: the rows of wsrx top, their order, and how they are shown.
 */
#ifndef WSRX_COMMANDS_TOP_VIEW_H
#define WSRX_COMMANDS_TOP_VIEW_H

#include "observe/observer.h"

#include <stdio.h>

struct top_row {
    struct observe_key key;
    struct observe_sums sums;
    double messages, bytes; /* lost a second */
};

/* What cookie a socket had that had none when it first lost something: it may be gone now. */
struct top_name {
    uint32_t pid;
    int32_t fd;
    uint64_t cookie;
};

/* All zero at first. */
struct top_rows {
    struct top_row *row;
    struct top_name *name;
    size_t count, room, names;
};

/* How often, in which order; text for people, with the columns of --all. */
struct top_format {
    const char *sort, *watched;
    bool all;
    int lines, columns; /* of the screen; 0: no limit */
};

/* The words that `sort` may be; ends with NULL. */
extern const char *const top_keys[];

/* The rows of now, with what each has lost a second since `last`, worst first by `sort`. */
void top_collect(struct top_rows *to, struct top_rows *last, struct observer *observer,
                 double seconds, const char *sort);

void top_print(const struct top_rows *rows, const struct top_format *format, FILE *out);
void top_print_json(const struct top_rows *rows, double seconds, FILE *out);

void top_free(struct top_rows *rows);

/* False: reported. */
bool top_metrics(const struct top_rows *rows, const char *path);

#endif
