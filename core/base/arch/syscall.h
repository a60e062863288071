/* SPDX-License-Identifier: MIT
 *
 * The system call instruction of this processor: sys_call(). Its result is the kernel's; a negative
 * errno if the call failed.
 */
#ifndef WSRX_BASE_ARCH_SYSCALL_H
#define WSRX_BASE_ARCH_SYSCALL_H

#include <sys/syscall.h>

#if defined(__x86_64__) && defined(__LP64__)
#include "base/arch/x86_64.h"
#elif defined(__i386__)
#include "base/arch/i386.h"
#elif defined(__aarch64__)
#include "base/arch/aarch64.h"
#else
#include "base/arch/any.h"
#endif

/* The system calls that libc's functions make, on processors on which we make them directly
 * (SYS_HAS_DIRECT). */
#if SYS_HAS_DIRECT
enum {
    SYS_DIRECT_RECVFROM = SYS_recvfrom,
    SYS_DIRECT_RECVMSG = SYS_recvmsg,
    SYS_DIRECT_EPOLL_WAIT = SYS_epoll_wait,
    SYS_DIRECT_EPOLL_CTL = SYS_epoll_ctl,
};
#else
enum { SYS_DIRECT_RECVFROM, SYS_DIRECT_RECVMSG, SYS_DIRECT_EPOLL_WAIT, SYS_DIRECT_EPOLL_CTL };
#endif

static inline long sys_direct_call(long number, long a, long b, long c, long d, long e, long f)
{
    return sys_call(number, a, b, c, d, e, f);
}

#endif
