/* SPDX-License-Identifier: MIT */
/* A tail belongs to the socket: descriptors share it, and the last one to close ends it. */
#include "rows.h"
#include "scenario.h"

static const char *const copies[] = {"dup", "dupfd", "dupfd_cloexec", "__dupfd"};
static const char *const replacements[] = {"dup2", "__dup2", "dup3", "raw_dup2"};
static const char *const closes[] = {"close",     "__close", "sys_close", "close_range",
                                     "closefrom", "fclose",  "raw_close"};
static const char *const seen_closes[] = {"close",       "__close",   "sys_close",
                                          "close_range", "closefrom", "fclose"};

static const struct scenario copy_rows[] = {
    {
        .name = "a copy made before the message",
        .transcript = "$C r x\n"
                      "send 3000\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "recv 500 on=x -> 500 m1[1000..1499]\n"
                      "read 500 -> 500 m1[1500..1999]\n"
                      "recvmsg 5000 noname on=x -> 1000 m1[2000..2999]\n",
    },
    {
        .name = "a copy made mid-message",
        .transcript = "send 3000\n"
                      "recv 1000 on=r -> 1000 m1[0..999]\n"
                      "$C r x\n"
                      "recv 1000 on=x -> 1000 m1[1000..1999]\n"
                      "recv 5000 peek -> 1000 m1[2000..2999]\n"
                      "recv 1000 -> 1000 m1[2000..2999]\n",
    },
    {
        .name = "the copy is ready, and knows how much is left",
        .transcript = "$C r x\n"
                      "send 3000\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "poll 0 on=x -> 1 x=IN\n"
                      "fionread x -> 2000\n"
                      "recv 5000 on=x -> 2000 m1[1000..2999]\n",
    },
    {
        .name = "the copy goes, the tail stays",
        .transcript = "send 3000\n"
                      "$C r x\n"
                      "recv 1000 on=x -> 1000 m1[0..999]\n"
                      "close x\n"
                      "recv 1000 -> 1000 m1[1000..1999]\n"
                      "$C r x\n"
                      "raw_close x\n"
                      "recv 1000 -> 1000 m1[2000..2999]\n",
    },
    {
        .name = "a copy of a copy, and numbers high and low",
        .transcript = "nofile 4096\n"
                      "send 3000\n"
                      "$C r x\n"
                      "dup2 r #4000\n"
                      "recv 1000 on=#4000 -> 1000 m1[0..999]\n"
                      "$C x y\n"
                      "recv 1000 on=y -> 1000 m1[1000..1999]\n"
                      "dup2 r #0\n"
                      "recv 500 on=#0 -> 500 m1[2000..2499]\n"
                      "recv 500 on=x -> 500 m1[2500..2999]\n",
    },
};

static const struct scenario replacement_rows[] = {
    {
        .name = "the socket that gives way takes its tail with it",
        .transcript = "udp4 q t\n"
                      "send 3000 from=t\n"
                      "recv 1000 on=q -> 1000 m1[0..999]\n"
                      "send 3000\n"
                      "recv 1000 -> 1000 m2[0..999]\n"
                      "$C r q\n"
                      "recv 1000 on=q -> 1000 m2[1000..1999]\n"
                      "recv 1000 -> 1000 m2[2000..2999]\n"
                      "recv 1000 on=q dontwait -> -1 EAGAIN\n",
    },
    {
        .name = "a socket without a tail in the place of one with",
        .transcript = "udp4 q t\n"
                      "send 3000 from=t\n"
                      "recv 1000 on=q -> 1000 m1[0..999]\n"
                      "$C r q\n"
                      "recv 1000 on=q dontwait -> -1 EAGAIN\n"
                      "send 1500\n"
                      "recv 1000 on=q -> 1000 m2[0..999]\n"
                      "recv 1000 -> 500 m2[1000..1499]\n",
    },
    {
        .name = "the place was another copy of the replaced socket",
        .transcript = "udp4 q t\n"
                      "dup q y\n"
                      "send 3000 from=t\n"
                      "recv 1000 on=q -> 1000 m1[0..999]\n"
                      "$C r q\n"
                      "recv 10 on=q dontwait -> -1 EAGAIN\n"
                      "recv 1000 on=y -> 1000 m1[1000..1999]\n"
                      "recv 1000 on=y -> 1000 m1[2000..2999]\n",
    },
};

/* The socket's only descriptor, #20, is closed while a tail is held. */
#define CLOSE_WITH_TAIL                          \
    "send 3000\n"                                \
    "dup2 r #20\n"                               \
    "raw_close r\n"                              \
    "recv 1000 on=#20 -> 1000 m1[0..999]\n"      \
    "recv 10 peek on=#20 -> 10 m1[1000..1009]\n" \
    "$C #20\n"

static const struct scenario close_rows[] = {
    {
        .name = "one of two descriptors closes: the tail stays",
        .transcript = "send 3000\n"
                      "dup2 r #20\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "$C #20\n"
                      "recv 1000 -> 1000 m1[1000..1999]\n"
                      "recv 1000 -> 1000 m1[2000..2999]\n",
    },
    {
        .name = "the number comes again as a UDP socket: none of the old bytes",
        .transcript = CLOSE_WITH_TAIL "udp4 r t at=#20\n"
                                      "nonblock r\n"
                                      "recv 1000 -> -1 EAGAIN\n"
                                      "send 1500 from=t\n"
                                      "recv 1000 -> 1000 m2[0..999]\n"
                                      "recv 1000 -> 500 m2[1000..1499]\n",
    },
    {
        .name = "the number comes again as an AF_UNIX socket: none of the old bytes",
        .transcript = CLOSE_WITH_TAIL "seqpacket r t at=#20\n"
                                      "nonblock r\n"
                                      "recv 1000 -> -1 EAGAIN\n"
                                      "send 1500 from=t\n"
                                      "recv 1000 peek -> 1000 m2[0..999]\n"
                                      "recv 1000 -> 1000 m2[0..999]\n"
                                      "recv 1000 -> 500 m2[1000..1499]\n",
    },
    {
        .name = "the number comes again as a pipe: none of the old bytes",
        .transcript = CLOSE_WITH_TAIL "pipe p w at=#20\n"
                                      "send 30 from=w\n"
                                      "read 10 on=p -> 10 m2[0..9]\n"
                                      "recv 10 on=p -> -1 ENOTSOCK\n"
                                      "read 100 on=p -> 20 m2[10..29]\n",
    },
    {
        .name = "the number is not open: EBADF, not the tail",
        .transcript = CLOSE_WITH_TAIL "recv 1000 on=#20 -> -1 EBADF\n"
                                      "read 1000 on=#20 -> -1 EBADF\n"
                                      "recvmsg 1000 on=#20 -> -1 EBADF\n",
    },
};

/* By the library's own counters: a closed socket's tail is not kept, and counted as lost. */
static const struct scenario counted_rows[] = {{
    .name = "a closed socket's tail is let go",
    .transcript = "send 3000\n"
                  "dup2 r #20\n"
                  "close r\n"
                  "recv 1000 on=#20 -> 1000 m1[0..999]\n"
                  "wsrx_counters -> held 1 parts 0 saved 0 lost 0/0 now 1\n"
                  "$C #20\n"
                  "wsrx_counters -> held 1 parts 0 saved 0 lost 1/2000 now 0\n",
}};

static const struct scenario cloexec = {
    .name = "CLOSE_RANGE_CLOEXEC closes nothing",
    .kinds = KIND_FOUR,
    .modes = MODE_NONBLOCK,
    .holds = HOLD_BOTH,
    .without = WITHOUT_DIFFERS,
    .transcript = "send 3000\n"
                  "recv 1000 -> 1000 m1[0..999]\n"
                  "close_range_cloexec r\n"
                  "recv 1000 -> 1000 m1[1000..1999]\n"
                  "recv 1000 -> 1000 m1[2000..2999]\n",
};

static const struct scenario freopened = {
    .name = "freopen puts a file in the socket's place",
    .kinds = KIND_FOUR,
    .holds = HOLD_BOTH,
    .transcript = "send 3000\n"
                  "recv 1000 -> 1000 m1[0..999]\n"
                  "freopen r\n"
                  "read 1000 -> 0\n"
                  "recv 1000 -> -1 ENOTSOCK\n",
};

SCENARIOS_BY_CALL(descriptors, copies, copy_rows, copies, .kinds = KIND_FOUR,
                  .modes = MODE_NONBLOCK, .holds = HOLD_BOTH, .without = WITHOUT_DIFFERS)

SCENARIOS_BY_CALL(descriptors, replacements, replacement_rows, replacements, .kinds = KIND_FOUR,
                  .modes = MODE_NOWAIT, .holds = HOLD_BOTH)

SCENARIOS_BY_CALL(descriptors, closes, close_rows, closes, .kinds = KIND_FOUR, .modes = MODE_NOWAIT,
                  .holds = HOLD_BOTH)

SCENARIOS_BY_CALL(descriptors, counted, counted_rows, seen_closes, .kinds = KIND_FOUR,
                  .holds = HOLD_BOTH)

Test(descriptors, close_range_cloexec)
{
    scenario_check(&cloexec);
}

Test(descriptors, freopen)
{
    scenario_check(&freopened);
}
