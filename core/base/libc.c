/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base/libc.h"

#include <errno.h>

#ifdef __GLIBC__

const char *libc_error_name(int error)
{
    return strerrorname_np(error);
}

#else

/* The errors of receives and waits, by the manual pages of section 2. */
#define NAME(error) [error] = #error

const char *libc_error_name(int error)
{
    static const char names[][16] = {
        NAME(EPERM),     NAME(EINTR),        NAME(EIO),          NAME(EBADF),
        NAME(EAGAIN),    NAME(ENOMEM),       NAME(EACCES),       NAME(EFAULT),
        NAME(EINVAL),    NAME(EPIPE),        NAME(ENOSYS),       NAME(ENOTSOCK),
        NAME(EMSGSIZE),  NAME(EOPNOTSUPP),   NAME(ENETDOWN),     NAME(ENOBUFS),
        NAME(ENOTCONN),  NAME(ECONNREFUSED), NAME(ECONNRESET),   NAME(ENETUNREACH),
        NAME(ETIMEDOUT), NAME(ENODEV),       NAME(EHOSTUNREACH), NAME(EHOSTDOWN),
        NAME(EPROTO),    NAME(ENOPROTOOPT),  NAME(ECONNABORTED),
    };

    if (error < 0 || (size_t)error >= sizeof names / sizeof *names || !*names[error])
        return NULL;
    return names[error];
}

#endif
