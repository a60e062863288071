/* SPDX-License-Identifier: MIT */
#include "winsock_error.h"

#include <errno.h>
#include <stddef.h>

int winsock_error_of(int error)
{
    static const struct {
        int from, to;
    } codes[] = {
        {EINTR, WINSOCK_EINTR},
        {EBADF, WINSOCK_ENOTSOCK}, /* Winsock says only "the descriptor is not a socket" */
        {ENOTSOCK, WINSOCK_ENOTSOCK},
        {EAGAIN, WINSOCK_EWOULDBLOCK},
        {EINPROGRESS, WINSOCK_EINPROGRESS},
        {ENOMEM, WINSOCK_ENOBUFS},
        {ENOBUFS, WINSOCK_ENOBUFS},
        {EACCES, WINSOCK_EACCES},
        {EPERM, WINSOCK_EACCES},
        {EFAULT, WINSOCK_EFAULT},
        {EINVAL, WINSOCK_EINVAL},
        {EMFILE, WINSOCK_EMFILE},
        {EMSGSIZE, WINSOCK_EMSGSIZE},
        {ENOPROTOOPT, WINSOCK_ENOPROTOOPT},
        {EOPNOTSUPP, WINSOCK_EOPNOTSUPP},
        {ENETDOWN, WINSOCK_ENETDOWN},
        {ENETUNREACH, WINSOCK_ENETUNREACH},
        {ENETRESET, WINSOCK_ENETRESET},
        {ECONNABORTED, WINSOCK_ECONNABORTED},
        {ECONNRESET, WINSOCK_ECONNRESET},
        {EPIPE, WINSOCK_ECONNRESET},
        {ENOTCONN, WINSOCK_ENOTCONN},
        {ESHUTDOWN, WINSOCK_ESHUTDOWN},
        {ETIMEDOUT, WINSOCK_ETIMEDOUT},
        {ECONNREFUSED, WINSOCK_ECONNREFUSED},
        {EHOSTDOWN, WINSOCK_EHOSTDOWN},
        {EHOSTUNREACH, WINSOCK_EHOSTUNREACH},
    };

    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].from == error)
            return codes[i].to;
    return WINSOCK_EINVAL;
}
