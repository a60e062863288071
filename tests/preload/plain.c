/* SPDX-License-Identifier: MIT */
/* The rows of the receive contract for plain calls that need no flags: fits, part, last part. */
#include "rows.h"
#include "scenario.h"

static const char *const calls[] = {
    "recv",
    "recvfrom noname",
    "read",
    "readv",
    "readv parts=3",
    "preadv2",
    "preadv2 parts=2",
    "preadv64v2",
    "__read",
    "__read_chk",
    "__recv_chk",
    "__recvfrom_chk noname",
    "sys_read",
    "sys_readv parts=2",
    "sys_preadv2",
    "sys_recvfrom noname",
};

static const struct scenario rows[] = {
    {
        .name = "a message that fits is one part",
        .without = WITHOUT_SAME,
        .transcript = "send 1000\n"
                      "send 999\n"
                      "send 1\n"
                      "$C 1000 -> 1000 m1[0..999]\n"
                      "$C 1000 -> 999 m2[0..998]\n"
                      "$C 1000 -> 1 m3[0..0]\n",
    },
    {
        .name = "a message that does not fit comes in parts, the next one after its last",
        .without = WITHOUT_DIFFERS,
        .transcript = "send 3000\n"
                      "send 5\n"
                      "$C 1000 -> 1000 m1[0..999]\n"
                      "$C 1000 -> 1000 m1[1000..1999]\n"
                      "$C 1000 -> 1000 m1[2000..2999]\n"
                      "$C 1000 -> 5 m2[0..4]\n",
    },
    {
        .name = "the last part is what remains",
        .without = WITHOUT_DIFFERS,
        .transcript = "send 1001\n"
                      "send 2500\n"
                      "send 3\n"
                      "$C 1000 -> 1000 m1[0..999]\n"
                      "$C 1000 -> 1 m1[1000..1000]\n"
                      "$C 1000 -> 1000 m2[0..999]\n"
                      "$C 4000 -> 1500 m2[1000..2499]\n"
                      "$C 1000 -> 3 m3[0..2]\n",
    },
    {
        .name = "buffers of any size, one byte too",
        .without = WITHOUT_DIFFERS,
        .transcript = "send 2000\n"
                      "send 2\n"
                      "$C 1 -> 1 m1[0..0]\n"
                      "$C 1 -> 1 m1[1..1]\n"
                      "$C 997 -> 997 m1[2..998]\n"
                      "$C 1000 -> 1000 m1[999..1998]\n"
                      "$C 1 -> 1 m1[1999..1999]\n"
                      "$C 1 -> 1 m2[0..0]\n"
                      "$C 1 -> 1 m2[1..1]\n",
    },
    {
        .name = "messages of length 0 stay messages",
        .without = WITHOUT_SAME,
        .transcript = "send 0\n"
                      "send 5\n"
                      "send 0\n"
                      "send 0\n"
                      "$C 10 -> 0\n"
                      "$C 10 -> 5 m2[0..4]\n"
                      "$C 10 -> 0\n"
                      "$C 10 -> 0\n",
    },
    {
        .name = "messages of length 0 between parts",
        .without = WITHOUT_DIFFERS,
        .transcript = "send 0\n"
                      "send 20\n"
                      "send 0\n"
                      "send 30\n"
                      "$C 15 -> 0\n"
                      "$C 15 -> 15 m2[0..14]\n"
                      "$C 15 -> 5 m2[15..19]\n"
                      "$C 15 -> 0\n"
                      "$C 20 -> 20 m4[0..19]\n"
                      "$C 10 -> 10 m4[20..29]\n",
    },
    {
        .name = "into memory that nobody has written to before",
        .without = WITHOUT_DIFFERS,
        .transcript = "send 3000\n"
                      "send 10\n"
                      "$C 1000 buf=fresh -> 1000 m1[0..999]\n"
                      "$C 1000 buf=fresh -> 1000 m1[1000..1999]\n"
                      "$C 1000 buf=fresh -> 1000 m1[2000..2999]\n"
                      "$C 1000 buf=fresh -> 10 m2[0..9]\n",
    },
    {
        .name = "another thread and a signal handler continue",
        .without = WITHOUT_DIFFERS,
        .transcript = "send 3000\n"
                      "$C 1000 -> 1000 m1[0..999]\n"
                      "$C 500 in=thread -> 500 m1[1000..1499]\n"
                      "$C 500 in=handler -> 500 m1[1500..1999]\n"
                      "$C 500 in=thread -> 500 m1[2000..2499]\n"
                      "$C 500 -> 500 m1[2500..2999]\n",
    },
};

/* Every call on every kind of socket, blocking. */
SCENARIOS_BY_CALL(plain, every_call, rows, calls, .kinds = KIND_ALL, .holds = HOLD_BOTH)

/* The three ways to wait make a difference below the calls, not in each of them. */
static const char *const recv_and_read[] = {"recv", "read"};

SCENARIOS_BY_CALL(plain, every_way_to_wait, rows, recv_and_read, .kinds = KIND_FOUR,
                  .modes = MODE_ALL, .holds = HOLD_BOTH)
