/* SPDX-License-Identifier: MIT */
/* The sender's address comes with every part. */
#include "rows.h"
#include "scenario.h"

static const char *const calls[] = {"recvfrom", "__recvfrom_chk", "sys_recvfrom"};

static const struct scenario rows[] = {
    {
        .name = "with every part",
        .kinds = KIND_NAMED,
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
        .environment = {"WSRX_CALLS=all"},
        .transcript = "send 2500\n"
                      "recvmsg 1000 -> 1000 m1[0..999] from s flags TRUNC\n"
                      "$C 1000 -> 1000 m1[1000..1999] from s\n"
                      "recvmsg 1000 -> 500 m1[2000..2499] from s\n",
    },
    {
        .name = "a connected socket knows its peer, whatever took the first part",
        .kinds = KIND_UDP | KIND_UNIX,
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
        .transcript = "send 2500\n"
                      "read 1000 -> 1000 m1[0..999]\n"
                      "$C 1000 -> 1000 m1[1000..1999] from s\n"
                      "recvmsg 1000 -> 500 m1[2000..2499] from s\n",
    },
    {
        .name = "unknown where the first part was taken without it",
        .kinds = KIND_UDP | KIND_UNIX,
        .holds = HOLD_PROCESS,
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
        .transcript = "send 2500\n"
                      "$C 1000 -> 1000 m1[0..999] from none\n"
                      "$C 1000 -> 1000 m1[1000..1999] from none\n"
                      "recvmsg 1000 -> 500 m1[2000..2499] from none\n",
    },
    {
        .name = "each message has its own",
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
        .name = "an address buffer of no length, and the full length reported",
        .kinds = KIND_UDP4,
        .transcript = "send 2500\n"
                      "$C 1000 namelen=0 -> 1000 m1[0..999] namelen 0 of 16\n"
                      "$C 1000 namelen=0 -> 1000 m1[1000..1999] namelen 0 of 16\n"
                      "$C 1000 namelen=16 -> 500 m1[2000..2499] from s\n",
    },
    {
        .name = "an address buffer that is too small, and the full length reported",
        .kinds = KIND_UDP4,
        .transcript = "send 2500\n"
                      "$C 1000 namelen=4 -> 1000 m1[0..999] namelen 4 of 16 from s\n"
                      "$C 1000 namelen=4 -> 1000 m1[1000..1999] namelen 4 of 16 from s\n"
                      "recvmsg 1000 namelen=4 -> 500 m1[2000..2499] namelen 4 of 16 from s\n",
    },
    {
        .name = "a last part that fits exactly",
        .kinds = KIND_NAMED,
        .transcript = "send 1000\n"
                      "$C 500 -> 500 m1[0..499] from s\n"
                      "$C 500 -> 500 m1[500..999] from s\n",
    },
};

SCENARIOS_BY_CALL(address, every_call, rows, calls, .modes = MODE_NONBLOCK, .holds = HOLD_BOTH,
                  .without = WITHOUT_DIFFERS)

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

SCENARIOS(address, kernel, kernel_rows)

/* From the second one on, the first buffer that the library looks at is known to be good. */
static const struct scenario reporting_rows[] = {
    {
        .name = "messages that fit, with room for all of an address, some of it, or none",
        .kinds = KIND_UDP4,
        .environment = {"WSRX_CALLS=all"},
        .transcript = "send 100\n"
                      "send 110\n"
                      "recvmsg 1000 -> 100 m1[0..99] from s\n"
                      "recvmsg 1000 -> 110 m2[0..109] from s\n"
                      "send 120\n"
                      "recvmsg 1000 namelen=16 -> 120 m3[0..119] from s\n"
                      "send 130\n"
                      "recvmsg 1000 namelen=4 -> 130 m4[0..129] namelen 4 of 16 from s\n"
                      "send 140\n"
                      "recvmsg 1000 namelen=0 -> 140 m5[0..139] namelen 0 of 16\n"
                      "send 150\n"
                      "recvmsg 1000 noname -> 150 m6[0..149]\n"
                      "send 2500\n"
                      "recvmsg 1000 -> 1000 m7[0..999] from s flags TRUNC\n"
                      "recvfrom 1000 -> 1000 m7[1000..1999] from s\n"
                      "recvmsg 1000 -> 500 m7[2000..2499] from s\n"
                      "send 2500\n"
                      "recvmsg 1000 noname -> 1000 m8[0..999] flags TRUNC\n"
                      "recvmsg 1000 -> 1000 m8[1000..1999] from s flags TRUNC\n"
                      "recvmsg 1000 namelen=4 -> 500 m8[2000..2499] namelen 4 of 16 from s\n",
    },
};

SCENARIOS(address, reporting, reporting_rows, .modes = MODE_NONBLOCK, .holds = HOLD_BOTH,
          .without = WITHOUT_DIFFERS)
