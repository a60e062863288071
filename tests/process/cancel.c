/* SPDX-License-Identifier: MIT */
/* A receive and a wait are cancellation points, in a process of one thread and of several. */
#include "rows.h"

#include "check.h"

#define CANCEL(call, number)                                                        \
    {                                                                               \
        .name = call, .script = "run $victim cancel " number, .out = "cancelled\n", \
        .without = CHECK_SAME                                                       \
    }

static const struct check rows[] = {
    CANCEL("recv", "0"),
    CANCEL("recvfrom", "1"),
    CANCEL("read", "2"),
    CANCEL("epoll_wait", "3"),
    CANCEL("recv, in a thread", "4"),
    CANCEL("recvfrom, in a thread", "5"),
    CANCEL("read, in a thread", "6"),
    CANCEL("epoll_wait, in a thread", "7"),
};

ROWS(cancel, rows, ROWS_OF(rows))
{
    check(&rows[*row]);
}
