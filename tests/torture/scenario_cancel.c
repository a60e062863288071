/* SPDX-License-Identifier: MIT
 *
 * Scenario cancel: threads that receive from one socket are cancelled in the receive, and others
 * take their place. Nobody hangs, and no more goes with a cancelled thread than what its one
 * receive had in flight: glibc may act on a cancellation after the kernel has handed over. In every
 * other round there is nothing to receive when a thread is cancelled, and nothing may go at all.
 */
#define _GNU_SOURCE
#include "flows.h"
#include "ledger.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { RECEIVERS = 4, ROUND_CANCELS = 40 };

struct scene {
    struct ledger *ledger;
    struct hands *hands[RECEIVERS];
    struct flow flow[RECEIVERS];
    unsigned started;
    unsigned order[RECEIVERS]; /* in which each was started: for its plan */
};

static void receive_parts(struct flow *flow)
{
    struct scene *scene = flow->context;
    struct plan plan =
        plan_make(options.seed, "cancelled", scene->order[flow->number] << 8 | flow->number);

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    receive_cancellable = true;
    for (;;)
        ledger_receive(scene->ledger, &plan, scene->hands[flow->number], RECEIVE_PLAINLY);
}

static void start(struct scene *scene, const struct share *share, unsigned i)
{
    scene->order[i] = ++scene->started;
    scene->flow[i] = (struct flow){i, share, receive_parts, scene, 0};
    flow_start(&scene->flow[i], 0);
}

/* Returns how many stretches of bytes the thread may have had in its hands. */
static unsigned stop(struct scene *scene, unsigned i)
{
    void *result;

    stand("pthread_join of a cancelled thread", scene->ledger->link.fd);
    pthread_cancel(scene->flow[i].thread);
    pthread_join(scene->flow[i].thread, &result);
    if (result != PTHREAD_CANCELED)
        fault(scene->ledger->socket, 0, 0, "thread: expected PTHREAD_CANCELED, got %p", result);
    return ledger_bury(&common->place[i + 1]);
}

/* In KiB. */
static unsigned long mapped_memory(void)
{
    FILE *stream = fopen("/proc/self/status", "re");
    unsigned long size = 0;
    char line[128];

    while (stream && fgets(line, sizeof line, stream))
        if (sscanf(line, "VmSize: %lu", &size) == 1)
            break;
    if (stream)
        fclose(stream);
    return size;
}

/* Sends, and receives along with the threads: they may sleep in the kernel while the tail that a
 * cancelled one has left is held. */
static void feed(struct scene *scene, struct plan *plan, struct hands *hands, bool to_the_end)
{
    unsigned bursts = plan_below(plan, 8);

    while (bursts-- > 0) {
        for (int messages = 0; messages < 16; messages++)
            ledger_send(scene->ledger, plan, hands);
        ledger_receive(scene->ledger, plan, hands, RECEIVE_AT_ONCE | RECEIVE_PLAINLY);
        if (plan_percent(plan, 30))
            usleep(plan_below(plan, 300));
    }
    if (to_the_end)
        ledger_drain(scene->ledger, plan, hands);
}

static void run_round(struct scene *scene, const struct share *share, unsigned round)
{
    struct plan plan = plan_make(options.seed, share->name, round);
    struct hands *hands = hands_make();
    bool quiet = round / MESSAGE_KINDS % 2 == 0;
    unsigned ended = 0;

    scene->ledger = ledger_make((enum kind)(round % MESSAGE_KINDS), round + 1, &plan);
    if (plan_percent(&plan, 50)) /* nothing but the cancellation ends a wait */
        link_timeout(&scene->ledger->link, 0);
    for (unsigned i = 0; i < RECEIVERS; i++)
        start(scene, share, i);
    for (unsigned cancels = 0; cancels < ROUND_CANCELS && !share_done(share); cancels++) {
        unsigned i = plan_below(&plan, RECEIVERS);

        feed(scene, &plan, hands, quiet);
        ended += stop(scene, i);
        start(scene, share, i);
    }
    if (quiet)
        ledger_drain(scene->ledger, &plan, hands);
    for (unsigned i = 0; i < RECEIVERS; i++)
        ended += stop(scene, i);
    link_timeout(&scene->ledger->link, 20);
    ledger_exhaust(scene->ledger, &plan, hands);
    ledger_settle(scene->ledger, quiet ? 0 : ended);
    ledger_free(scene->ledger);
    hands_free(hands);
}

void scenario_cancel(const struct share *share)
{
    struct scene scene = {0};
    unsigned long before = 0, after;
    unsigned round = 0;

#ifdef __SANITIZE_ADDRESS__
    puts("torture: SKIP of cancel: with ASan a cancelled thread ends in a report on ASan's own "
         "sigaltstack, on plain Linux too");
    return;
#endif
    for (unsigned i = 0; i < RECEIVERS; i++)
        scene.hands[i] = hands_make();
    while (!share_done(share)) {
        run_round(&scene, share, round);
        if (++round == MESSAGE_KINDS)
            before = mapped_memory();
    }
    after = mapped_memory();
    /* What a cancelled thread had mapped goes with it. 8 MiB is the longest message's room. */
    if (round > 2 * MESSAGE_KINDS && after > before + (256 << 10))
        fault(0, 0, 0, "memory after %u threads: expected about %lu KiB mapped, got %lu",
              scene.started, before, after);
    for (unsigned i = 0; i < RECEIVERS; i++)
        hands_free(scene.hands[i]);
}
