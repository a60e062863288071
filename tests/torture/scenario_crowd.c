/* SPDX-License-Identifier: MIT
 *
 * Scenarios of threads that know exactly what each receive has to give: single, many, small.
 */
#define _GNU_SOURCE
#include "crowd.h"
#include "flows.h"

#include <limits.h>
#include <pthread.h>
#include <unistd.h>

static void live(struct crowd *crowd, const struct share *share)
{
    while (!share_done(share))
        for (int i = 0; i < 32 && !hopeless(); i++)
            crowd_step(crowd);
    crowd_drain(crowd);
    crowd_free(crowd);
}

void scenario_single(const struct share *share)
{
    live(crowd_make(share->name, 0, 24, MESSAGE_KINDS, 1), share);
}

static void many(struct flow *flow)
{
    live(crowd_make(flow->share->name, flow->number, 12, KINDS, 8), flow->share);
}

void scenario_many(const struct share *share)
{
    flows_run(share, 8, 0, many, NULL);
}

static void small(struct flow *flow)
{
    live(crowd_make(flow->share->name, flow->number, 6, MESSAGE_KINDS, 2), flow->share);
}

/* A thread ends soon, so that its ends are tortured too: one round is a tenth of the share. */
void scenario_small(const struct share *share)
{
    size_t stack = 16384;
    unsigned long each = (share->until - total_of_parts()) / 10 + 1;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    stack = 1 << 20; /* the sanitizer needs more than the program */
#endif
    if (stack < (size_t)sysconf(_SC_THREAD_STACK_MIN))
        stack = (size_t)sysconf(_SC_THREAD_STACK_MIN);
    while (!share_done(share)) {
        struct share round = *share;

        round.until = total_of_parts() + each;
        flows_run(&round, 8, stack, small, NULL);
    }
}
