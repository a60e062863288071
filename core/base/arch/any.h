/* SPDX-License-Identifier: MIT
 *
 * A processor for which we have no assembly: libc's syscall(2), the one beneath our own.
 */
#ifndef WSRX_BASE_ARCH_ANY_H
#define WSRX_BASE_ARCH_ANY_H

#define SYS_HAS_DIRECT   0
#define SYS_CALL_BY_LIBC 1

/* Leaves errno alone. */
long sys_call(long number, long a, long b, long c, long d, long e, long f);

/* A place in the calling function's frame. */
static inline __attribute__((always_inline)) const void *sys_stack_pointer(void)
{
    return __builtin_frame_address(0);
}

#endif
