/* SPDX-License-Identifier: MIT
 *
 * Scenario signals: a timer of each thread interrupts it at any instruction, every 50 to 200 us,
 * and the handler receives: from the socket from which the thread itself receives, and from one of
 * its own. All that both have received together is all that was sent.
 */
#define _GNU_SOURCE
#include "flows.h"
#include "ledger.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { TORMENTED = 3 };

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* One thread and its handler. */
struct torment {
    struct ledger *same, *own;
    struct plan plan; /* the handler's */
    struct hands *hands;
    timer_t timer;
    volatile sig_atomic_t on;
};

static __thread struct torment *mine;

static void arm(struct torment *torment)
{
    struct itimerspec when = {.it_value.tv_nsec = 50000 + (long)plan_below(&torment->plan, 150000)};

    timer_settime(torment->timer, 0, &when, NULL);
}

static void handle(int signal)
{
    struct torment *torment = mine;
    int saved = errno;

    (void)signal;
    if (torment && torment->on) {
        const char *doing = atomic_load(&place->doing);
        unsigned receives = 1 + plan_below(&torment->plan, 4);

        while (receives-- > 0)
            ledger_receive(plan_percent(&torment->plan, 60) ? torment->same : torment->own,
                           &torment->plan, torment->hands, RECEIVE_AT_ONCE | RECEIVE_PLAINLY);
        atomic_store(&place->doing, doing);
        arm(torment);
    }
    errno = saved;
}

static void start_timer(struct torment *torment)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 1};

    event.sigev_notify_thread_id = gettid();
    if (timer_create(CLOCK_MONOTONIC, &event, &torment->timer) != 0)
        cannot("no timer: %s", strerror(errno));
    mine = torment;
    torment->on = 1;
    arm(torment);
}

static void stop_timer(struct torment *torment)
{
    torment->on = 0;
    timer_delete(torment->timer);
    mine = NULL;
}

/* An epoll set with both sockets in it, so that tails come and go there too; or -1. */
static int register_both(const struct torment *torment, struct plan *plan)
{
    struct epoll_event event = {EPOLLIN, {.u32 = 0}};
    int epoll = options.with_epoll && plan_percent(plan, 70) ? epoll_create1(EPOLL_CLOEXEC) : -1;

    if (epoll >= 0) {
        epoll_ctl(epoll, EPOLL_CTL_ADD, torment->same->link.fd, &event);
        epoll_ctl(epoll, EPOLL_CTL_ADD, torment->own->link.fd, &event);
    }
    return epoll;
}

static void suffer(struct flow *flow)
{
    unsigned round = *(unsigned *)flow->context;
    unsigned number = round << 8 | flow->number;
    struct plan plan = plan_make(options.seed, flow->share->name, number);
    struct torment torment = {.plan = plan_make(options.seed, "handler", number)};
    struct hands *hands = hands_make();
    int epoll;

    torment.hands = hands_make();
    torment.same = ledger_make((enum kind)plan_below(&plan, MESSAGE_KINDS), 2 * number, &plan);
    torment.own = ledger_make((enum kind)plan_below(&plan, MESSAGE_KINDS), 2 * number + 1, &plan);
    epoll = register_both(&torment, &plan);
    start_timer(&torment);
    while (!share_done(flow->share)) {
        for (int i = 0; i < 4; i++) {
            ledger_send(torment.same, &plan, hands);
            ledger_send(torment.own, &plan, hands);
            for (int parts = 0; parts < 6; parts++)
                ledger_receive(torment.same, &plan, hands,
                               plan_percent(&plan, 70) ? RECEIVE_AT_ONCE : 0);
            ledger_receive(torment.own, &plan, hands, RECEIVE_AT_ONCE);
            if (epoll >= 0) {
                struct epoll_event event[2];

                stand("epoll_wait", epoll);
                epoll_wait(epoll, event, 2, 1);
            }
        }
    }
    stop_timer(&torment);
    ledger_drain(torment.same, &plan, hands);
    ledger_drain(torment.own, &plan, hands);
    ledger_settle(torment.same, 0);
    ledger_settle(torment.own, 0);
    if (epoll >= 0)
        close(epoll);
    ledger_free(torment.same);
    ledger_free(torment.own);
    hands_free(torment.hands);
    hands_free(hands);
}

void scenario_signals(const struct share *share)
{
    unsigned long each = (share->until - total_of_parts()) / 8 + 1;
    unsigned round = 0;

    while (!share_done(share)) {
        /* A call that may be restarted is, or it is not. */
        struct sigaction action = {.sa_handler = handle, .sa_flags = round % 2 ? SA_RESTART : 0};
        struct share part = *share;

        sigaction(SIGRTMIN + 1, &action, NULL);
        part.until = total_of_parts() + each;
        flows_run(&part, round % 3 ? TORMENTED : 1, 0, suffer, &round);
        round++;
    }
    signal(SIGRTMIN + 1, SIG_IGN);
}
