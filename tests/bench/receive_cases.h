/* SPDX-License-Identifier: MIT */
/*
 * The cases of receive.c: which receives are compared, in which settings, and the highest ratio that
 * each may have.
 */
#ifndef BENCH_RECEIVE_CASES_H
#define BENCH_RECEIVE_CASES_H

#include "batch.h"

#include <stdbool.h>
#include <stddef.h>

enum worker_kind {
    WITHOUT,
    WITHOUT_AGAIN,
    WITH,
    WITH_TAIL, /* a process of its own: its half-read message stays held */
    WITH_ALL,
    WITH_KERNEL,
    WITH_ERROR,
    WITH_OBSERVE,
    WITH_OFF,
    WORKERS,
};

static const struct {
    bool library;
    const char *setting;
} worker_kinds[WORKERS] = {
    [WITHOUT] = {false, NULL},
    [WITHOUT_AGAIN] = {false, NULL},
    [WITH] = {true, NULL},
    [WITH_TAIL] = {true, NULL},
    [WITH_ALL] = {true, "WSRX_CALLS=all"},
    [WITH_KERNEL] = {true, "WSRX_HOLD=kernel"},
    [WITH_ERROR] = {true, "WSRX_MODE=error"},
    [WITH_OBSERVE] = {true, "WSRX_MODE=observe"},
    [WITH_OFF] = {true, "WSRX_MODE=off"},
};

enum case_group {
    GROUP_FITS,
    GROUP_MESSAGES,
    GROUP_STREAMS,
    GROUP_PARTS,
    GROUP_PARTS_WHOLE,
    GROUP_LARGE,
    GROUP_SETTINGS,
    GROUP_INFORMATION,
    GROUP_THREADS,
    GROUPS,
};

static const struct {
    const char *title;
    double goal; /* highest ratio; 0: none */
} groups[GROUPS] = {
    [GROUP_FITS] = {"Datagrams that fit (UDP)", 1.10},
    [GROUP_MESSAGES] = {"The same by recvmsg", 1.02},
    [GROUP_STREAMS] = {"Streams and pipes", 1.02},
    [GROUP_PARTS] = {"64,000 bytes: one message in parts of 1,000 : 64 messages of 1,000", 0.6},
    [GROUP_PARTS_WHOLE] = {"Other parts, for each message or for as many bytes", 0},
    [GROUP_LARGE] = {"AF_UNIX datagrams that fit", 1.03},
    [GROUP_SETTINGS] = {"With other settings, against the same receive without the library", 0},
    [GROUP_INFORMATION] = {"For information (against the same receive without the library)", 0},
    /* The last ones: the workers keep the thread. */
    [GROUP_THREADS] = {"In a process with a second thread", 1.03},
};

struct bench_case {
    const char *name;
    enum case_group group;
    struct bench_batch without;
    struct bench_batch with;
    enum worker_kind with_worker;
    double goal;    /* 0: the group's */
    bool a_message; /* the time is for a message, in however many parts, and not for a receive */
};

/* 8 receives untimed, 128 timed; one message each. */
#define ONE_EACH(CHANNEL, CALL, SIZE, BUFFER)                                                     \
    .channel = (CHANNEL), .call = (CALL), .buffer = (BUFFER), .message = (SIZE), .messages = 136, \
    .part = (SIZE), .warm = 8, .timed = 128
/* Fewer, so that all of it fits a TCP socket's first window and a pipe of the default size. */
#define ONE_EACH_SHORT(CHANNEL, CALL, SIZE, BUFFER)                                              \
    .channel = (CHANNEL), .call = (CALL), .buffer = (BUFFER), .message = (SIZE), .messages = 36, \
    .part = (SIZE), .warm = 4, .timed = 32
/* The first 64 receives are untimed, so that on both sides the timed ones start with a message. */
#define PARTS(CALL, SIZE)                                                    \
    .channel = BENCH_UDP, .call = (CALL), .buffer = 1000, .message = (SIZE), \
    .messages = 128000 / (SIZE), .part = 1000, .warm = 64, .timed = 64

#define SAME(NAME, GROUP, ...)                                                             \
    {                                                                                      \
        .name = (NAME), .group = (GROUP), .without = {__VA_ARGS__}, .with = {__VA_ARGS__}, \
        .with_worker = WITH                                                                \
    }
/* AF_UNIX, as many as the largest payload has room for. */
#define LARGE(SIZE, WARM, TIMED)                                                        \
    .channel = BENCH_UNIX, .call = BENCH_RECV, .buffer = (SIZE) + 8, .message = (SIZE), \
    .messages = (WARM) + (TIMED), .part = (SIZE), .warm = (WARM), .timed = (TIMED)
#define SETTING(NAME, WORKER, GOAL, ...)                                                          \
    {                                                                                             \
        .name = (NAME), .group = GROUP_SETTINGS, .without = {__VA_ARGS__}, .with = {__VA_ARGS__}, \
        .with_worker = (WORKER), .goal = (GOAL)                                                   \
    }
#define THREAD(NAME, ...)                                                              \
    {                                                                                  \
        .name = (NAME), .group = GROUP_THREADS, .without = {__VA_ARGS__, .thread = 1}, \
        .with = {__VA_ARGS__, .thread = 1}, .with_worker = WITH                        \
    }
#define TAIL(NAME, ...)                                                       \
    {                                                                         \
        .name = (NAME), .group = GROUP_INFORMATION, .without = {__VA_ARGS__}, \
        .with = {__VA_ARGS__, .tail_elsewhere = 1}, .with_worker = WITH_TAIL  \
    }
#define BY_HAND(NAME, SIZE)                                                                      \
    {                                                                                            \
        .name = (NAME), .group = GROUP_INFORMATION,                                              \
        .without = {ONE_EACH(BENCH_UDP, BENCH_RECV, SIZE, 2048)},                                \
        .with = {ONE_EACH(BENCH_UDP, BENCH_PEEK_RECV, SIZE, 2048)}, .with_worker = WITHOUT_AGAIN \
    }

static const struct bench_case cases[] = {
    SAME("recv, 64 bytes", GROUP_FITS, ONE_EACH(BENCH_UDP, BENCH_RECV, 64, 2048)),
    SAME("recv, 1200 bytes", GROUP_FITS, ONE_EACH(BENCH_UDP, BENCH_RECV, 1200, 2048)),
    SAME("recvfrom, 64 bytes", GROUP_FITS, ONE_EACH(BENCH_UDP, BENCH_RECVFROM, 64, 2048)),
    SAME("recvfrom, 1200 bytes", GROUP_FITS, ONE_EACH(BENCH_UDP, BENCH_RECVFROM, 1200, 2048)),
    SAME("read, 64 bytes", GROUP_FITS, ONE_EACH(BENCH_UDP, BENCH_READ, 64, 2048)),
    SAME("read, 1200 bytes", GROUP_FITS, ONE_EACH(BENCH_UDP, BENCH_READ, 1200, 2048)),
    SAME("recvmsg, 64 bytes", GROUP_MESSAGES, ONE_EACH(BENCH_UDP, BENCH_RECVMSG, 64, 2048)),
    SAME("recvmsg, 1200 bytes", GROUP_MESSAGES, ONE_EACH(BENCH_UDP, BENCH_RECVMSG, 1200, 2048)),
    SAME("recv, 64 bytes, buffer 65535", GROUP_FITS, ONE_EACH(BENCH_UDP, BENCH_RECV, 64, 65535)),
    SAME("recvfrom, 1200 bytes, buffer 65535", GROUP_FITS,
         ONE_EACH(BENCH_UDP, BENCH_RECVFROM, 1200, 65535)),

    SAME("TCP recv, 64 bytes", GROUP_STREAMS, ONE_EACH(BENCH_TCP, BENCH_RECV, 64, 64)),
    SAME("TCP recv, 1200 bytes", GROUP_STREAMS, ONE_EACH_SHORT(BENCH_TCP, BENCH_RECV, 1200, 1200)),
    SAME("pipe read, 64 bytes", GROUP_STREAMS, ONE_EACH(BENCH_PIPE, BENCH_READ, 64, 64)),
    SAME("pipe read, 1200 bytes", GROUP_STREAMS,
         ONE_EACH_SHORT(BENCH_PIPE, BENCH_READ, 1200, 1200)),

    {.name = "recv",
     .group = GROUP_PARTS,
     .without = {PARTS(BENCH_RECV, 1000)},
     .with = {PARTS(BENCH_RECV, 64000)},
     .with_worker = WITH},
    {.name = "recvfrom",
     .group = GROUP_PARTS,
     .without = {PARTS(BENCH_RECVFROM, 1000)},
     .with = {PARTS(BENCH_RECVFROM, 64000)},
     .with_worker = WITH},
    {.name = "read",
     .group = GROUP_PARTS,
     .without = {PARTS(BENCH_READ, 1000)},
     .with = {PARTS(BENCH_READ, 64000)},
     .with_worker = WITH},

    {.name = "2,000 bytes in two parts : two of 1,000",
     .group = GROUP_PARTS_WHOLE,
     .without = {PARTS(BENCH_RECV, 1000)},
     .with = {PARTS(BENCH_RECV, 2000)},
     .with_worker = WITH,
     .goal = 1.3},
    {.name = "1 MiB, AF_UNIX, parts of 4 KiB : whole",
     .group = GROUP_PARTS_WHOLE,
     .without = {.channel = BENCH_UNIX,
                 .buffer = 1 << 20,
                 .message = 1 << 20,
                 .messages = 2,
                 .part = 1 << 20,
                 .warm = 1,
                 .timed = 1},
     .with = {.channel = BENCH_UNIX,
              .buffer = 4096,
              .message = 1 << 20,
              .messages = 2,
              .part = 4096,
              .warm = 256,
              .timed = 256},
     .with_worker = WITH,
     .goal = 6,
     .a_message = true},

    SAME("recv, 4,096 bytes", GROUP_LARGE, LARGE(4096, 8, 128)),
    SAME("recv, 9,000 bytes", GROUP_LARGE, LARGE(9000, 8, 128)),
    SAME("recv, 65,000 bytes", GROUP_LARGE, LARGE(65000, 4, 28)),
    SAME("recv, 256 KiB", GROUP_LARGE, LARGE(262000, 2, 6)),
    SAME("recv, 1,000,000 bytes", GROUP_LARGE, LARGE(1000000, 1, 1)),

    SETTING("WSRX_CALLS=all, recvmsg, 64 bytes", WITH_ALL, 1.05,
            ONE_EACH(BENCH_UDP, BENCH_RECVMSG, 64, 2048)),
    SETTING("WSRX_CALLS=all, recvmsg, 1200 bytes", WITH_ALL, 1.05,
            ONE_EACH(BENCH_UDP, BENCH_RECVMSG, 1200, 2048)),
    SETTING("WSRX_HOLD=kernel, recv, 64 bytes", WITH_KERNEL, 2.2,
            ONE_EACH(BENCH_UDP, BENCH_RECV, 64, 2048)),
    SETTING("WSRX_HOLD=kernel, recv, 1200 bytes", WITH_KERNEL, 2.2,
            ONE_EACH(BENCH_UDP, BENCH_RECV, 1200, 2048)),
    SETTING("WSRX_MODE=error, recv, 64 bytes", WITH_ERROR, 1.03,
            ONE_EACH(BENCH_UDP, BENCH_RECV, 64, 2048)),
    SETTING("WSRX_MODE=observe, recv, 64 bytes", WITH_OBSERVE, 1.03,
            ONE_EACH(BENCH_UDP, BENCH_RECV, 64, 2048)),
    SETTING("WSRX_MODE=off, recv, 64 bytes", WITH_OFF, 1.03,
            ONE_EACH(BENCH_UDP, BENCH_RECV, 64, 2048)),
    SAME("recv, 64 bytes, 64 buffers by turns", GROUP_INFORMATION,
         ONE_EACH(BENCH_UDP, BENCH_RECV, 64, 2048), .buffers = 64),
    SAME("AF_UNIX recv, 64 bytes", GROUP_INFORMATION, ONE_EACH(BENCH_UNIX, BENCH_RECV, 64, 2048)),
    TAIL("recv, 64 bytes, tail held elsewhere", ONE_EACH(BENCH_UDP, BENCH_RECV, 64, 2048)),
    TAIL("pipe read, 64, tail held elsewhere", ONE_EACH(BENCH_PIPE, BENCH_READ, 64, 64)),
    BY_HAND("no library: peek, then recv, 64 bytes", 64),
    BY_HAND("no library: peek, then recv, 1200", 1200),

    THREAD("recv, 64 bytes", ONE_EACH(BENCH_UDP, BENCH_RECV, 64, 2048)),
    THREAD("recv, 1200 bytes", ONE_EACH(BENCH_UDP, BENCH_RECV, 1200, 2048)),
    THREAD("AF_UNIX recv, 64 bytes", ONE_EACH(BENCH_UNIX, BENCH_RECV, 64, 2048)),
    THREAD("AF_UNIX recv, 1200 bytes", ONE_EACH(BENCH_UNIX, BENCH_RECV, 1200, 2048)),
};

#endif
