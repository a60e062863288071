/* SPDX-License-Identifier: MIT */
/* What stops one receive must not stop the others: none of our locks is held in a wait. */
#include "check.h"

/* Taken for Wine, as every process of a prefix: each its own table, the sockets are shared. */
#define WINE(scenario) \
    "ln -s $victim $dir/wine; export WSRX_CALLS=all; run $dir/wine " scenario " ${library:+9}"

static const struct check rows[] = {
    {.name = "a full stderr, as it is said that a held message was taken by others",
     .script = "export WSRX_HOLD=kernel; run $victim full-stderr",
     .out = "ok\n"},
    {.name = "a full stderr, as it is said that there is no eventfd",
     .script = "run $victim full-stderr-epoll",
     .out = "ok\n"},
    {.name = "Wine: a stopped process has the socket's record lock",
     .script = WINE("locked-socket"),
     .out = "ok\n"},
    {.name = "Wine: two programs take the parts of the same messages",
     .script = WINE("shared-parts"),
     .out = "ok\n"},
    {.name = "Wine: a message comes just as its receive has found the queue empty",
     .script = WINE("into-empty-queue"),
     .out = "ok\n"},
};

CHECKS(blocked, rows, rows)
