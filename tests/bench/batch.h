/* SPDX-License-Identifier: MIT */
/*
 * The question that the benchmark asks of a worker, and the answer: one batch of receives. Both
 * ends are built together and talk over a pair of pipes on one machine, so the structs travel as
 * they are. Nothing here knows of libwsrx.
 */
#ifndef BENCH_BATCH_H
#define BENCH_BATCH_H

#include <stdint.h>

enum bench_channel {
    BENCH_UDP,
    BENCH_UNIX,
    BENCH_TCP,
    BENCH_PIPE,
    BENCH_CHANNELS,
};

enum bench_call {
    BENCH_RECV,
    BENCH_RECVFROM,
    BENCH_READ,
    BENCH_RECVMSG,
    BENCH_PEEK_RECV, /* what a careful program does today: ask for the size, then receive */
};

enum {
    BENCH_RECEIVES_MAX = 512,
    BENCH_PAYLOAD_MAX = 2 << 20,
    BENCH_BUFFER_MAX = 1 << 20,
    BENCH_BUFFERS_MAX = 64,
};

/*
 * Queue `messages` messages of `message` bytes, then receive `warm` times without and `timed` times
 * with the clock running. Every receive must give `part` bytes; messages * message must be
 * (warm + timed) * part.
 */
struct bench_batch {
    uint32_t channel;        /* enum bench_channel */
    uint32_t call;           /* enum bench_call */
    uint32_t buffer;         /* length that the receive names */
    uint32_t buffers;        /* that take turns: a power of two; 0 or 1: always the same */
    uint32_t message;        /* length of a message as sent */
    uint32_t messages;       /* how many are sent */
    uint32_t part;           /* bytes that each receive must give */
    uint32_t warm;           /* receives before the clock starts */
    uint32_t timed;          /* receives while it runs */
    uint32_t tail_elsewhere; /* first leave a message half read on another socket */
    uint32_t thread;         /* with a second thread, which sleeps; the worker keeps it */
};

enum bench_outcome {
    BENCH_DONE,
    BENCH_WRONG, /* a receive gave other bytes than were sent: `index`, `got`, `error` say more */
    BENCH_SETUP, /* a socket could not be made or filled: `error` */
};

struct bench_answer {
    uint64_t nanoseconds; /* of the timed receives together */
    int64_t got;          /* BENCH_WRONG: what the receive returned */
    uint32_t outcome;     /* enum bench_outcome */
    uint32_t index;       /* BENCH_WRONG: which receive, warm ones included */
    uint32_t error;       /* errno, or 0 when the count was right and the bytes were not */
    uint32_t unused;
};

#endif
