/* SPDX-License-Identifier: MIT
 *
 * The system's calls beneath the library, as the face above it resolved them.
 *
 * The core calls what the library itself interposes only through this table; it never looks a
 * symbol up. Each behaves as in libc: -1 and errno, and a cancellation point where libc's is.
 */
#ifndef WSRX_SYSTEM_H
#define WSRX_SYSTEM_H

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>

struct system_calls {
    ssize_t (*recvfrom)(int fd, void *buf, size_t len, int flags, struct sockaddr *name,
                        socklen_t *namelen);
    ssize_t (*recvmsg)(int fd, struct msghdr *msg, int flags);
    int (*ppoll)(struct pollfd *fds, nfds_t nfds, const struct timespec *timeout,
                 const sigset_t *mask);
    int (*pselect)(int nfds, fd_set *reading, fd_set *writing, fd_set *except,
                   const struct timespec *timeout, const sigset_t *mask);
    int (*epoll_ctl)(int epfd, int operation, int fd, struct epoll_event *event);
    int (*fcntl)(int fd, int command, ...);
    int (*close)(int fd);
};

#endif
