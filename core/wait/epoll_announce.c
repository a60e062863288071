/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "wait/epoll_announce.h"

#include "state.h"
#include "table/table.h"

_Atomic uint64_t announced_cookie;

void announced_revoke(void)
{
    uint64_t cookie = atomic_exchange(&announced_cookie, 0);

    if (cookie)
        table_revoke(state.table, cookie);
}
