/* SPDX-License-Identifier: MIT
 *
 * Sends: with WSRX_TAIL=until-send they end the tail of the message before. Otherwise each is the
 * program's own call and nothing else. sendmsg() and sendmmsg() are in lifetime.c.
 */
#define _GNU_SOURCE
#include "real.h"
#include "receive/drop_tail.h"

INTERPOSED ssize_t send(int fd, const void *buf, size_t len, int flags)
{
    receive_before_send(fd, __builtin_return_address(0));
    return REAL(send)(fd, buf, len, flags);
}

INTERPOSED ssize_t __send(int fd, const void *buf, size_t len, int flags)
{
    receive_before_send(fd, __builtin_return_address(0));
    return REAL(__send)(fd, buf, len, flags);
}

INTERPOSED ssize_t sendto(int fd, const void *buf, size_t len, int flags,
                          const struct sockaddr *name, socklen_t namelen)
{
    receive_before_send(fd, __builtin_return_address(0));
    return REAL(sendto)(fd, buf, len, flags, name, namelen);
}

INTERPOSED ssize_t write(int fd, const void *buf, size_t len)
{
    receive_before_send(fd, __builtin_return_address(0));
    return REAL(write)(fd, buf, len);
}

INTERPOSED ssize_t __write(int fd, const void *buf, size_t len)
{
    receive_before_send(fd, __builtin_return_address(0));
    return REAL(__write)(fd, buf, len);
}

INTERPOSED ssize_t writev(int fd, const struct iovec *iov, int iovcnt)
{
    receive_before_send(fd, __builtin_return_address(0));
    return REAL(writev)(fd, iov, iovcnt);
}
