/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "program/forward.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static struct sigaction before[_NSIG];
static sigset_t mask_before;
static volatile pid_t target;
static volatile sig_atomic_t noted[_NSIG], interrupted;

static bool is_stop(int number)
{
    return number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;
}

/* A fault of our own, or a limit that we have reached: it is not the program's. */
static void end_by(int number)
{
    sigset_t one;

    signal(number, SIG_DFL);
    sigemptyset(&one);
    sigaddset(&one, number);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    raise(number);
}

static void send_on(int number, const siginfo_t *info)
{
    if (target == 0)
        noted[number] = 1;
    else if (info->si_code == SI_QUEUE)
        sigqueue(target, number, info->si_value);
    else
        kill(target, number);
}

static void handle(int number, siginfo_t *info, void *context)
{
    bool sent = info->si_code <= 0; /* by a process: sigaction(2) */

    (void)context;
    /* A write to a closed pipe counts as sent by ourselves. */
    if (sent && info->si_pid == getpid() && number == SIGPIPE)
        return;
    if (sent && info->si_pid == getpid() && number == SIGABRT)
        end_by(number);
    if (sent)
        send_on(number, info);
    if (is_stop(number)) {
        raise(SIGSTOP);
        return;
    }
    if (sent)
        return;
    switch (number) {
    case SIGINT:
    case SIGQUIT:
    case SIGHUP:
        interrupted = interrupted || target == 0;
        return;
    case SIGCONT:
    case SIGWINCH:
    case SIGURG:
    case SIGPIPE:
        return;
    default:
        end_by(number);
    }
}

void forward_prepare(void)
{
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigset_t all;

    sigfillset(&all);
    sigfillset(&action.sa_mask);
    sigprocmask(SIG_BLOCK, &all, &mask_before);
    for (int number = 1; number < _NSIG; number++)
        if (number != SIGCHLD && sigaction(number, NULL, &before[number]) == 0)
            sigaction(number, &action, NULL);
}

void forward_undo(void)
{
    for (int number = 1; number < _NSIG; number++)
        if (number != SIGCHLD)
            sigaction(number, &before[number], NULL);
    sigprocmask(SIG_SETMASK, &mask_before, NULL);
}

void forward_to(pid_t pid)
{
    sigset_t none;

    target = pid;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

int forward_noted(void)
{
    for (int number = 1; number < _NSIG; number++)
        if (noted[number]) {
            noted[number] = 0;
            return number;
        }
    return 0;
}

bool forward_interrupted(void)
{
    return interrupted;
}
