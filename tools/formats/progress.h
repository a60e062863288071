/* SPDX-License-Identifier: MIT
 *
 * The progress bar of a long conversion.
 */
#ifndef WSRX_FORMATS_PROGRESS_H
#define WSRX_FORMATS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    uint64_t records, done, next, step;
    bool shown; /* only on a terminal, and if it takes long */
};

void progress_start(struct progress *progress, uint64_t records);
void progress_show(struct progress *progress);
void progress_end(struct progress *progress);

static inline void progress_step(struct progress *progress)
{
    if (++progress->done >= progress->next)
        progress_show(progress);
}

#endif
