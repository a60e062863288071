/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "table/counts.h"

#include "base/sys.h"
#include "table/table.h"

__thread bool counts_change;

__attribute__((noinline)) void counts_make_anew(struct table *table)
{
    counts_change = false;
    if (!sys_is_sandboxed())
        table_tidy(table);
}
