/* SPDX-License-Identifier: MIT */
/* A look and a take in one. A receive makes the two apart. */
#ifndef WSRX_TESTS_TABLE_TAKE_H
#define WSRX_TESTS_TABLE_TAKE_H

#include "table/table.h"

static inline int table_take(struct table *in, uint64_t cookie, size_t room, unsigned how,
                             table_copy copy, void *context, struct held *ret_held,
                             struct part *ret_part)
{
    struct table_found found;

    table_find(in, cookie, &found);
    return table_take_found(in, &found, room, how, copy, context, ret_held, ret_part);
}

#endif
