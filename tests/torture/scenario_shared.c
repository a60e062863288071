/* SPDX-License-Identifier: MIT
 *
 * Scenario shared: 8 threads receive from one socket, a ninth sends.
 */
#define _GNU_SOURCE
#include "flows.h"
#include "ledger.h"

#include <sched.h>
#include <string.h>
#include <unistd.h>

enum { RECEIVERS = 8 };

struct scene {
    struct ledger *ledger;
    struct hands *hands[RECEIVERS];
    atomic_bool sending;
    unsigned round;
};

static void receive_parts(struct flow *flow)
{
    struct scene *scene = flow->context;
    struct plan plan =
        plan_make(options.seed, flow->share->name, scene->round << 8 | (flow->number + 1));
    int64_t since = now();

    while (atomic_load(&scene->sending) ||
           (!ledger_is_complete(scene->ledger) && now() - since < INT64_C(3000000000))) {
        if (ledger_receive(scene->ledger, &plan, scene->hands[flow->number], 0) > 0)
            since = now();
        else
            sched_yield();
    }
}

static void run_round(struct scene *scene, const struct share *share)
{
    struct plan plan = plan_make(options.seed, share->name, scene->round << 8);
    struct flow flow[RECEIVERS];
    struct hands *hands = hands_make();

    scene->ledger = ledger_make((enum kind)(scene->round % MESSAGE_KINDS), scene->round + 1, &plan);
    atomic_store(&scene->sending, true);
    for (unsigned i = 0; i < RECEIVERS; i++) {
        scene->hands[i] = hands_make();
        flow[i] = (struct flow){i, share, receive_parts, scene, 0};
        flow_start(&flow[i], 0);
    }
    while (!share_done(share))
        if (!ledger_send(scene->ledger, &plan, hands))
            usleep(20);
    atomic_store(&scene->sending, false);
    stand("pthread_join", -1);
    for (unsigned i = 0; i < RECEIVERS; i++)
        pthread_join(flow[i].thread, NULL);
    ledger_settle(scene->ledger, 0);
    for (unsigned i = 0; i < RECEIVERS; i++)
        hands_free(scene->hands[i]);
    hands_free(hands);
    ledger_free(scene->ledger);
}

void scenario_shared(const struct share *share)
{
    struct scene scene = {0};
    unsigned long each = (share->until - total_of_parts()) / (2 * MESSAGE_KINDS) + 1;

    while (!share_done(share)) {
        struct share part = *share;

        part.until = total_of_parts() + each;
        run_round(&scene, &part);
        scene.round++;
    }
}
