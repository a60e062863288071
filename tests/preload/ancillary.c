/* SPDX-License-Identifier: MIT */
/*
 * Control data comes once, with the first part, wherever the tail is held. What Linux installs or
 * computes again at every look (passed descriptors, credentials) must not come again with the
 * parts that follow, and no descriptor may be left open that the program does not know of.
 */
#include "rows.h"
#include "scenario.h"

static const struct scenario rows[] = {
    {
        .name = "SCM_RIGHTS: exactly one descriptor arrives",
        .kinds = KIND_LOCAL,
        .environment = {"WSRX_CALLS=all"},
        .without = WITHOUT_DIFFERS,
        .transcript = "send 2500 fds=1\n"
                      "fds\n"
                      "recvmsg 1000 noname control=100 -> 1000 m1[0..999] flags TRUNC rights 1\n"
                      "fds -> +1\n"
                      "recvmsg 1000 noname control=100 -> 1000 m1[1000..1999] flags TRUNC\n"
                      "recvmsg 1000 noname control=100 -> 500 m1[2000..2499]\n"
                      "fds -> +0\n",
    },
    {
        .name = "SCM_RIGHTS: three descriptors, and the next message's own",
        .kinds = KIND_LOCAL,
        .environment = {"WSRX_CALLS=all"},
        .without = WITHOUT_DIFFERS,
        .transcript = "send 1500 fds=3\n"
                      "send 1500 fds=1\n"
                      "fds\n"
                      "recvmsg 1000 noname control=100 -> 1000 m1[0..999] flags TRUNC rights 3\n"
                      "recvmsg 1000 noname control=100 -> 500 m1[1000..1499]\n"
                      "fds -> +3\n"
                      "recvmsg 1000 noname control=100 -> 1000 m2[0..999] flags TRUNC rights 1\n"
                      "recvmsg 1000 noname control=100 -> 500 m2[1000..1499]\n"
                      "fds -> +1\n",
    },
    {
        .name = "SCM_RIGHTS: a message that fits, as Linux does",
        .kinds = KIND_LOCAL,
        .environment = {"WSRX_CALLS=all"},
        .without = WITHOUT_SAME,
        .transcript = "send 1000 fds=2\n"
                      "fds\n"
                      "recvmsg 1000 noname control=100 -> 1000 m1[0..999] rights 2\n"
                      "fds -> +2\n",
    },
    {
        .name = "SCM_RIGHTS, WSRX_CALLS=plain: as Linux does",
        .kinds = KIND_LOCAL,
        .without = WITHOUT_SAME,
        .transcript = "send 1500 fds=1\n"
                      "fds\n"
                      "recvmsg 1000 noname control=100 -> 1000 m1[0..999] flags TRUNC rights 1\n"
                      "fds -> +1\n",
    },
    {
        .name = "SCM_RIGHTS: a first part without control buffer closes them, as Linux does",
        .kinds = KIND_LOCAL,
        .without = WITHOUT_DIFFERS,
        .transcript = "send 2500 fds=1\n"
                      "fds\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "fds -> +0\n"
                      "recvmsg 1000 noname control=100 -> 1000 m1[1000..1999] flags TRUNC\n"
                      "recvmsg 1000 noname control=100 -> 500 m1[2000..2499]\n"
                      "fds -> +0\n",
    },
    {
        .name = "SCM_RIGHTS: the tail by plain calls",
        .kinds = KIND_LOCAL,
        .environment = {"WSRX_CALLS=all"},
        .without = WITHOUT_DIFFERS,
        .transcript = "send 2500 fds=1\n"
                      "fds\n"
                      "recvmsg 1000 noname control=100 -> 1000 m1[0..999] flags TRUNC rights 1\n"
                      "recv 1000 -> 1000 m1[1000..1999]\n"
                      "read 1000 -> 500 m1[2000..2499]\n"
                      "fds -> +1\n",
    },
    {
        .name = "SCM_RIGHTS: MSG_CMSG_CLOEXEC",
        .kinds = KIND_LOCAL,
        .environment = {"WSRX_CALLS=all"},
        .without = WITHOUT_DIFFERS,
        .transcript = "send 1500 fds=2\n"
                      "recvmsg 1000 noname control=100 cmsg_cloexec -> 1000 m1[0..999] "
                      "flags TRUNC|CMSG_CLOEXEC rights 2 cloexec 2\n"
                      "recvmsg 1000 noname control=100 cmsg_cloexec -> 500 m1[1000..1499] "
                      "flags CMSG_CLOEXEC\n",
    },
    {
        .name = "SCM_RIGHTS: no room for them, said once",
        .kinds = KIND_LOCAL,
        .environment = {"WSRX_CALLS=all"},
        .without = WITHOUT_DIFFERS,
        .transcript = "send 2500 fds=1\n"
                      "send 1500 fds=1\n"
                      "fds\n"
                      "recvmsg 1000 noname control=16 -> 1000 m1[0..999] flags TRUNC|CTRUNC\n"
                      "recvmsg 1000 noname control=100 -> 1000 m1[1000..1999] flags TRUNC\n"
                      "recvmsg 1000 noname -> 500 m1[2000..2499]\n"
                      "recvmsg 1000 noname -> 1000 m2[0..999] flags TRUNC|CTRUNC\n"
                      "recvmsg 1000 noname control=100 -> 500 m2[1000..1499]\n"
                      "fds -> +0\n",
    },
    {
        .name = "SCM_RIGHTS: peeking installs them, as Linux does; at a tail there are none",
        .kinds = KIND_LOCAL,
        .environment = {"WSRX_CALLS=all"},
        .without = WITHOUT_DIFFERS,
        .transcript = "send 1500 fds=1\n"
                      "fds\n"
                      "recvmsg 9 peek noname control=100 -> 9 m1[0..8] flags TRUNC rights 1\n"
                      "fds -> +1\n"
                      "recvmsg 1000 noname control=100 -> 1000 m1[0..999] flags TRUNC rights 1\n"
                      "fds -> +1\n"
                      "recvmsg 9 peek noname control=100 -> 9 m1[1000..1008] flags TRUNC\n"
                      "recvmsg 1000 noname control=100 -> 500 m1[1000..1499]\n"
                      "fds -> +0\n",
    },
    {
        .name = "SCM_RIGHTS: by recvmmsg",
        .kinds = KIND_LOCAL,
        .environment = {"WSRX_CALLS=all"},
        .without = WITHOUT_DIFFERS,
        .transcript = "send 1500 fds=1\n"
                      "send 10 fds=2\n"
                      "fds\n"
                      "recvmmsg 1000 n=3 noname control=100 -> 3 "
                      "[1000 m1[0..999] flags TRUNC rights 1] [500 m1[1000..1499]] "
                      "[10 m2[0..9] rights 2]\n"
                      "fds -> +3\n",
    },
    {
        .name = "SCM_RIGHTS: dropping the tail leaves nothing open",
        .kinds = KIND_LOCAL,
        .environment = {"WSRX_CALLS=all"},
        .without = WITHOUT_DIFFERS,
        .transcript = "send 1500 fds=1\n"
                      "send 1500 fds=1\n"
                      "fds\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "recv 0 -> 0\n"
                      "recvmsg 1000 noname control=100 -> 1000 m2[0..999] flags TRUNC rights 1\n"
                      "recv 100 trunc -> 500 m2[1000..1099]\n"
                      "fds -> +1\n",
    },
    {
        .name = "SO_TIMESTAMP: once",
        .kinds = KIND_ALL,
        .environment = {"WSRX_CALLS=all"},
        .without = WITHOUT_DIFFERS,
        .transcript = "set timestamp\n"
                      "send 2500\n"
                      "send 5\n"
                      "recvmsg 1000 noname control=200 -> 1000 m1[0..999] flags TRUNC timestamp\n"
                      "recvmsg 1000 noname control=200 -> 1000 m1[1000..1999] flags TRUNC\n"
                      "recvmsg 1000 noname control=200 -> 500 m1[2000..2499]\n"
                      "recvmsg 1000 noname control=200 -> 5 m2[0..4] timestamp\n",
    },
    {
        .name = "SO_TIMESTAMP: a first part by a plain call does not keep it",
        .kinds = KIND_ALL,
        .without = WITHOUT_DIFFERS,
        .transcript = "set timestamp\n"
                      "send 2500\n"
                      "send 5\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "recvmsg 1000 noname control=200 -> 1000 m1[1000..1999] flags TRUNC\n"
                      "recvmsg 1000 noname control=200 -> 500 m1[2000..2499]\n"
                      "recvmsg 1000 noname control=200 -> 5 m2[0..4] timestamp\n",
    },
    {
        .name = "IP_PKTINFO: once, with the address",
        .kinds = KIND_UDP4,
        .environment = {"WSRX_CALLS=all"},
        .without = WITHOUT_DIFFERS,
        .transcript = "set pktinfo\n"
                      "send 1500\n"
                      "recvmsg 1000 control=200 -> 1000 m1[0..999] from s flags TRUNC control 0/8\n"
                      "recvmsg 1000 control=200 -> 500 m1[1000..1499] from s\n",
    },
    {
        .name = "SCM_CREDENTIALS: once",
        .kinds = KIND_LOCAL,
        .environment = {"WSRX_CALLS=all"},
        .without = WITHOUT_DIFFERS,
        .transcript = "set passcred\n"
                      "send 2500\n"
                      "send 5\n"
                      "recvmsg 1000 noname control=200 -> 1000 m1[0..999] flags TRUNC credentials\n"
                      "recvmsg 1000 noname control=200 -> 1000 m1[1000..1999] flags TRUNC\n"
                      "recvmsg 1000 noname control=200 -> 500 m1[2000..2499]\n"
                      "recvmsg 1000 noname control=200 -> 5 m2[0..4] credentials\n",
    },
    {
        .name = "all of them together",
        .kinds = KIND_LOCAL,
        .environment = {"WSRX_CALLS=all"},
        .without = WITHOUT_DIFFERS,
        .transcript = "set passcred\n"
                      "set timestamp\n"
                      "send 1500 fds=1\n"
                      "fds\n"
                      "recvmsg 1000 noname control=300 -> 1000 m1[0..999] flags TRUNC timestamp "
                      "credentials rights 1\n"
                      "recvmsg 1000 noname control=300 -> 500 m1[1000..1499]\n"
                      "fds -> +1\n",
    },
};

SCENARIOS(ancillary, rows, rows, .modes = MODE_NONBLOCK, .holds = HOLD_BOTH)
