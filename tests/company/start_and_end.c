/* SPDX-License-Identifier: MIT */
/* Receives before our constructor has run, and after everybody's main() is over. */
#include "rows.h"

#include "check.h"
#include "company.h"

#define EARLY COMPANY "f=$company/company-early.so\n"

static const struct check rows[] = {
    {
        .name = "a malloc library that receives, before us",
        .script = EARLY "LD_PRELOAD=\"$f $library\" $victim usual-forked",
        .out = "ok\n",
    },
    {
        .name = "a malloc library that receives, after us",
        .script = EARLY "LD_PRELOAD=\"$library $f\" $victim usual-forked",
        .out = "ok\n",
    },
    {
        .name = "and programs that receive nothing",
        .script = EARLY "LD_PRELOAD=\"$library $f\" echo one; LD_PRELOAD=\"$f $library\" echo two",
        .out = "one\ntwo\n",
        .without = CHECK_SAME,
    },
    {
        .name = "and settings that have something to say",
        .script = EARLY "WSRX_MODE=nonsense LD_PRELOAD=\"$library $f\" $victim usual",
        .out = "ok\n",
        .told = "WSRX_MODE=\"nonsense\"",
    },
    {
        .name = "and a table in a file",
        .script = EARLY "WSRX_TABLE=$dir/table LD_PRELOAD=\"$library $f\" $victim usual-forked\n"
                        "WSRX_TABLE=$dir/table LD_PRELOAD=\"$f $library\" $victim usual-forked",
        .out = "ok\nok\n",
    },
    {
        .name = "receives at the end",
        .script = COMPANY "run $company/company-late",
        .out = "key 1\nkey 2\nkey 3\nkey 4\natexit\ndestructor\n",
    },
    {
        .name = "receives at the end, with a malloc library that does so too",
        .script = EARLY "LD_PRELOAD=\"$library $f\" $company/company-late\n"
                        "LD_PRELOAD=\"$f $library\" $company/company-late",
        .out = "key 1\nkey 2\nkey 3\nkey 4\natexit\ndestructor\n"
               "key 1\nkey 2\nkey 3\nkey 4\natexit\ndestructor\n",
    },
};

ROWS(start_and_end, rows, ROWS_OF(rows))
{
    check(&rows[*row]);
}
