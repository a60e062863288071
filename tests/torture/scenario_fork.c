/* SPDX-License-Identifier: MIT
 *
 * Scenarios of processes that share a socket and its tail: fork, whose children are killed, and
 * prefork, a server of 8 processes.
 */
#define _GNU_SOURCE
#include "ledger.h"
#include "torture.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN_MAX = 8 };

/* In shared memory. */
struct scene {
    struct ledger *ledger;
    atomic_bool ending; /* children end when nothing is left */
    unsigned started;
    pid_t pid[CHILDREN_MAX];
};

static struct scene *scene_make(void)
{
    struct scene *scene =
        mmap(NULL, sizeof *scene, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (scene == MAP_FAILED)
        cannot("no memory");
    return scene;
}

__attribute__((noreturn)) static void be_child(struct scene *scene, unsigned i, pid_t parent)
{
    struct plan plan = plan_make(options.seed, "child", scene->started << 8 | i);
    struct hands *hands;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
    place = &common->place[i + 1];
    atomic_store(&place->pid, (int)getpid());
    hands = hands_make();
    for (;;) {
        if (ledger_receive(scene->ledger, &plan, hands, 0) > 0)
            continue;
        if (atomic_load(&scene->ending))
            _exit(0);
        sched_yield();
    }
}

static void start(struct scene *scene, struct plan *plan, unsigned i)
{
    pid_t parent = getpid(), child;

    stand("fork", scene->ledger->link.fd);
    scene->started++;
    /* _Fork(3) runs no atfork handlers. */
    child = plan_percent(plan, 20) ? _Fork() : fork();
    if (child < 0)
        cannot("no child: %s", strerror(errno));
    if (child == 0)
        be_child(scene, i, parent);
    scene->pid[i] = child;
}

static void wait_for_child(struct scene *scene, unsigned i, int *ret_status)
{
    stand("waitpid", scene->ledger->link.fd);
    while (waitpid(scene->pid[i], ret_status, 0) < 0 && errno == EINTR)
        continue;
}

/* Returns how many stretches of bytes it may have had in its hands. */
static unsigned kill_child(struct scene *scene, unsigned i)
{
    int status;

    kill(scene->pid[i], SIGKILL);
    wait_for_child(scene, i, &status);
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        fault(scene->ledger->socket, 0, 0, "child: expected to live, got exit status %d",
              WEXITSTATUS(status));
    if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
        fault(scene->ledger->socket, 0, 0, "child: expected to live, got signal %d",
              WTERMSIG(status));
    return ledger_bury(&common->place[i + 1]);
}

static void end_children(struct scene *scene, unsigned children)
{
    int status;

    atomic_store(&scene->ending, true);
    for (unsigned i = 0; i < children; i++) {
        wait_for_child(scene, i, &status);
        if (status != 0)
            fault(scene->ledger->socket, 0, 0, "child: expected exit status 0, got 0x%x", status);
    }
}

/* --- fork ------------------------------------------------------------------------------------ */

static void run_killing_round(struct scene *scene, const struct share *share, unsigned round)
{
    struct plan plan = plan_make(options.seed, share->name, round);
    unsigned children = 1 + plan_below(&plan, 4), killed = 0, kills = 80;
    struct hands *hands = hands_make();

    scene->ledger = ledger_make((enum kind)(round % MESSAGE_KINDS), round + 1, &plan);
    atomic_store(&scene->ending, false);
    /* A message and its tail are there before the children are. */
    ledger_send(scene->ledger, &plan, hands);
    ledger_receive(scene->ledger, &plan, hands, RECEIVE_AT_ONCE);
    for (unsigned i = 0; i < children; i++)
        start(scene, &plan, i);
    while (kills-- > 0 && !share_done(share)) {
        unsigned i = plan_below(&plan, children), steps = plan_below(&plan, 30);

        while (steps-- > 0) {
            ledger_send(scene->ledger, &plan, hands);
            ledger_send(scene->ledger, &plan, hands);
            if (plan_percent(&plan, 30))
                ledger_receive(scene->ledger, &plan, hands, RECEIVE_AT_ONCE);
            if (plan_percent(&plan, 20))
                sched_yield();
        }
        killed += kill_child(scene, i);
        start(scene, &plan, i);
    }
    end_children(scene, children);
    ledger_exhaust(scene->ledger, &plan, hands);
    ledger_settle(scene->ledger, killed);
    ledger_free(scene->ledger);
    hands_free(hands);
}

void scenario_fork(const struct share *share)
{
    struct scene *scene = scene_make();

    for (unsigned round = 0; !share_done(share); round++)
        run_killing_round(scene, share, round);
    munmap(scene, sizeof *scene);
}

/* --- prefork ---------------------------------------------------------------------------------- */

void scenario_prefork(const struct share *share)
{
    struct scene *scene = scene_make();
    struct hands *hands = hands_make();
    unsigned long each = (share->until - total_of_parts()) / (2 * MESSAGE_KINDS) + 1;

    for (unsigned round = 0; !share_done(share); round++) {
        struct plan plan = plan_make(options.seed, share->name, round);
        struct share part = *share;

        part.until = total_of_parts() + each;
        scene->ledger = ledger_make((enum kind)(round % MESSAGE_KINDS), round + 1, &plan);
        atomic_store(&scene->ending, false);
        for (unsigned i = 0; i < CHILDREN_MAX; i++)
            start(scene, &plan, i);
        while (!share_done(&part))
            if (!ledger_send(scene->ledger, &plan, hands))
                usleep(20);
        end_children(scene, CHILDREN_MAX);
        ledger_drain(scene->ledger, &plan, hands);
        ledger_settle(scene->ledger, 0);
        ledger_free(scene->ledger);
    }
    hands_free(hands);
    munmap(scene, sizeof *scene);
}
