/* SPDX-License-Identifier: MIT */
#include "musl.h"

#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/syscall.h>

/* --- not in musl: by number -------------------------------------------------------------- */

ssize_t preadv2(int fd, const struct iovec *iov, int iovcnt, off_t offset, int flags)
{
    return syscall(SYS_preadv2, fd, iov, iovcnt, offset, 0L, flags);
}

ssize_t preadv64v2(int fd, const struct iovec *iov, int iovcnt, off_t offset, int flags)
{
    return preadv2(fd, iov, iovcnt, offset, flags);
}

int epoll_pwait2(int epfd, struct epoll_event *events, int max, const struct timespec *timeout,
                 const sigset_t *mask)
{
    return (int)syscall(SYS_epoll_pwait2, epfd, events, max, timeout, mask, 8L);
}

ssize_t process_madvise(int process, const struct iovec *ranges, size_t count, int advice,
                        unsigned flags)
{
    return syscall(SYS_process_madvise, process, ranges, count, advice, flags);
}

int close_range(unsigned first, unsigned last, int flags)
{
    return (int)syscall(SYS_close_range, first, last, flags);
}

void closefrom(int first)
{
    close_range(first < 0 ? 0 : (unsigned)first, ~0u, 0);
}

/* Its children keep the descriptors. */
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int first)
{
    (void)actions;
    (void)first;
    return 0;
}

/* --- glibc's second names: the first ones ------------------------------------------------ */

ssize_t __recv_chk(int fd, void *buf, size_t len, size_t buflen, int flags)
{
    (void)buflen;
    return recv(fd, buf, len, flags);
}

ssize_t __recvfrom_chk(int fd, void *buf, size_t len, size_t buflen, int flags,
                       struct sockaddr *name, socklen_t *namelen)
{
    (void)buflen;
    return recvfrom(fd, buf, len, flags, name, namelen);
}

ssize_t __read(int fd, void *buf, size_t len)
{
    return read(fd, buf, len);
}

ssize_t __read_chk(int fd, void *buf, size_t len, size_t buflen)
{
    (void)buflen;
    return read(fd, buf, len);
}

int __poll(struct pollfd *fds, nfds_t count, int timeout)
{
    return poll(fds, count, timeout);
}

int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t size)
{
    (void)size;
    return poll(fds, count, timeout);
}

int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                const sigset_t *mask, size_t size)
{
    (void)size;
    return ppoll(fds, count, timeout, mask);
}

int __select(int count, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
    return select(count, in, out, except, timeout);
}

int __close(int fd)
{
    return close(fd);
}

int __dup2(int fd, int to)
{
    return dup2(fd, to);
}

int __fcntl(int fd, int command, ...)
{
    va_list list;
    void *argument;

    va_start(list, command);
    argument = va_arg(list, void *);
    va_end(list);
    return fcntl(fd, command, argument);
}
