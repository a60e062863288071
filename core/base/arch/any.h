/* SPDX-License-Identifier: MIT
 *
 * A processor without assembly of ours: libc's syscall(2), beneath our own of that name.
 */
#ifndef WSRX_BASE_ARCH_ANY_H
#define WSRX_BASE_ARCH_ANY_H

#define SYS_HAS_DIRECT 0

/* Errno is as it was. */
long sys_call(long number, long a, long b, long c, long d, long e, long f);

#endif
