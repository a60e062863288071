/* SPDX-License-Identifier: MIT
 *
 * The formats that records are turned into, and the bar for long ones.
 */
#ifndef WSRX_FORMATS_H
#define WSRX_FORMATS_H

#include "reader.h"

struct progress {
    uint64_t records, done, next, step;
    bool shown; /* only on a terminal, and where it takes long */
};

void progress_start(struct progress *progress, uint64_t records);
void progress_show(struct progress *progress);
void progress_end(struct progress *progress);

static inline void progress_step(struct progress *progress)
{
    if (++progress->done >= progress->next)
        progress_show(progress);
}

/* Each writes all records that are left. 0, or a negative errno; errors of `out` are its own. */
int write_pcapng(struct reader *reader, FILE *out, struct progress *progress);
int write_perfetto(struct reader *reader, FILE *out, struct progress *progress);

/* A string as JSON, with its quotes. */
void put_json_string(FILE *out, const char *text);

#endif
