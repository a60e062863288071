/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "flows.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static void *start(void *context)
{
    struct flow *flow = context;

    place = &common->place[flow->number + 1];
    atomic_store(&place->pid, (int)gettid());
    stand("start", -1);
    flow->run(flow);
    stand(NULL, -1);
    return NULL;
}

void flow_start(struct flow *flow, size_t stack)
{
    pthread_attr_t attributes;
    sigset_t alarm_alone, before;
    int error;

    sigemptyset(&alarm_alone);
    sigaddset(&alarm_alone, SIGALRM);
    pthread_attr_init(&attributes);
    if (stack && (error = pthread_attr_setstacksize(&attributes, stack)) != 0)
        cannot("no threads with %zu bytes of stack: %s", stack, strerror(error));
    pthread_sigmask(SIG_BLOCK, &alarm_alone, &before);
    error = pthread_create(&flow->thread, &attributes, start, flow);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (error)
        cannot("no thread with %zu bytes of stack: %s", stack, strerror(error));
}

void flows_run(const struct share *share, unsigned flows, size_t stack,
               void (*run)(struct flow *flow), void *context)
{
    struct flow flow[PLACES];

    for (unsigned i = 0; i < flows; i++) {
        flow[i] = (struct flow){i, share, run, context, 0};
        flow_start(&flow[i], stack);
    }
    stand("pthread_join", -1);
    for (unsigned i = 0; i < flows; i++)
        pthread_join(flow[i].thread, NULL);
}
