/* SPDX-License-Identifier: MIT */
/* A receive and a wait are cancellation points, in a process of one thread and of several. */
#include "rows.h"

#include "check.h"

#define CANCEL(call, number)                                                        \
    {                                                                               \
        .name = call, .script = "run $victim cancel " number, .out = "cancelled\n", \
        .without = CHECK_SAME                                                       \
    }

/* Without the library there is no tail. */
#define CANCEL_AT_A_TAIL(call, number)                                                            \
    {                                                                                             \
        .name = call ", at a tail", .out = "cancelled\n", .script = "run $victim cancel " number, \
        .without = CHECK_DIFFERS                                                                  \
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
    CANCEL_AT_A_TAIL("recv", "8"),
    CANCEL_AT_A_TAIL("recvfrom", "9"),
    CANCEL_AT_A_TAIL("read", "10"),
    CANCEL_AT_A_TAIL("epoll_wait", "11"),
    CANCEL_AT_A_TAIL("readv", "12"),
    CANCEL_AT_A_TAIL("recvmsg", "13"),
    CANCEL_AT_A_TAIL("recvmmsg", "14"),
};

ROWS(cancel, rows, ROWS_OF(rows))
{
    check(&rows[*row]);
}
