/* SPDX-License-Identifier: MIT */
/* A system call that no preloaded library can see: libc is not involved. */
#ifndef WSRX_TESTS_RAW_SYSCALL_H
#define WSRX_TESTS_RAW_SYSCALL_H

/* Returns what the kernel returns: a negative errno on failure. */
long raw_syscall(long number, long a, long b, long c, long d, long e, long f);

#endif
