/* SPDX-License-Identifier: MIT
 *
 * Flows of control: threads that each stand at a place of their own.
 */
#ifndef WSRX_TORTURE_FLOWS_H
#define WSRX_TORTURE_FLOWS_H

#include "torture.h"

#include <pthread.h>

struct flow {
    unsigned number; /* its place is number + 1: the main thread stands at 0 */
    const struct share *share;
    void (*run)(struct flow *flow);
    void *context;
    pthread_t thread;
};

/* Starts one, with `stack` bytes of stack (0: the usual). SIGALRM stays the main thread's. */
void flow_start(struct flow *flow, size_t stack);

/* Starts `count` of them and waits for all. */
void flows_run(const struct share *share, unsigned flows, size_t stack,
               void (*run)(struct flow *flow), void *context);

#endif
