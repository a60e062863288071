/* SPDX-License-Identifier: MIT
 *
 * The kernel's machine for classic BPF, as far as filters of system calls may use it (seccomp(2),
 * Documentation/networking/filter.rst). It only jumps forward, so it ends.
 */
#define _GNU_SOURCE
#include "base/filter.h"

#include "base/sys.h"
#include "base/user_memory.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#if defined(__x86_64__) && defined(__LP64__)
#define FILTER_ARCH AUDIT_ARCH_X86_64
#elif defined(__i386__)
#define FILTER_ARCH AUDIT_ARCH_I386
#elif defined(__aarch64__)
#define FILTER_ARCH AUDIT_ARCH_AARCH64
#else
#define FILTER_ARCH 0 /* what a filter makes of it is not known */
#endif

struct machine {
    uint32_t a, x, memory[BPF_MEMWORDS];
};

/* false: it is not known. */
static bool load(uint32_t offset, unsigned number, uint32_t *ret_word)
{
    if (offset == offsetof(struct seccomp_data, nr))
        *ret_word = number;
    else if (offset == offsetof(struct seccomp_data, arch) && FILTER_ARCH != 0)
        *ret_word = FILTER_ARCH;
    else
        return false;
    return true;
}

static bool calculate(uint16_t code, uint32_t operand, uint32_t *a)
{
    switch (BPF_OP(code)) {
    case BPF_ADD:
        *a += operand;
        return true;
    case BPF_SUB:
        *a -= operand;
        return true;
    case BPF_MUL:
        *a *= operand;
        return true;
    case BPF_DIV:
        *a = operand ? *a / operand : 0;
        return operand != 0;
    case BPF_OR:
        *a |= operand;
        return true;
    case BPF_AND:
        *a &= operand;
        return true;
    case BPF_XOR:
        *a ^= operand;
        return true;
    case BPF_LSH:
        *a = operand < 32 ? *a << operand : 0;
        return operand < 32;
    case BPF_RSH:
        *a = operand < 32 ? *a >> operand : 0;
        return operand < 32;
    case BPF_NEG:
        *a = -*a;
        return true;
    default:
        return false;
    }
}

static bool jumps(uint16_t code, uint32_t a, uint32_t operand)
{
    switch (BPF_OP(code)) {
    case BPF_JEQ:
        return a == operand;
    case BPF_JGT:
        return a > operand;
    case BPF_JGE:
        return a >= operand;
    default:
        return (a & operand) != 0; /* BPF_JSET */
    }
}

/* One instruction that neither jumps nor returns. false: its result is not known. */
static bool step(struct machine *machine, const struct sock_filter *at, unsigned number)
{
    uint32_t *to = BPF_CLASS(at->code) == BPF_LDX ? &machine->x : &machine->a;

    switch (BPF_CLASS(at->code)) {
    case BPF_LD:
    case BPF_LDX:
        if (BPF_MODE(at->code) == BPF_ABS)
            return load(at->k, number, to);
        if (BPF_MODE(at->code) == BPF_MEM && at->k >= BPF_MEMWORDS)
            return false;
        *to = BPF_MODE(at->code) == BPF_IMM   ? at->k
              : BPF_MODE(at->code) == BPF_MEM ? machine->memory[at->k]
                                              : (uint32_t)sizeof(struct seccomp_data); /* LEN */
        return true;
    case BPF_ST:
    case BPF_STX:
        if (at->k < BPF_MEMWORDS)
            machine->memory[at->k] = BPF_CLASS(at->code) == BPF_ST ? machine->a : machine->x;
        return at->k < BPF_MEMWORDS;
    case BPF_ALU:
        return calculate(at->code, BPF_SRC(at->code) == BPF_X ? machine->x : at->k, &machine->a);
    default: /* BPF_MISC */
        if (BPF_MISCOP(at->code) == BPF_TAX)
            machine->x = machine->a;
        else
            machine->a = machine->x;
        return true;
    }
}

bool filter_allows(const struct sock_filter *code, unsigned length, unsigned number)
{
    struct machine machine = {0};

    for (uint64_t i = 0; i < length; i++) {
        const struct sock_filter *at = &code[i];

        if (BPF_CLASS(at->code) == BPF_RET)
            return (BPF_RVAL(at->code) == BPF_A ? machine.a : at->k) == SECCOMP_RET_ALLOW;
        if (BPF_CLASS(at->code) != BPF_JMP) {
            if (!step(&machine, at, number))
                return false;
        } else if (BPF_OP(at->code) == BPF_JA) {
            i += at->k;
        } else {
            uint32_t operand = BPF_SRC(at->code) == BPF_X ? machine.x : at->k;

            i += jumps(at->code, machine.a, operand) ? at->jt : at->jf;
        }
    }
    return false;
}

bool filter_allows_lines(const struct sock_fprog *program)
{
    /* standard_error.c and what sys_write() does about signals */
    const unsigned calls[] = {
        SYS_getpid, sys_fstat_number(), SYS_ppoll,         SYS_pwritev2,        SYS_write,
        SYS_sendto, SYS_rt_sigprocmask, SYS_rt_sigpending, SYS_rt_sigtimedwait,
    };
    struct sock_fprog copy;
    struct sock_filter word;

    if (user_memory_read(&copy, program, sizeof copy) != 0 || copy.len > BPF_MAXINSNS)
        return false;
    for (unsigned i = 0; i < copy.len; i++) /* whether it is there at all */
        if (user_memory_read(&word, &copy.filter[i], sizeof word) != 0)
            return false;
    for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++)
        if (!filter_allows(copy.filter, copy.len, calls[i]))
            return false;
    return true;
}
