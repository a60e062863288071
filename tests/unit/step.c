/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "step.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* With a sanitizer a function has too many instructions, and some of them are its runtime's. */
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

static struct {
    volatile unsigned long left;
    volatile bool interrupted;
    void (*then)(void *context);
    void *context;
} step;

/* A repeated store or copy traps after each byte. That is one instruction to us: its second trap
 * finds the rest done. (The first one has shown what it looks like in its midst.) */
static void finish_repetition(long long *registers)
{
    static long long before;
    const unsigned char *code = (const unsigned char *)(uintptr_t)registers[REG_RIP];
    size_t rest = (size_t)registers[REG_RCX];

    if (registers[REG_RIP] == before && rest > 0 && code[0] == 0xf3 &&
        (code[1] == 0xaa || code[1] == 0xa4)) {
        unsigned char *to = (unsigned char *)(uintptr_t)registers[REG_RDI];
        const unsigned char *from = (const unsigned char *)(uintptr_t)registers[REG_RSI];

        for (size_t i = 0; i < rest; i++)
            to[i] = code[1] == 0xaa ? (unsigned char)registers[REG_RAX] : from[i];
        registers[REG_RDI] += (long long)rest;
        registers[REG_RSI] += code[1] == 0xaa ? 0 : (long long)rest;
        registers[REG_RCX] = 0;
    }
    before = registers[REG_RIP];
}

static unsigned long left_over;

static void trapped(int signal, siginfo_t *info, void *context)
{
    const long long trap_flag = 0x100;
    long long *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    long long *flags = &registers[REG_EFL];
    int saved = errno;

    (void)signal;
    if (info->si_code == SI_TKILL) { /* begin or end */
        *flags = step.left > 0 ? *flags | trap_flag : *flags & ~trap_flag;
    } else if (step.left > 0 && --step.left == 0) {
        *flags &= ~trap_flag;
        step.interrupted = true;
        step.then(step.context);
    } else {
        finish_repetition(registers);
    }
    errno = saved;
}

bool step_supported(void)
{
    return true;
}

/* raise() of musl blocks all signals meanwhile, and a step while SIGTRAP is blocked is the end. */
static void begin_or_end(void)
{
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGTRAP);
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
    begin_or_end();
    body(context);
    left_over = step.left;
    step.left = 0;
    begin_or_end();
    return step.interrupted;
}

unsigned long step_count(void (*body)(void *context), void *context)
{
    step_interrupt(~0ul, body, NULL, context);
    return ~0ul - left_over;
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

unsigned long step_count(void (*body)(void *context), void *context)
{
    (void)body;
    (void)context;
    return 0;
}

#endif

unsigned long step_next(unsigned long count, unsigned long length)
{
    enum { EACH = 250, MANY = 4000, END = 800 };

    if (count < EACH)
        return count + 1;
    if (count == EACH)
        return count + 1 + (unsigned long)(getpid() % 3);
    if (length <= MANY)
        return count + 3;
    return count + (count < length - END ? length / 5 : END / 5) + 1;
}
