/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base/arch/syscall.h"

#ifdef SYS_CALL_BY_LIBC

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>

typedef long libc_syscall(long number, ...);

/* The name is our own library's, too, so it is looked for behind us. The first call is made at
 * start-up, where a look is allowed. */
static libc_syscall *beneath(void)
{
    static libc_syscall *found;
    libc_syscall *call = __atomic_load_n(&found, __ATOMIC_RELAXED);

    if (!call) {
        *(void **)&call = dlsym(RTLD_NEXT, "syscall");
        __atomic_store_n(&found, call, __ATOMIC_RELAXED);
    }
    return call;
}

long sys_call(long number, long a, long b, long c, long d, long e, long f)
{
    int saved = errno;
    long result = beneath()(number, a, b, c, d, e, f);

    if (result == -1)
        result = -errno;
    errno = saved;
    return result;
}

#endif
