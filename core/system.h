/* SPDX-License-Identifier: MIT
 *
 * The system's calls beneath the library, as the face above it resolved them.
 *
 * The core calls what the library itself interposes only through this table; it never looks a
 * symbol up. Each behaves as in libc: -1 and errno, and a cancellation point where libc's is.
 */
#ifndef WSRX_SYSTEM_H
#define WSRX_SYSTEM_H

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#else
static const char __libc_single_threaded = 0;
#endif

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
    bool direct; /* recvfrom and epoll_wait are libc's own: see system_direct() */
};

/* Whether this process has a single thread, for sure. */
static inline bool system_is_single_threaded(void)
{
    return __libc_single_threaded;
}

/* A system call as libc's function makes it where there is a single thread, and thus nobody to
 * cancel it: the instruction alone, without the call of that function and the return from it, which
 * a processor may not predict on its way back from the kernel. A result, or a negative errno. */
#if defined(__x86_64__) && defined(__LP64__)
enum {
    SYSTEM_HAS_DIRECT = 1,
    SYSTEM_RECVFROM = SYS_recvfrom,
    SYSTEM_EPOLL_WAIT = SYS_epoll_wait,
};

static inline long system_direct(long number, long a, long b, long c, long d, long e, long f)
{
    register long fourth __asm__("r10") = d;
    register long fifth __asm__("r8") = e;
    register long sixth __asm__("r9") = f;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "rcx", "r11", "memory");
    return result;
}
#else
enum { SYSTEM_HAS_DIRECT = 0, SYSTEM_RECVFROM, SYSTEM_EPOLL_WAIT };

/* Never called. */
static inline long system_direct(long number, long a, long b, long c, long d, long e, long f)
{
    (void)number, (void)a, (void)b, (void)c, (void)d, (void)e, (void)f;
    return -ENOSYS;
}
#endif

#endif
