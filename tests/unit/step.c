/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "step.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* A trap that is blocked ends the process, whatever its handler is (signal(7)). */
int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
    enum { KERNEL_SIGSET = 8 };
    sigset_t but_traps;

    if (set && how != SIG_UNBLOCK) {
        but_traps = *set;
        sigdelset(&but_traps, SIGTRAP);
        set = &but_traps;
    }
    /* The kernel writes only its part of the caller's set. */
    if (old)
        sigemptyset(old);
    return syscall(SYS_rt_sigprocmask, how, set, old, KERNEL_SIGSET) == 0 ? 0 : errno;
}

#ifdef __x86_64__

static struct {
    volatile unsigned long left;
    volatile bool interrupted;
    void (*then)(void *context);
    void *context;
} step;

static void trapped(int signal, siginfo_t *info, void *context)
{
    const long long trap_flag = 0x100;
    long long *flags = &((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL];
    int saved = errno;

    (void)signal;
    if (info->si_code == SI_TKILL) { /* raise(): begin or end */
        *flags = step.left > 0 ? *flags | trap_flag : *flags & ~trap_flag;
    } else if (step.left > 0 && --step.left == 0) {
        *flags &= ~trap_flag;
        step.interrupted = true;
        step.then(step.context);
    }
    errno = saved;
}

bool step_supported(void)
{
    return true;
}

bool step_interrupt(unsigned long count, void (*body)(void *context), void (*then)(void *context),
                    void *context)
{
    struct sigaction action = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO | SA_NODEFER};

    sigemptyset(&action.sa_mask);
    sigaction(SIGTRAP, &action, NULL);
    step.then = then;
    step.context = context;
    step.interrupted = false;
    step.left = count;
    raise(SIGTRAP);
    body(context);
    step.left = 0;
    raise(SIGTRAP);
    return step.interrupted;
}

#else

bool step_supported(void)
{
    return false;
}

bool step_interrupt(unsigned long count, void (*body)(void *context), void (*then)(void *context),
                    void *context)
{
    (void)count;
    (void)body;
    (void)then;
    (void)context;
    return false;
}

#endif
