/* SPDX-License-Identifier: MIT */
/* How the epoll benchmark's worker registers its socket: what bench_batch's `call` means to it. */
#ifndef BENCH_EPOLL_MANNER_H
#define BENCH_EPOLL_MANNER_H

#include "batch.h"

enum {
    EPOLL_LEVEL, /* one wait and one receive a round */
    EPOLL_EDGE,  /* one wait a batch */
    EPOLL_SHOT,  /* one wait, one receive and one MOD a round */
    EPOLL_MANNERS,
};

#endif
