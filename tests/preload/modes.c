/* SPDX-License-Identifier: MIT */
/* WSRX_MODE: what each mode makes of the same messages. */
#include "rows.h"
#include "scenario.h"

static const char *const calls[] = {
    "recv",    "read",       "readv parts=3",      "recvfrom noname",
    "preadv2", "__recv_chk", "sys_recvfrom noname"};

static const struct scenario rows[] = {
    {
        .name = "continue, said aloud",
        .environment = {"WSRX_MODE=continue"},
        .without = WITHOUT_DIFFERS,
        .transcript = "send 2500\n"
                      "$C 1000 -> 1000 m1[0..999]\n"
                      "$C 1000 -> 1000 m1[1000..1999]\n"
                      "$C 1000 -> 500 m1[2000..2499]\n",
    },
    {
        .name = "error: EMSGSIZE with the buffer filled, and the last part its length",
        .environment = {"WSRX_MODE=error"},
        .without = WITHOUT_DIFFERS,
        .transcript = "send 2500\n"
                      "send 1000\n"
                      "send 0\n"
                      "send 1001\n"
                      "$C 1000 -> -1 EMSGSIZE filled m1[0..999]\n"
                      "$C 1000 -> -1 EMSGSIZE filled m1[1000..1999]\n"
                      "$C 1000 -> 500 m1[2000..2499]\n"
                      "$C 1000 -> 1000 m2[0..999]\n"
                      "$C 1000 -> 0\n"
                      "$C 1000 -> -1 EMSGSIZE filled m4[0..999]\n"
                      "$C 1000 -> 1 m4[1000..1000]\n",
    },
    {
        .name = "discard: EMSGSIZE with the buffer filled, and the rest is gone",
        .environment = {"WSRX_MODE=discard"},
        .without = WITHOUT_DIFFERS,
        .transcript = "send 2500\n"
                      "send 1000\n"
                      "send 0\n"
                      "send 1001\n"
                      "send 5\n"
                      "$C 1000 -> -1 EMSGSIZE filled m1[0..999]\n"
                      "$C 1000 -> 1000 m2[0..999]\n"
                      "$C 1000 -> 0\n"
                      "$C 1000 -> -1 EMSGSIZE filled m4[0..999]\n"
                      "$C 1000 -> 5 m5[0..4]\n",
    },
    {
        .name = "observe: as Linux does",
        .environment = {"WSRX_MODE=observe"},
        .without = WITHOUT_SAME,
        .transcript = "send 2500\n"
                      "send 1000\n"
                      "send 0\n"
                      "send 1001\n"
                      "send 5\n"
                      "$C 1000 -> 1000 m1[0..999]\n"
                      "$C 1000 -> 1000 m2[0..999]\n"
                      "$C 1000 -> 0\n"
                      "$C 1000 -> 1000 m4[0..999]\n"
                      "$C 1000 -> 5 m5[0..4]\n",
    },
    {
        .name = "off: as Linux does",
        .environment = {"WSRX_MODE=off"},
        .without = WITHOUT_SAME,
        .transcript = "send 2500\n"
                      "send 1000\n"
                      "send 0\n"
                      "send 1001\n"
                      "send 5\n"
                      "$C 1000 -> 1000 m1[0..999]\n"
                      "$C 1000 -> 1000 m2[0..999]\n"
                      "$C 1000 -> 0\n"
                      "$C 1000 -> 1000 m4[0..999]\n"
                      "$C 1000 -> 5 m5[0..4]\n",
    },
};

SCENARIOS_BY_CALL(modes, every_call, rows, calls, .kinds = KIND_ALL, .modes = MODE_NONBLOCK,
                  .holds = HOLD_BOTH)

static const char *const recv_only[] = {"recv"};

SCENARIOS_BY_CALL(modes, every_way_to_wait, rows, recv_only, .kinds = KIND_FOUR, .modes = MODE_ALL,
                  .holds = HOLD_BOTH)

static const struct scenario flag_rows[] = {
    {
        .name = "error: peeking and sizing are not receiving",
        .environment = {"WSRX_MODE=error"},
        .without = WITHOUT_DIFFERS,
        .transcript = "send 2500\n"
                      "send 5\n"
                      "recv 1000 peek trunc -> 2500 m1[0..999]\n"
                      "recv 1000 -> -1 EMSGSIZE filled m1[0..999]\n"
                      "recv 0 peek trunc -> 1500\n"
                      "recv 1500 peek -> 1500 m1[1000..2499]\n"
                      "recv 0 -> 0\n"
                      "recv 10 -> 5 m2[0..4]\n",
    },
    {
        .name = "error: MSG_TRUNC asks for the length, and gets it",
        .environment = {"WSRX_MODE=error"},
        .without = WITHOUT_SAME,
        .transcript = "send 2500\n"
                      "send 5\n"
                      "recv 1000 trunc -> 2500 m1[0..999]\n"
                      "recv 10 -> 5 m2[0..4]\n",
    },
    {
        .name = "error: length 0 drops a message, and read of 0 bytes nothing",
        .environment = {"WSRX_MODE=error"},
        .without = WITHOUT_SAME,
        .transcript = "send 2500\n"
                      "send 5\n"
                      "read 0 -> 0\n"
                      "recv 0 -> 0\n"
                      "recv 10 -> 5 m2[0..4]\n",
    },
    {
        .name = "discard: peeking, sizing, MSG_TRUNC and lengths of 0, as Linux does",
        .environment = {"WSRX_MODE=discard"},
        .without = WITHOUT_SAME,
        .transcript = "send 2500\n"
                      "send 2500\n"
                      "send 5\n"
                      "read 0 -> 0\n"
                      "recv 1000 peek trunc -> 2500 m1[0..999]\n"
                      "recv 1000 trunc -> 2500 m1[0..999]\n"
                      "recv 0 -> 0\n"
                      "recv 10 -> 5 m3[0..4]\n",
    },
    {
        .name = "error, plain: reporting calls as Linux does",
        .environment = {"WSRX_MODE=error"},
        .without = WITHOUT_SAME,
        .transcript = "send 2500\n"
                      "send 2500\n"
                      "recvmsg 1000 noname -> 1000 m1[0..999] flags TRUNC\n"
                      "recvmmsg 1000 n=1 noname -> 1 [1000 m2[0..999] flags TRUNC]\n",
    },
    {
        .name = "error, plain: a reporting call is served the tail",
        .environment = {"WSRX_MODE=error"},
        .without = WITHOUT_DIFFERS,
        .transcript = "send 2500\n"
                      "send 3\n"
                      "recv 1000 -> -1 EMSGSIZE filled m1[0..999]\n"
                      "recvmsg 1000 noname -> 1000 m1[1000..1999] flags TRUNC\n"
                      "recvmsg 1000 noname -> 500 m1[2000..2499]\n"
                      "recvmsg 1000 noname -> 3 m2[0..2]\n",
    },
    {
        .name = "discard, plain: reporting calls as Linux does",
        .environment = {"WSRX_MODE=discard"},
        .without = WITHOUT_SAME,
        .transcript = "send 2500\n"
                      "send 2500\n"
                      "recvmsg 1000 noname -> 1000 m1[0..999] flags TRUNC\n"
                      "recvmmsg 1000 n=1 noname -> 1 [1000 m2[0..999] flags TRUNC]\n",
    },
    {
        .name = "observe, all: as Linux does",
        .environment = {"WSRX_MODE=observe", "WSRX_CALLS=all"},
        .without = WITHOUT_SAME,
        .transcript = "send 2500\n"
                      "send 2500\n"
                      "send 2500\n"
                      "send 2500\n"
                      "send 5\n"
                      "recvmsg 1000 noname -> 1000 m1[0..999] flags TRUNC\n"
                      "recvmmsg 1000 n=1 noname -> 1 [1000 m2[0..999] flags TRUNC]\n"
                      "recv 1000 peek -> 1000 m3[0..999]\n"
                      "recv 1000 trunc -> 2500 m3[0..999]\n"
                      "read 0 -> 0\n"
                      "recv 0 -> 0\n"
                      "readv 10 parts=3 -> 5 m5[0..4]\n",
    },
};

SCENARIOS(modes, flags, flag_rows, .kinds = KIND_ALL, .modes = MODE_ALL, .holds = HOLD_BOTH)
