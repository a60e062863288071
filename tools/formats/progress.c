/* SPDX-License-Identifier: MIT */
#include "formats/progress.h"

#include <stdio.h>
#include <unistd.h>

enum { LONG = 500000, WIDTH = 40 };

void progress_start(struct progress *progress, uint64_t records)
{
    *progress = (struct progress){.records = records, .step = records / 200 + 1};
    progress->shown = records >= LONG && isatty(STDERR_FILENO);
    progress->next = progress->shown ? progress->step : UINT64_MAX;
}

void progress_show(struct progress *progress)
{
    static const char bar[] = "########################################";
    int done = (int)(progress->done * WIDTH / progress->records);

    progress->next += progress->step;
    if (done > WIDTH)
        done = WIDTH;
    fprintf(stderr, "\r[%.*s%*s] %3d%%", done, bar, WIDTH - done, "",
            (int)(progress->done * 100 / progress->records));
}

void progress_end(struct progress *progress)
{
    if (progress->shown)
        fprintf(stderr, "\r%*s\r", WIDTH + 10, "");
}
