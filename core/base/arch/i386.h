/* SPDX-License-Identifier: MIT */
#ifndef WSRX_BASE_ARCH_I386_H
#define WSRX_BASE_ARCH_I386_H

#define SYS_HAS_DIRECT 0

/* The sixth argument is passed in ebp, which the compiler may need for the frame. So it is loaded
 * by hand, from memory to which esi points, and ebp is restored. */
static inline long sys_call(long number, long a, long b, long c, long d, long e, long f)
{
    const long fourth_and_sixth[2] = {d, f};
    const long *pair = fourth_and_sixth;
    long result;

    __asm__ volatile("pushl %%ebp\n\t"
                     "movl 4(%%esi), %%ebp\n\t"
                     "movl (%%esi), %%esi\n\t"
                     "int $0x80\n\t"
                     "popl %%ebp"
                     : "=a"(result), "+S"(pair)
                     : "0"(number), "b"(a), "c"(b), "d"(c), "D"(e)
                     : "memory");
    return result;
}

/* Of the calling function, whose frame begins there. */
static inline __attribute__((always_inline)) const void *sys_stack_pointer(void)
{
    const void *at;

    __asm__ volatile("mov %%esp, %0" : "=r"(at));
    return at;
}

#endif
