/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base/libc.h"

#include "base/compiler.h"

#include <errno.h>
#include <limits.h>

#ifdef __GLIBC__

/* N of glibc 2.N. */
START_CODE static unsigned release(void)
{
    const char *version = gnu_get_libc_version();
    unsigned number = 0;

    if (version[0] != '2' || version[1] != '.')
        return UINT_MAX;
    for (version += 2; *version >= '0' && *version <= '9'; version++)
        number = 10 * number + (unsigned)(*version - '0');
    return number;
}

/* From 2.41 on a receive that has got something is not cancelled any more (glibc's bug 12683). */
START_CODE bool libc_cancels_at_once(void)
{
    return release() <= 40;
}

START_CODE bool libc_calls_fstat(void)
{
    return release() >= 39;
}

const char *libc_error_name(int error)
{
    return strerrorname_np(error);
}

#else

/* The receive is looked at by its place in the code: what has got something is not cancelled. */
bool libc_cancels_at_once(void)
{
    return false;
}

bool libc_calls_fstat(void)
{
    return true;
}

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
