/* SPDX-License-Identifier: MIT */
/* Eight processes on one socket: no byte lost, none doubled. */
#include "rows.h"

#include "check.h"

static const struct check rows[] = {
    {.name = "blocking receives", .script = "run $victim prefork-blocking", .out = "ok\n"},
    {.name = "poll", .script = "run $victim prefork-poll", .out = "ok\n"},
    {.name = "an epoll set each", .script = "run $victim prefork-epoll", .out = "ok\n"},
    {.name = "one epoll set for all", .script = "run $victim prefork-shared-epoll", .out = "ok\n"},
    {.name = "an edge-triggered epoll set each",
     .script = "run $victim prefork-epoll-edge",
     .out = "ok\n"},
};

ROWS(prefork, rows, ROWS_OF(rows))
{
    check(&rows[*row]);
}
