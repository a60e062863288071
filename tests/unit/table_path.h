/* SPDX-License-Identifier: MIT */
/* A table in a file of a directory of its own, for the tests of such tables. */
#ifndef WSRX_TESTS_TABLE_PATH_H
#define WSRX_TESTS_TABLE_PATH_H

#include "table/table.h"

enum { TABLE_PATH_HOLD_MAX = 1 << 20 };

extern char table_path[];

void table_path_make(void); /* the directory; the file is not there yet */
void table_path_remove(void);

/* Opens the table, which must succeed. */
struct table *table_path_open(void);

#endif
