/* SPDX-License-Identifier: MIT */
/*
 * What is no message socket, or one that is never selected, behaves as without the library: every
 * row is played both ways, and must come out the same.
 */
#include "rows.h"
#include "scenario.h"

#define STREAM            \
    "send 3000\n"         \
    "read 1000\n"         \
    "recv 500\n"          \
    "recvfrom 500\n"      \
    "readv 300 parts=3\n" \
    "preadv2 100\n"       \
    "recvmsg 100\n"       \
    "recvmmsg 100 n=2\n"  \
    "recv 100 peek\n"     \
    "recv 0\n"            \
    "read 0\n"            \
    "recv 100 waitall\n"  \
    "fionread r\n"        \
    "poll 0\n"            \
    "send 500\n"          \
    "__read 50\n"         \
    "__read_chk 50\n"     \
    "__recv_chk 50\n"     \
    "sys_recvfrom 50\n"   \
    "recv 200 trunc\n"    \
    "recv 5000\n"         \
    "recv 10 dontwait\n"  \
    "fionread r\n"        \
    "poll 0\n"

static const struct scenario rows[] = {
    {.name = "TCP over IPv4", .transcript = "tcp4\n" STREAM "shutdown s\nread 10\nrecv 10\n"},
    {.name = "TCP over IPv6", .transcript = "tcp6\n" STREAM "shutdown s\nread 10\nrecv 10\n"},
    {.name = "AF_UNIX streams", .transcript = "streampair\n" STREAM "close s\nread 10\nrecv 10\n"},
    {
        .name = "TCP, urgent data",
        .transcript = "tcp4\nsend 10\nsend 1 oob taken\npoll 5000 pri\nrecv 5\nrecv 5\nrecv 1 "
                      "oob\nrecv 5 dontwait\n",
    },
    {
        .name = "a pipe",
        .transcript = "pipe\nsend 3000\nread 1000\nrecv 10\nreadv 500 parts=3\npreadv2 10\n"
                      "preadv2 10 offset=0\nrecvmsg 10\nrecvmmsg 10 n=2\nrecvfrom 10\n__read 100\n"
                      "sys_read 100\nread 0\nfionread r\npoll 0\nread 5000\nclose s\nread 10\n",
    },
    {
        .name = "a file",
        .transcript = "file\nsend 3000\nread 1000\nrecv 10\nreadv 500 parts=3\npreadv2 10\n"
                      "preadv2 10 offset=0\npreadv2 10 offset=2995\nrecvmsg 10\nrecvmmsg 10 n=2\n"
                      "__read 100\nfionread r\npoll 0\nread 5000\nread 10\n",
    },
    {.name = "an eventfd", .transcript = "eventfd r\nread 4\nread 100\nrecv 8\nrecvmsg 8\n"},
    {
        .name = "netlink",
        .transcript = "netlink\nnonblock\nsend 3000\nsend 5\nrecv 1000\nrecv 1000\nsend 3000\n"
                      "recv 1000 trunc\nsend 3000\nrecvmsg 1000\nsend 3000\nread 1000\nrecv 1000\n"
                      "send 3000\nrecv 10 peek trunc\nrecv 0\nfionread r\npoll 0\nrecv 1000\n",
    },
    {
        .name = "raw IP",
        .transcript = "rawip\nnonblock\nsend 3000\nsend 5\nrecv 1000 noname\nrecv 1000 noname\n"
                      "send 3000\nread 1000\nrecv 1000 noname\nsend 3000\nrecvmsg 1000 noname\n"
                      "recv 1000\n",
    },
    {
        .name = "packet sockets",
        .transcript = "packet\nnonblock\nsend 3000\nsend 50\nrecv 1000 noname\nrecv 1000 noname\n"
                      "send 3000\nread 1000\nrecv 1000 noname\n",
    },
    {
        .name = "ICMP sockets",
        .transcript = "netns\nicmp\nnonblock\nping 3000\nping 50\nrecv 1000 noname\n"
                      "recv 1000 noname\nping 3000\nread 1000\nrecv 1000 noname\n",
    },
    {
        .name = "the error queue",
        .transcript = "udp4\nnonblock\nconnect r s\nset recverr\nclose s\nsend 3000 from=r\n"
                      "recvmsg 1000 errqueue noname\nrecvmsg 1000 errqueue noname\n"
                      "send 3000 from=r\nrecv 1000 errqueue\nrecv 1000 errqueue\nrecv 1000\n",
    },
};

ROWS(untouched, rows, ROWS_OF(rows))
{
    struct scenario scenario = rows[*row];

    scenario.holds = HOLD_BOTH;
    scenario.without = WITHOUT_DECIDES;
    scenario_check(&scenario);
    scenario.holds = HOLD_PROCESS;
    scenario.environment[0] = "WSRX_CALLS=all";
    scenario_check(&scenario);
    scenario.environment[1] = "WSRX_MODE=error";
    scenario_check(&scenario);
    scenario.environment[1] = "WSRX_MODE=discard";
    scenario_check(&scenario);
}

/* In modes observe and off every message socket behaves as without the library. */
static const struct scenario messages[] = {
    {
        .name = "every receive, with and without loss",
        .transcript = "rcvbuf\nsend 3000\nrecv 1000\nsend 3000\nread 1000\nsend 3000\n"
                      "readv 1000 parts=3\nsend 3000\npreadv2 1000\nsend 3000\nrecvfrom 1000\n"
                      "send 3000\nrecvmsg 1000\nsend 3000\nrecvmmsg 1000 n=2 dontwait\nsend 3000\n"
                      "__recv_chk 1000\nsend 3000\n__read_chk 1000\nsend 3000\n"
                      "__recvfrom_chk 1000\nsend 3000\nsys_recvfrom 1000\nsend 3000\nsys_read 10\n"
                      "send 3000\nrecv 1000 peek\nrecv 1000 peek trunc\nrecv 1000 trunc\n"
                      "send 0\nsend 5\nrecv 10\nrecv 0\nread 0\nfionread r\npoll 0\nrecv 10\n",
    },
    {
        .name = "names and control data",
        .transcript = "set timestamp\nsend 3000\nrecvmsg 1000 control=100\nsend 3000\n"
                      "recvfrom 1000 namelen=4\nsend 3000\nrecvmsg 1000 control=8\nsend 10\n"
                      "recvmmsg 1000 n=1 control=100\nrecv 10\n",
    },
    {
        .name = "bad buffers",
        .transcript = "send 3000\nsend 10\nsend 11\nsend 12\nrecv 1000 buf=edge:999\n"
                      "recv 10 buf=null\nrecv 1000 buf=edge:11\nread 10 buf=one\nrecv 10\n",
    },
};

static const char *const modes[] = {"WSRX_MODE=observe", "WSRX_MODE=off"};

ROWS(untouched, messages, ROWS_OF(messages) * ROWS_OF(modes))
{
    struct scenario scenario = messages[*row / ROWS_OF(modes)];

    scenario.kinds = KIND_ALL;
    scenario.modes = MODE_NONBLOCK;
    scenario.holds = HOLD_BOTH;
    scenario.without = WITHOUT_DECIDES;
    scenario.environment[0] = modes[*row % ROWS_OF(modes)];
    scenario_check(&scenario);
    scenario.environment[1] = "WSRX_CALLS=all";
    scenario_check(&scenario);
}
