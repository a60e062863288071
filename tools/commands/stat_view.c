/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "commands/stat_view.h"

#include "commands/cure.h"
#include "formats/metrics.h"
#include "formats/report_data.h"
#include "formats/table.h"
#include "util/printable.h"

#include <stdlib.h>
#include <time.h>

enum { ROWS = 256 };

static void print_table(struct live_view *view, const struct summary *summary, const char *name,
                        const char *mode)
{
    char *shown = printable(name);

    fprintf(view->out, "wsrx: datagrams and records received by %s, mode %s%s\n", shown, mode,
            summary->at_least ? "; at least" : "");
    table_sockets(view->out, summary, ROWS);
    free(shown);
}

void stat_print(struct live_view *view, const char *name, const char *const *program,
                const char *mode)
{
    const struct summary *summary = live_view_summary(view);
    struct json_object *data;

    view->at_least = summary->at_least;
    if (!view->json) {
        print_table(view, summary, name, mode);
        cure_print(view->out, summary, program);
        return;
    }
    data = report_data(summary, view->reader);
    report_json(data, view->out);
    json_object_put(data);
}

static time_t seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

void stat_metrics(struct live_view *view, bool due)
{
    if (!view->metrics || (!due && seconds() < view->metrics_at))
        return;
    /* What could not be written once is tried again, and reported again. */
    if (!metrics_replace(live_view_summary(view), view->metrics))
        view->failed = true;
    view->metrics_at = seconds() + view->every;
}
