/* SPDX-License-Identifier: MIT */
#ifndef WSRX_BASE_ARCH_X86_64_H
#define WSRX_BASE_ARCH_X86_64_H

#define SYS_HAS_DIRECT 1

static inline long sys_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long fourth __asm__("r10") = d;
    register long fifth __asm__("r8") = e;
    register long sixth __asm__("r9") = f;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "rcx", "r11", "memory");
    return result;
}

/* Of the calling function, whose frame begins there. */
static inline __attribute__((always_inline)) const void *sys_stack_pointer(void)
{
    const void *at;

    __asm__ volatile("mov %%rsp, %0" : "=r"(at));
    return at;
}

#endif
