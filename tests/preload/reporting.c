/* SPDX-License-Identifier: MIT */
/* The rows of the receive contract for recvmsg and recvmmsg, by WSRX_CALLS. */
#include "rows.h"
#include "scenario.h"

static const char *const message_calls[] = {"recvmsg noname", "recvmsg noname parts=3",
                                            "sys_recvmsg noname"};
static const char *const many_calls[] = {"recvmmsg noname", "recvmmsg noname parts=2",
                                         "sys_recvmmsg noname"};

static const struct scenario message_rows[] = {
    {
        .name = "plain: as Linux does",
        .without = WITHOUT_SAME,
        .transcript = "send 3000\n"
                      "send 0\n"
                      "send 5\n"
                      "$C 1000 -> 1000 m1[0..999] flags TRUNC\n"
                      "$C 1000 -> 0\n"
                      "$C 5 -> 5 m3[0..4]\n",
    },
    {
        .name = "plain: flags and lengths of 0, as Linux does",
        .without = WITHOUT_SAME,
        .transcript = "send 3000\n"
                      "send 2000\n"
                      "send 4\n"
                      "$C 1000 peek -> 1000 m1[0..999] flags TRUNC\n"
                      "$C 0 peek trunc -> 3000 flags TRUNC\n"
                      "$C 1000 trunc -> 3000 m1[0..999] flags TRUNC\n"
                      "$C 0 -> 0 flags TRUNC\n"
                      "$C 100 dontwait -> 4 m3[0..3]\n",
    },
    {
        .name = "plain: a tail that a plain call has left is served",
        .without = WITHOUT_DIFFERS,
        .transcript = "send 3000\n"
                      "send 3000\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "$C 500 -> 500 m1[1000..1499] flags TRUNC\n"
                      "$C 500 -> 500 m1[1500..1999] flags TRUNC\n"
                      "read 500 -> 500 m1[2000..2499]\n"
                      "$C 500 -> 500 m1[2500..2999]\n"
                      "$C 500 -> 500 m2[0..499] flags TRUNC\n",
    },
    {
        .name = "plain: flags on a tail",
        .without = WITHOUT_DIFFERS,
        .transcript = "send 3000\n"
                      "send 3000\n"
                      "send 5\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "$C 500 peek -> 500 m1[1000..1499] flags TRUNC\n"
                      "$C 500 peek trunc -> 2000 m1[1000..1499] flags TRUNC\n"
                      "$C 5000 peek -> 2000 m1[1000..2999]\n"
                      "$C 500 trunc -> 2000 m1[1000..1499] flags TRUNC\n"
                      "recv 1000 -> 1000 m2[0..999]\n"
                      "$C 0 -> 0 flags TRUNC\n"
                      "$C 5 dontwait -> 5 m3[0..4]\n",
    },
    {
        .name = "all: MSG_TRUNC on every part but the last",
        .environment = {"WSRX_CALLS=all"},
        .without = WITHOUT_DIFFERS,
        .transcript = "send 3000\n"
                      "send 5\n"
                      "$C 1000 -> 1000 m1[0..999] flags TRUNC\n"
                      "$C 1000 -> 1000 m1[1000..1999] flags TRUNC\n"
                      "$C 1000 -> 1000 m1[2000..2999]\n"
                      "$C 1000 -> 5 m2[0..4]\n",
    },
    {
        .name = "all: mixed with plain calls",
        .environment = {"WSRX_CALLS=all"},
        .without = WITHOUT_DIFFERS,
        .transcript = "send 3000\n"
                      "send 0\n"
                      "send 2000\n"
                      "$C 1000 -> 1000 m1[0..999] flags TRUNC\n"
                      "recv 1000 -> 1000 m1[1000..1999]\n"
                      "$C 999 -> 999 m1[2000..2998] flags TRUNC\n"
                      "read 10 -> 1 m1[2999..2999]\n"
                      "$C 10 -> 0\n"
                      "$C 1000 -> 1000 m3[0..999] flags TRUNC\n"
                      "$C 1000 -> 1000 m3[1000..1999]\n",
    },
    {
        .name = "all: flags and lengths of 0",
        .environment = {"WSRX_CALLS=all"},
        .without = WITHOUT_DIFFERS,
        .transcript = "send 3000\n"
                      "send 2000\n"
                      "send 2000\n"
                      "send 5\n"
                      "$C 10 peek -> 10 m1[0..9] flags TRUNC\n"
                      "$C 1000 -> 1000 m1[0..999] flags TRUNC\n"
                      "$C 10 peek -> 10 m1[1000..1009] flags TRUNC\n"
                      "$C 10 peek trunc -> 2000 m1[1000..1009] flags TRUNC\n"
                      "$C 2000 peek -> 2000 m1[1000..2999]\n"
                      "$C 500 trunc -> 2000 m1[1000..1499] flags TRUNC\n"
                      "$C 500 trunc -> 2000 m2[0..499] flags TRUNC\n"
                      "$C 500 -> 500 m3[0..499] flags TRUNC\n"
                      "$C 0 -> 0 flags TRUNC\n"
                      "$C 100 dontwait -> 5 m4[0..4]\n"
                      "$C 100 dontwait -> -1 EAGAIN\n",
    },
};

static const struct scenario many_rows[] = {
    {
        .name = "plain: as Linux does",
        .without = WITHOUT_SAME,
        .transcript = "send 3000\n"
                      "send 0\n"
                      "send 5\n"
                      "send 4\n"
                      "$C 1000 n=3 -> 3 [1000 m1[0..999] flags TRUNC] [0] [5 m3[0..4]]\n"
                      "$C 1000 n=3 waitforone -> 1 [4 m4[0..3]]\n"
                      "$C 1000 n=0 -> 0\n"
                      "$C 1000 n=2 dontwait -> -1 EAGAIN\n",
    },
    {
        .name = "plain: the tail goes into the first slots, then on without waiting",
        .without = WITHOUT_DIFFERS,
        .transcript = "send 3000\n"
                      "send 5\n"
                      "send 2000\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "$C 800 n=8 -> 5 [800 m1[1000..1799] flags TRUNC] "
                      "[800 m1[1800..2599] flags TRUNC] [400 m1[2600..2999]] [5 m2[0..4]] "
                      "[800 m3[0..799] flags TRUNC]\n",
    },
    {
        .name = "plain: as many slots as the tail has parts, or fewer",
        .without = WITHOUT_DIFFERS,
        .transcript = "send 3000\n"
                      "send 5\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "$C 500 n=0 -> 0\n"
                      "$C 500 n=1 -> 1 [500 m1[1000..1499] flags TRUNC]\n"
                      "$C 500 n=2 -> 2 [500 m1[1500..1999] flags TRUNC] "
                      "[500 m1[2000..2499] flags TRUNC]\n"
                      "$C 500 n=1 -> 1 [500 m1[2500..2999]]\n"
                      "$C 500 n=1 -> 1 [5 m2[0..4]]\n",
    },
    {
        .name = "plain: a tail is enough, nothing is waited for",
        .without = WITHOUT_DIFFERS,
        .transcript = "send 1500\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "$C 1000 n=4 -> 1 [500 m1[1000..1499]]\n"
                      "send 1500\n"
                      "recv 1000 -> 1000 m2[0..999]\n"
                      "$C 1000 n=4 waitforone -> 1 [500 m2[1000..1499]]\n"
                      "send 1500\n"
                      "recv 1000 -> 1000 m3[0..999]\n"
                      "$C 1000 n=4 dontwait -> 1 [500 m3[1000..1499]]\n"
                      "send 1500\n"
                      "recv 1000 -> 1000 m4[0..999]\n"
                      "$C 1000 n=4 timeout=5000 -> 1 [500 m4[1000..1499]]\n",
    },
    {
        .name = "plain: MSG_PEEK consumes nothing of a tail",
        .without = WITHOUT_DIFFERS,
        .transcript = "send 1500\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "$C 100 n=1 peek -> 1 [100 m1[1000..1099] flags TRUNC]\n"
                      "$C 1000 n=1 peek -> 1 [500 m1[1000..1499]]\n"
                      "recv 1000 -> 500 m1[1000..1499]\n",
    },
    {
        .name = "all: parts, one message after the other, and the rest is held",
        .environment = {"WSRX_CALLS=all"},
        .without = WITHOUT_DIFFERS,
        .transcript =
            "send 1500\n"
            "send 5\n"
            "send 2500\n"
            "$C 1000 n=5 -> 5 [1000 m1[0..999] flags TRUNC] [500 m1[1000..1499]] "
            "[5 m2[0..4]] [1000 m3[0..999] flags TRUNC] [1000 m3[1000..1999] flags TRUNC]\n"
            "$C 1000 n=5 -> 1 [500 m3[2000..2499]]\n",
    },
    {
        .name = "all: after a plain call",
        .environment = {"WSRX_CALLS=all"},
        .without = WITHOUT_DIFFERS,
        .transcript = "send 1500\n"
                      "send 0\n"
                      "send 1200\n"
                      "recv 700 -> 700 m1[0..699]\n"
                      "$C 700 n=4 -> 4 [700 m1[700..1399] flags TRUNC] [100 m1[1400..1499]] [0] "
                      "[700 m3[0..699] flags TRUNC]\n"
                      "read 700 -> 500 m3[700..1199]\n",
    },
};

SCENARIOS_BY_CALL(reporting, recvmsg, message_rows, message_calls, .kinds = KIND_ALL,
                  .holds = HOLD_BOTH)

static const char *const recvmsg_only[] = {"recvmsg noname"};

SCENARIOS_BY_CALL(reporting, recvmsg_every_way_to_wait, message_rows, recvmsg_only,
                  .kinds = KIND_FOUR, .modes = MODE_ALL, .holds = HOLD_BOTH)

SCENARIOS_BY_CALL(reporting, recvmmsg, many_rows, many_calls, .kinds = KIND_ALL, .holds = HOLD_BOTH)

static const char *const recvmmsg_only[] = {"recvmmsg noname"};

SCENARIOS_BY_CALL(reporting, recvmmsg_every_way_to_wait, many_rows, recvmmsg_only,
                  .kinds = KIND_FOUR, .modes = MODE_ALL, .holds = HOLD_BOTH)
