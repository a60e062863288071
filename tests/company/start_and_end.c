/* SPDX-License-Identifier: MIT */
/* Receives before our constructor has run, and after everybody's main() is over. */
#include "check.h"
#include "company.h"

#define EARLY ORDERS "f=$company/company-early.so\n"

static const struct check rows[] = {
    {
        .name = "a malloc library that receives, before us",
        .script = EARLY "before $victim usual-forked",
        .out = "ok\n",
    },
    {
        .name = "a malloc library that receives, after us",
        .script = EARLY "after $victim usual-forked",
        .out = "ok\n",
    },
    {
        .name = "and programs that receive nothing",
        .script = EARLY "after echo one; before echo two",
        .out = "one\ntwo\n",
        .without = CHECK_SAME,
    },
    {
        .name = "and settings that have something to say",
        .script = EARLY "WSRX_MODE=nonsense after $victim usual",
        .out = "ok\n",
        .told = "WSRX_MODE=\"nonsense\"",
    },
    {
        .name = "and a table in a file",
        .script = EARLY "WSRX_TABLE=$dir/table after $victim usual-forked\n"
                        "WSRX_TABLE=$dir/table before $victim usual-forked",
        .out = "ok\nok\n",
    },
    {
        .name = "receives at the end",
        .script = COMPANY "run $company/company-late",
        .out = "key 1\nkey 2\nkey 3\nkey 4\natexit\ndestructor\n",
    },
    {
        .name = "receives at the end, with a malloc library that does so too",
        .script = EARLY "after $company/company-late\n"
                        "before $company/company-late",
        .out = "key 1\nkey 2\nkey 3\nkey 4\natexit\ndestructor\n"
               "key 1\nkey 2\nkey 3\nkey 4\natexit\ndestructor\n",
    },
};

CHECKS(start_and_end, rows, rows)
