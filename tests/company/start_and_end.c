/* SPDX-License-Identifier: MIT */
/* Receives before the library's constructor has run, and after main() has returned. */
#include "check.h"

#define EARLY "other=$company/company-early.so\n"

static const struct check rows[] = {
    {
        .name = "a malloc library that receives, before us",
        .script = EARLY "other_first $victim usual-forked",
        .out = "ok\n",
    },
    {
        .name = "a malloc library that receives, after us",
        .script = EARLY "other_last $victim usual-forked",
        .out = "ok\n",
    },
    {
        .name = "and programs that receive nothing",
        .script = EARLY "other_last echo one; other_first echo two",
        .out = "one\ntwo\n",
        .without = CHECK_SAME,
    },
    {
        .name = "and settings that have something to say",
        .script = EARLY "WSRX_MODE=nonsense other_last $victim usual",
        .out = "ok\n",
        .report = "WSRX_MODE=\"nonsense\"",
    },
    {
        .name = "and a table in a file",
        .script = EARLY "WSRX_TABLE=$dir/table other_last $victim usual-forked\n"
                        "WSRX_TABLE=$dir/table other_first $victim usual-forked",
        .out = "ok\nok\n",
    },
    {
        .name = "receives at the end",
        .script = "run $company/company-late",
        .out = "key 1\nkey 2\nkey 3\nkey 4\natexit\ndestructor\n",
    },
    {
        .name = "receives at the end, with a malloc library that does so too",
        .script = EARLY "other_last $company/company-late; other_first $company/company-late",
        .out = "key 1\nkey 2\nkey 3\nkey 4\natexit\ndestructor\n"
               "key 1\nkey 2\nkey 3\nkey 4\natexit\ndestructor\n",
    },
};

CHECKS(start_and_end, rows, rows)
