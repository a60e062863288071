/* SPDX-License-Identifier: MIT */
/* Eight processes on one socket: no byte lost, none doubled. */
#include "check.h"

/* Without the library words are lost, and waiting for them shows nothing. */
#define PREFORK(scenario) "run $victim " scenario " ${library:+9}"

static const struct check rows[] = {
    {.name = "blocking receives", .script = PREFORK("prefork-blocking"), .out = "ok\n"},
    {.name = "poll", .script = PREFORK("prefork-poll"), .out = "ok\n"},
    {.name = "an epoll set each", .script = PREFORK("prefork-epoll"), .out = "ok\n"},
    {.name = "one epoll set for all", .script = PREFORK("prefork-shared-epoll"), .out = "ok\n"},
    {.name = "an edge-triggered epoll set each",
     .script = PREFORK("prefork-epoll-edge"),
     .out = "ok\n"},
};

CHECKS(prefork, rows, rows)
