/* SPDX-License-Identifier: MIT
 *
 * Sends: with WSRX_TAIL=until-send they end the tail of the message before. Otherwise each is the
 * program's own call and nothing else. sendmsg() and sendmmsg() are in lifetime.c.
 */
#define _GNU_SOURCE
#include "real.h"
#include "receive/drop_tail.h"

/* Most often there is no tail to end: one read, and a jump. */
#define IS_FREE(name) (LIKELY(receive_leaves_sends()) && LIKELY(REAL_IF_FOUND(name) != NULL))

static SLOW_PATH ssize_t end_tail_and_send(const void *caller, int fd, const void *buf, size_t len,
                                           int flags)
{
    receive_before_send(fd, caller);
    return REAL(send)(fd, buf, len, flags);
}

INTERPOSED ssize_t send(int fd, const void *buf, size_t len, int flags)
{
    return IS_FREE(send) ? REAL_IF_FOUND(send)(fd, buf, len, flags)
                         : end_tail_and_send(__builtin_return_address(0), fd, buf, len, flags);
}

static SLOW_PATH ssize_t end_tail_and___send(const void *caller, int fd, const void *buf,
                                             size_t len, int flags)
{
    receive_before_send(fd, caller);
    return REAL(__send)(fd, buf, len, flags);
}

INTERPOSED ssize_t __send(int fd, const void *buf, size_t len, int flags)
{
    return IS_FREE(__send) ? REAL_IF_FOUND(__send)(fd, buf, len, flags)
                           : end_tail_and___send(__builtin_return_address(0), fd, buf, len, flags);
}

static SLOW_PATH ssize_t end_tail_and_sendto(const void *caller, int fd, const void *buf,
                                             size_t len, int flags, const struct sockaddr *name,
                                             socklen_t namelen)
{
    receive_before_send(fd, caller);
    return REAL(sendto)(fd, buf, len, flags, name, namelen);
}

INTERPOSED ssize_t sendto(int fd, const void *buf, size_t len, int flags,
                          const struct sockaddr *name, socklen_t namelen)
{
    return IS_FREE(sendto) ? REAL_IF_FOUND(sendto)(fd, buf, len, flags, name, namelen)
                           : end_tail_and_sendto(__builtin_return_address(0), fd, buf, len, flags,
                                                 name, namelen);
}

static SLOW_PATH ssize_t end_tail_and_write(const void *caller, int fd, const void *buf, size_t len)
{
    receive_before_send(fd, caller);
    return REAL(write)(fd, buf, len);
}

INTERPOSED ssize_t write(int fd, const void *buf, size_t len)
{
    return IS_FREE(write) ? REAL_IF_FOUND(write)(fd, buf, len)
                          : end_tail_and_write(__builtin_return_address(0), fd, buf, len);
}

static SLOW_PATH ssize_t end_tail_and___write(const void *caller, int fd, const void *buf,
                                              size_t len)
{
    receive_before_send(fd, caller);
    return REAL(__write)(fd, buf, len);
}

INTERPOSED ssize_t __write(int fd, const void *buf, size_t len)
{
    return IS_FREE(__write) ? REAL_IF_FOUND(__write)(fd, buf, len)
                            : end_tail_and___write(__builtin_return_address(0), fd, buf, len);
}

static SLOW_PATH ssize_t end_tail_and_writev(const void *caller, int fd, const struct iovec *iov,
                                             int iovcnt)
{
    receive_before_send(fd, caller);
    return REAL(writev)(fd, iov, iovcnt);
}

INTERPOSED ssize_t writev(int fd, const struct iovec *iov, int iovcnt)
{
    return IS_FREE(writev) ? REAL_IF_FOUND(writev)(fd, iov, iovcnt)
                           : end_tail_and_writev(__builtin_return_address(0), fd, iov, iovcnt);
}
