/* SPDX-License-Identifier: MIT
 *
 * The plan: where every random choice comes from. One a flow of control, made of the seed, the
 * scenario and the flow's number, so that the same seed gives each flow the same plan.
 * It must never take anything from the clock or the machine.
 */
#ifndef WSRX_TORTURE_PLAN_H
#define WSRX_TORTURE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plan {
    uint64_t state;
};

/* splitmix64, by Sebastiano Vigna (public domain). */
static inline uint64_t plan_next(struct plan *plan)
{
    uint64_t z = plan->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline struct plan plan_make(uint64_t seed, const char *scenario, unsigned flow)
{
    struct plan plan = {seed};

    for (const char *at = scenario; *at; at++)
        plan.state = plan_next(&plan) ^ (unsigned char)*at;
    plan.state = plan_next(&plan) ^ flow;
    return plan;
}

/* 0 to below - 1. */
static inline unsigned plan_below(struct plan *plan, unsigned below)
{
    return (unsigned)((plan_next(plan) >> 32) * below >> 32);
}

static inline bool plan_percent(struct plan *plan, unsigned percent)
{
    return plan_below(plan, 100) < percent;
}

/* 1 to `most`, each magnitude as likely as the next. */
static inline size_t plan_size(struct plan *plan, size_t most)
{
    unsigned bits = 1;

    while (bits < 8 * sizeof most && most >> bits)
        bits++;
    for (;;) {
        size_t top = (size_t)1 << plan_below(plan, bits);
        size_t size = top + (size_t)(plan_next(plan) & (top - 1));

        if (size <= most)
            return size;
    }
}

#endif
