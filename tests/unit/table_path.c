/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "table_path.h"

#include "table/backing.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char directory[] = "/tmp/wsrx-unit-XXXXXX";
char table_path[100];

void table_path_make(void)
{
    cr_assert_not_null(mkdtemp(directory));
    snprintf(table_path, sizeof table_path, "%s/table", directory);
}

void table_path_remove(void)
{
    unlink(table_path);
    rmdir(table_path);
    rmdir(directory);
}

struct table *table_path_open(void)
{
    struct table *table = NULL;
    const char *why = table_open(table_path, TABLE_PATH_HOLD_MAX, &table);

    cr_assert_null(why, "%s", why);
    cr_assert_not_null(table);
    return table;
}
