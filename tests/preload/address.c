/* SPDX-License-Identifier: MIT */
/* The sender's address comes with every part. */
#include "rows.h"
#include "scenario.h"

static const char *const calls[] = {"recvfrom", "__recvfrom_chk", "sys_recvfrom"};

static const struct scenario rows[] = {
    {
        .name = "with every part",
        .kinds = KIND_NAMED,
        .holds = HOLD_BOTH,
        .without = WITHOUT_DIFFERS,
        .transcript = "send 2500\n"
                      "send 5\n"
                      "$C 1000 -> 1000 m1[0..999] from s\n"
                      "$C 1000 -> 1000 m1[1000..1999] from s\n"
                      "$C 1000 peek -> 500 m1[2000..2499] from s\n"
                      "$C 1000 -> 500 m1[2000..2499] from s\n"
                      "$C 1000 -> 5 m2[0..4] from s\n",
    },
    {
        .name = "whole with a later part, where the first call had no room for all of it",
        .kinds = KIND_UDP4,
        .holds = HOLD_BOTH,
        .without = WITHOUT_DIFFERS,
        .transcript = "send 100\n"
                      "send 100\n"
                      "$C 1000 -> 100 m1[0..99] from s\n"
                      "$C 1000 -> 100 m2[0..99] from s\n"
                      "send 2500\n"
                      "$C 1000 namelen=8 -> 1000 m3[0..999] namelen 8 of 16 from s\n"
                      "$C 1000 -> 1000 m3[1000..1999] from s\n"
                      "$C 1000 namelen=0 -> 500 m3[2000..2499] namelen 0 of 16\n"
                      "send 2500\n"
                      "$C 1000 namelen=0 -> 1000 m4[0..999] namelen 0 of 16\n"
                      "$C 1000 -> 1000 m4[1000..1999] from s\n"
                      "recvmsg 1000 -> 500 m4[2000..2499] from s\n",
    },
    {
        .name = "by recvmsg and recvmmsg too",
        .kinds = KIND_NAMED,
        .holds = HOLD_BOTH,
        .without = WITHOUT_DIFFERS,
        .transcript = "send 4500\n"
                      "$C 1000 -> 1000 m1[0..999] from s\n"
                      "recvmsg 1000 -> 1000 m1[1000..1999] from s flags TRUNC\n"
                      "recvmmsg 1000 n=2 -> 2 [1000 m1[2000..2999] from s flags TRUNC] "
                      "[1000 m1[3000..3999] from s flags TRUNC]\n"
                      "$C 1000 -> 500 m1[4000..4499] from s\n",
    },
    {
        .name = "from recvmsg to recvfrom",
        .kinds = KIND_NAMED,
        .holds = HOLD_BOTH,
        .environment = {"WSRX_CALLS=all"},
        .without = WITHOUT_DIFFERS,
        .transcript = "send 2500\n"
                      "recvmsg 1000 -> 1000 m1[0..999] from s flags TRUNC\n"
                      "$C 1000 -> 1000 m1[1000..1999] from s\n"
                      "recvmsg 1000 -> 500 m1[2000..2499] from s\n",
    },
    {
        .name = "a connected socket knows its peer, whatever took the first part",
        .kinds = KIND_UDP | KIND_UNIX,
        .holds = HOLD_BOTH,
        .without = WITHOUT_DIFFERS,
        .transcript = "connect r s\n"
                      "send 3500\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "$C 1000 -> 1000 m1[1000..1999] from s\n"
                      "read 1000 -> 1000 m1[2000..2999]\n"
                      "recvmsg 1000 -> 500 m1[3000..3499] from s\n",
    },
    {
        .name = "sequenced packets come over a connection",
        .kinds = KIND_SEQPACKET,
        .holds = HOLD_BOTH,
        .without = WITHOUT_DIFFERS,
        .transcript = "send 2500\n"
                      "read 1000 -> 1000 m1[0..999]\n"
                      "$C 1000 -> 1000 m1[1000..1999] from s\n"
                      "recvmsg 1000 -> 500 m1[2000..2499] from s\n",
    },
    {
        .name = "unknown where the first part was taken without it",
        .kinds = KIND_UDP | KIND_UNIX,
        .holds = HOLD_PROCESS,
        .without = WITHOUT_DIFFERS,
        .transcript = "send 2500\n"
                      "send 5\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "$C 1000 -> 1000 m1[1000..1999] from none\n"
                      "recvmsg 1000 -> 500 m1[2000..2499] from none\n"
                      "$C 1000 -> 5 m2[0..4] from s\n",
    },
    {
        .name = "a sender without a name has none",
        .kinds = KIND_UNIXPAIR | KIND_SEQPAIR,
        .holds = HOLD_BOTH,
        .without = WITHOUT_DIFFERS,
        .transcript = "send 2500\n"
                      "$C 1000 -> 1000 m1[0..999] from none\n"
                      "$C 1000 -> 1000 m1[1000..1999] from none\n"
                      "recvmsg 1000 -> 500 m1[2000..2499] from none\n",
    },
    {
        .name = "each message has its own",
        .without = WITHOUT_DIFFERS,
        .holds = HOLD_BOTH,
        .transcript = "udp4 r a\n"
                      "nonblock r\n"
                      "udp4 q b\n"
                      "connect b r\n"
                      "send 1500 from=a\n"
                      "send 1500 from=b\n"
                      "$C 1000 -> 1000 m1[0..999] from a\n"
                      "$C 1000 -> 500 m1[1000..1499] from a\n"
                      "$C 1000 -> 1000 m2[0..999] from b\n"
                      "$C 1000 -> 500 m2[1000..1499] from b\n",
    },
    {
        .name = "an address buffer of no length, and the full length told",
        .kinds = KIND_UDP4,
        .holds = HOLD_BOTH,
        .without = WITHOUT_DIFFERS,
        .transcript = "send 2500\n"
                      "$C 1000 namelen=0 -> 1000 m1[0..999] namelen 0 of 16\n"
                      "$C 1000 namelen=0 -> 1000 m1[1000..1999] namelen 0 of 16\n"
                      "$C 1000 namelen=16 -> 500 m1[2000..2499] from s\n",
    },
    {
        .name = "an address buffer that is too small, and the full length told",
        .kinds = KIND_UDP4,
        .holds = HOLD_BOTH,
        .without = WITHOUT_DIFFERS,
        .transcript = "send 2500\n"
                      "$C 1000 namelen=4 -> 1000 m1[0..999] namelen 4 of 16 from s\n"
                      "$C 1000 namelen=4 -> 1000 m1[1000..1999] namelen 4 of 16 from s\n"
                      "recvmsg 1000 namelen=4 -> 500 m1[2000..2499] namelen 4 of 16 from s\n",
    },
    {
        .name = "a last part that fits exactly",
        .kinds = KIND_NAMED,
        .holds = HOLD_BOTH,
        .without = WITHOUT_DIFFERS,
        .transcript = "send 1000\n"
                      "$C 500 -> 500 m1[0..499] from s\n"
                      "$C 500 -> 500 m1[500..999] from s\n",
    },
};

ROWS(address, every_call, ROWS_OF(rows) * ROWS_OF(calls))
{
    struct scenario scenario = rows[*row / ROWS_OF(calls)];

    scenario.modes = scenario.kinds ? MODE_NONBLOCK : MODE_ONCE;
    scenario_check_call(&scenario, calls[*row % ROWS_OF(calls)]);
}

/* A message that is still in the kernel has not lost its sender, whatever call came first. */
static const struct scenario kernel_rows[] = {
    {
        .name = "held in the kernel, the sender stays known",
        .kinds = KIND_UDP | KIND_UNIX,
        .holds = HOLD_KERNEL,
        .transcript = "send 2500\n"
                      "send 5\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "recvfrom 1000 -> 1000 m1[1000..1999] from s\n"
                      "recvfrom 1000 -> 500 m1[2000..2499] from s\n"
                      "recvfrom 1000 -> 5 m2[0..4] from s\n",
    },
};

ROWS(address, kernel, ROWS_OF(kernel_rows))
{
    scenario_check(&kernel_rows[*row]);
}
