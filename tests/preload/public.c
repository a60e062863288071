/* SPDX-License-Identifier: MIT */
/* <wsrx.h>: what a program sees that knows of the library. */
#include "rows.h"
#include "scenario.h"

static const struct scenario rows[] = {
    {
        .name = "wsrx_receive distinguishes partial and last parts",
        .kinds = KIND_NAMED,
        .modes = MODE_NONBLOCK,
        .transcript = "send 2500\n"
                      "send 1000\n"
                      "send 0\n"
                      "wsrx_receive 1000 -> 1000 m1[0..999] partial of 2500 at 0 left 1500 from s\n"
                      "wsrx_receive 1000 -> 1000 m1[1000..1999] partial of 2500 at 1000 left 500 "
                      "from s\n"
                      "wsrx_receive 1000 -> 500 m1[2000..2499] last of 2500 at 2000 left 0 from s\n"
                      "wsrx_receive 1000 -> 1000 m2[0..999] last of 1000 at 0 left 0 from s\n"
                      "wsrx_receive 1000 -> 0 last of 0 at 0 left 0 from s\n"
                      "wsrx_receive 1000 dontwait -> -1 EAGAIN\n",
    },
    {
        .name = "mixed with the program's own receives",
        .kinds = KIND_NAMED,
        .modes = MODE_NONBLOCK,
        .transcript = "send 2500\n"
                      "wsrx_receive 1000 nopart -> 1000 m1[0..999]\n"
                      "recvfrom 500 -> 500 m1[1000..1499] from s\n"
                      "wsrx_receive 500 -> 500 m1[1500..1999] partial of 2500 at 1500 left 500 "
                      "from s\n"
                      "recvmsg 400 -> 400 m1[2000..2399] from s flags TRUNC\n"
                      "wsrx_receive 500 -> 100 m1[2400..2499] last of 2500 at 2400 left 0 from s\n",
    },
    {
        .name = "whatever WSRX_MODE says: off",
        .kinds = KIND_NAMED,
        .modes = MODE_NONBLOCK,
        .environment = {"WSRX_MODE=off"},
        .transcript =
            "send 1500\n"
            "wsrx_receive 1000 -> 1000 m1[0..999] partial of 1500 at 0 left 500 from s\n"
            "wsrx_receive 1000 -> 500 m1[1000..1499] last of 1500 at 1000 left 0 from s\n",
    },
    {
        .name = "whatever WSRX_MODE says: discard",
        .kinds = KIND_NAMED,
        .modes = MODE_NONBLOCK,
        .environment = {"WSRX_MODE=discard"},
        .transcript =
            "send 1500\n"
            "wsrx_receive 1000 -> 1000 m1[0..999] partial of 1500 at 0 left 500 from s\n"
            "wsrx_receive 1000 -> 500 m1[1000..1499] last of 1500 at 1000 left 0 from s\n",
    },
    {
        .name = "a stream has neither",
        .transcript = "tcp4\n"
                      "send 1500\n"
                      "wsrx_receive 1000 nopart -> 1000 m1[0..999]\n"
                      "wsrx_receive 1000 nopart -> 500 m1[1000..1499]\n"
                      "wsrx_hold r -> none 0\n",
    },
    {
        .name = "errors",
        .transcript = "pipe\n"
                      "wsrx_receive 10 on=r -> -1 ENOTSOCK\n"
                      "wsrx_receive 10 on=#900 -> -1 EBADF\n"
                      "wsrx_hold r -> -1 ENOTSOCK\n"
                      "wsrx_hold #900 -> -1 EBADF\n",
    },
};

SCENARIOS(public, rows, rows, .holds = HOLD_BOTH)

static const struct scenario counters[] = {
    {
        .name = "counters: held, parts, saved",
        .transcript = "wsrx_counters -> held 0 parts 0 saved 0 lost 0/0 now 0\n"
                      "send 1000\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "wsrx_counters -> held 0 parts 0 saved 0 lost 0/0 now 0\n"
                      "send 2500\n"
                      "recv 1000 -> 1000 m2[0..999]\n"
                      "wsrx_counters -> held 1 parts 0 saved 0 lost 0/0 now 1\n"
                      "recv 1000 -> 1000 m2[1000..1999]\n"
                      "recv 1000 -> 500 m2[2000..2499]\n"
                      "wsrx_counters -> held 1 parts 2 saved 1500 lost 0/0 now 0\n",
    },
    {
        .name = "counters: in the child too",
        .transcript = "fork c\n"
                      "send 2500\n"
                      "recv 1000 in=c -> 1000 m1[0..999]\n"
                      "wsrx_counters -> held 1 parts 0 saved 0 lost 0/0 now 1\n"
                      "recv 2000 -> 1500 m1[1000..2499]\n"
                      "wsrx_counters in=c -> held 1 parts 1 saved 1500 lost 0/0 now 0\n",
    },
    {
        .name = "counters: lost by the mode",
        .environment = {"WSRX_MODE=discard"},
        .transcript = "send 2500\n"
                      "recv 1000 -> -1 EMSGSIZE filled m1[0..999]\n"
                      "wsrx_counters -> held 0 parts 0 saved 0 lost 1/1500 now 0\n",
    },
    {
        .name = "counters: lost in mode observe",
        .environment = {"WSRX_MODE=observe"},
        .transcript = "send 2500\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "send 1000\n"
                      "recv 1000 -> 1000 m2[0..999]\n"
                      "send 4000\n"
                      "read 1000 -> 1000 m3[0..999]\n"
                      "send 4000\n"
                      "readv 1000 parts=3 -> 1000 m4[0..999]\n"
                      "wsrx_counters -> held 0 parts 0 saved 0 lost 3/7500 now 0\n",
    },
};

SCENARIOS(public, counters, counters, .kinds = KIND_FOUR, .modes = MODE_NOWAIT, .holds = HOLD_BOTH)
