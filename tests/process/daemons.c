/* SPDX-License-Identifier: MIT */
/* Daemons that close every descriptor, and then use sockets that got the old numbers. */
#include "check.h"

static const struct check rows[] = {
    {.name = "two forks, all descriptors closed", .script = "run $victim daemon", .out = "ok\n"},
    {.name = "the same, with tails and event loops among them",
     .script = "run $victim daemon-with-tail",
     .out = "ok\n"},
};

CHECKS(daemons, rows, rows)
