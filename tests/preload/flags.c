/* SPDX-License-Identifier: MIT */
/* The rows of the receive contract for lengths of 0 and for flags, with and without a tail. */
#include "rows.h"
#include "scenario.h"

static const char *const flag_calls[] = {"recv", "recvfrom noname", "__recv_chk",
                                         "__recvfrom_chk noname", "sys_recvfrom noname"};
static const char *const read_calls[] = {"read",   "readv",      "readv parts=3", "preadv2",
                                         "__read", "__read_chk", "sys_read",      "sys_readv"};

static const struct scenario flag_rows[] = {
    {
        .name = "length 0 drops a whole message",
        .without = WITHOUT_SAME,
        .transcript = "send 3000\n"
                      "send 5\n"
                      "$C 0 -> 0\n"
                      "$C 100 -> 5 m2[0..4]\n",
    },
    {
        .name = "length 0 drops a tail, and only that",
        .without = WITHOUT_DIFFERS,
        .transcript = "send 3000\n"
                      "send 3000\n"
                      "send 5\n"
                      "$C 1000 -> 1000 m1[0..999]\n"
                      "$C 0 -> 0\n"
                      "$C 1000 -> 1000 m2[0..999]\n"
                      "$C 1000 -> 1000 m2[1000..1999]\n"
                      "$C 0 -> 0\n"
                      "$C 100 -> 5 m3[0..4]\n",
    },
    {
        .name = "MSG_PEEK consumes nothing",
        .without = WITHOUT_SAME,
        .transcript = "send 3000\n"
                      "send 5\n"
                      "$C 1000 peek -> 1000 m1[0..999]\n"
                      "$C 0 peek -> 0\n"
                      "$C 5000 peek -> 3000 m1[0..2999]\n"
                      "$C 3000 -> 3000 m1[0..2999]\n"
                      "$C 5 peek -> 5 m2[0..4]\n"
                      "$C 5 -> 5 m2[0..4]\n",
    },
    {
        .name = "MSG_PEEK shows what a receive would give, mid-message too",
        .without = WITHOUT_DIFFERS,
        .transcript = "send 3000\n"
                      "send 5\n"
                      "$C 10 peek -> 10 m1[0..9]\n"
                      "$C 1000 -> 1000 m1[0..999]\n"
                      "$C 500 peek -> 500 m1[1000..1499]\n"
                      "$C 0 peek -> 0\n"
                      "$C 5000 peek -> 2000 m1[1000..2999]\n"
                      "$C 500 peek dontwait -> 500 m1[1000..1499]\n"
                      "$C 1500 -> 1500 m1[1000..2499]\n"
                      "$C 1 peek -> 1 m1[2500..2500]\n"
                      "$C 500 -> 500 m1[2500..2999]\n"
                      "$C 500 peek -> 5 m2[0..4]\n"
                      "$C 500 -> 5 m2[0..4]\n",
    },
    {
        .name = "MSG_PEEK|MSG_TRUNC sizes a message",
        .without = WITHOUT_SAME,
        .transcript = "send 3000\n"
                      "$C 0 peek trunc -> 3000\n"
                      "$C 10 peek trunc -> 3000 m1[0..9]\n"
                      "$C 5000 peek trunc -> 3000 m1[0..2999]\n"
                      "$C 3000 -> 3000 m1[0..2999]\n",
    },
    {
        .name = "MSG_PEEK|MSG_TRUNC sizes a tail",
        .without = WITHOUT_DIFFERS,
        .transcript = "send 3000\n"
                      "send 7\n"
                      "$C 1000 -> 1000 m1[0..999]\n"
                      "$C 0 peek trunc -> 2000\n"
                      "$C 10 peek trunc -> 2000 m1[1000..1009]\n"
                      "$C 2000 peek trunc -> 2000 m1[1000..2999]\n"
                      "$C 1500 -> 1500 m1[1000..2499]\n"
                      "$C 1 peek trunc -> 500 m1[2500..2500]\n"
                      "$C 500 -> 500 m1[2500..2999]\n"
                      "$C 0 peek trunc -> 7\n"
                      "$C 7 -> 7 m2[0..6]\n",
    },
    {
        .name = "MSG_TRUNC returns the length and drops the rest",
        .without = WITHOUT_SAME,
        .transcript = "send 3000\n"
                      "send 3000\n"
                      "send 2000\n"
                      "send 5\n"
                      "$C 1000 trunc -> 3000 m1[0..999]\n"
                      "$C 0 trunc -> 3000\n"
                      "$C 2000 trunc -> 2000 m3[0..1999]\n"
                      "$C 100 trunc -> 5 m4[0..4]\n",
    },
    {
        .name = "MSG_TRUNC returns what remains and drops it",
        .without = WITHOUT_DIFFERS,
        .transcript = "send 3000\n"
                      "send 3000\n"
                      "send 3000\n"
                      "send 5\n"
                      "$C 1000 -> 1000 m1[0..999]\n"
                      "$C 500 trunc -> 2000 m1[1000..1499]\n"
                      "$C 1000 -> 1000 m2[0..999]\n"
                      "$C 5000 trunc -> 2000 m2[1000..2999]\n"
                      "$C 1000 -> 1000 m3[0..999]\n"
                      "$C 0 trunc -> 2000\n"
                      "$C 100 -> 5 m4[0..4]\n",
    },
    {
        .name = "MSG_DONTWAIT: a tail is always ready",
        .without = WITHOUT_DIFFERS,
        .transcript = "$C 10 dontwait -> -1 EAGAIN\n"
                      "send 3000\n"
                      "$C 1000 dontwait -> 1000 m1[0..999]\n"
                      "$C 1000 dontwait -> 1000 m1[1000..1999]\n"
                      "$C 1000 dontwait -> 1000 m1[2000..2999]\n"
                      "$C 1000 dontwait -> -1 EAGAIN\n"
                      "$C 1000 dontwait peek -> -1 EAGAIN\n"
                      "$C 0 dontwait -> -1 EAGAIN\n",
    },
    {
        .name = "MSG_WAITALL waits for no second message",
        .without = WITHOUT_DIFFERS,
        .transcript = "send 1500\n"
                      "send 5\n"
                      "$C 1000 waitall -> 1000 m1[0..999]\n"
                      "$C 1000 waitall -> 500 m1[1000..1499]\n"
                      "$C 1000 waitall -> 5 m2[0..4]\n",
    },
    {
        .name = "flags without a meaning here change nothing",
        .without = WITHOUT_DIFFERS,
        .transcript = "send 1500\n"
                      "$C 1000 nosignal -> 1000 m1[0..999]\n"
                      "$C 1000 nosignal confirm -> 500 m1[1000..1499]\n",
    },
};

static const struct scenario read_rows[] = {
    {
        .name = "read of 0 bytes consumes nothing",
        .without = WITHOUT_SAME,
        .transcript = "$C 0 -> 0\n"
                      "send 3000\n"
                      "$C 0 -> 0\n"
                      "$C 3000 -> 3000 m1[0..2999]\n"
                      "$C 0 -> 0\n",
    },
    {
        .name = "read of 0 bytes consumes nothing of a tail",
        .without = WITHOUT_DIFFERS,
        .transcript = "send 3000\n"
                      "$C 0 -> 0\n"
                      "$C 1000 -> 1000 m1[0..999]\n"
                      "$C 0 -> 0\n"
                      "$C 1000 -> 1000 m1[1000..1999]\n"
                      "$C 0 -> 0\n"
                      "$C 1000 -> 1000 m1[2000..2999]\n"
                      "$C 0 -> 0\n",
    },
};

/* RWF_NOWAIT is preadv2's MSG_DONTWAIT. */
static const struct scenario nowait_rows[] = {
    {
        .name = "RWF_NOWAIT: a tail is always ready",
        .without = WITHOUT_DIFFERS,
        .kinds = KIND_FOUR,
        .modes = MODE_ALL,
        .holds = HOLD_BOTH,
        .transcript = "$C 1000 nowait -> -1 EAGAIN\n"
                      "send 2000\n"
                      "$C 1000 nowait -> 1000 m1[0..999]\n"
                      "$C 1000 nowait -> 1000 m1[1000..1999]\n"
                      "$C 1000 nowait -> -1 EAGAIN\n",
    },
};

static const char *const nowait_calls[] = {"preadv2", "preadv64v2 parts=3", "sys_preadv2"};

SCENARIOS_BY_CALL(flags, every_call, flag_rows, flag_calls, .kinds = KIND_ALL, .holds = HOLD_BOTH)

static const char *const recv_only[] = {"recv"};

SCENARIOS_BY_CALL(flags, every_way_to_wait, flag_rows, recv_only, .kinds = KIND_FOUR,
                  .modes = MODE_ALL, .holds = HOLD_BOTH)

SCENARIOS_BY_CALL(flags, length_0, read_rows, read_calls, .kinds = KIND_ALL, .modes = MODE_NONBLOCK,
                  .holds = HOLD_BOTH)

SCENARIOS_BY_CALL(flags, nowait, nowait_rows, nowait_calls)
