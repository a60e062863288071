/* SPDX-License-Identifier: MIT
 *
 * The interposed receives: the fast path, then the core; or the program's own call.
 */
#define _GNU_SOURCE
#include "lifecycle.h"
#include "passing.h"
#include "real.h"
#include "receive/fast_path.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

INTERPOSED ssize_t recv(int fd, void *buf, size_t len, int flags)
{
    struct receive_result result =
        receive_buffer(fd, buf, len, flags, NULL, NULL, RECEIVE_SITE(RECORD_RECV));

    return LIKELY(result.outcome == RECEIVE_DONE) ? real_result(result.value)
                                                  : REAL(recv)(fd, buf, len, flags);
}

/* The fortified functions end the program if the buffer is too small: that is left to libc. */
INTERPOSED ssize_t __recv_chk(int fd, void *buf, size_t len, size_t buflen, int flags)
{
    if (len > buflen)
        return REAL(__recv_chk)(fd, buf, len, buflen, flags);
    return recv(fd, buf, len, flags);
}

INTERPOSED ssize_t recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *name,
                            socklen_t *namelen)
{
    struct receive_result result =
        receive_buffer(fd, buf, len, flags, name, namelen, RECEIVE_SITE(RECORD_RECVFROM));

    return LIKELY(result.outcome == RECEIVE_DONE)
               ? real_result(result.value)
               : REAL(recvfrom)(fd, buf, len, flags, name, namelen);
}

INTERPOSED ssize_t __recvfrom_chk(int fd, void *buf, size_t len, size_t buflen, int flags,
                                  struct sockaddr *name, socklen_t *namelen)
{
    if (len > buflen)
        return REAL(__recvfrom_chk)(fd, buf, len, buflen, flags, name, namelen);
    return recvfrom(fd, buf, len, flags, name, namelen);
}

/* Descriptors that came with a message have new numbers. */
static void note_descriptors(const struct msghdr *msg)
{
    int saved = errno;

    passing_each(msg, fd_received);
    errno = saved;
}

INTERPOSED ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
    int saved = errno;
    struct receive_result made = receive_message(fd, msg, flags, RECEIVE_SITE(RECORD_RECVMSG));
    ssize_t result = made.value;

    errno = saved;
    result = made.outcome == RECEIVE_DONE ? real_result(result) : REAL(recvmsg)(fd, msg, flags);
    if (result >= 0 && msg->msg_controllen > 0)
        note_descriptors(msg);
    return result;
}

INTERPOSED int recvmmsg(int fd, struct mmsghdr *vec, unsigned vlen, int flags,
                        struct timespec *timeout)
{
    int saved = errno;
    struct receive_result made =
        receive_messages(fd, vec, vlen, flags, timeout, RECEIVE_SITE(RECORD_RECVMMSG));
    ssize_t result = made.value;

    errno = saved;
    result = made.outcome == RECEIVE_DONE ? real_result(result)
                                          : REAL(recvmmsg)(fd, vec, vlen, flags, timeout);
    for (ssize_t i = 0; i < result; i++)
        if (vec[i].msg_hdr.msg_controllen > 0)
            note_descriptors(&vec[i].msg_hdr);
    return (int)result;
}

/* Unlike recv(2), read(2) with length 0 consumes nothing, and it refuses more than SSIZE_MAX. */
INTERPOSED ssize_t read(int fd, void *buf, size_t len)
{
    struct receive_result result = receive_pass();

    if (LIKELY((ssize_t)len > 0))
        result = receive_buffer(fd, buf, len, 0, NULL, NULL, RECEIVE_SITE(RECORD_READ));
    return LIKELY(result.outcome == RECEIVE_DONE) ? real_result(result.value)
                                                  : REAL(read)(fd, buf, len);
}

INTERPOSED ssize_t __read(int fd, void *buf, size_t len)
{
    return read(fd, buf, len);
}

INTERPOSED ssize_t __read_chk(int fd, void *buf, size_t len, size_t buflen)
{
    if (len > buflen)
        return REAL(__read_chk)(fd, buf, len, buflen);
    return read(fd, buf, len);
}

static struct receive_result read_vector(int fd, const struct iovec *iov, int iovcnt, int flags,
                                         struct receive_site site)
{
    int saved = errno;
    struct receive_result result = receive_pass();

    if (!receive_passes(fd_class_cached(fd), 0))
        result = receive_vector(fd, iov, iovcnt, flags, site);
    errno = saved;
    return result;
}

INTERPOSED ssize_t readv(int fd, const struct iovec *iov, int iovcnt)
{
    struct receive_result result = read_vector(fd, iov, iovcnt, 0, RECEIVE_SITE(RECORD_READV));

    return result.outcome == RECEIVE_DONE ? real_result(result.value)
                                          : REAL(readv)(fd, iov, iovcnt);
}

/* preadv2(2): with offset -1 it is readv(2) with flags; sockets accept only RWF_NOWAIT. */
INTERPOSED ssize_t preadv2(int fd, const struct iovec *iov, int iovcnt, off_t offset, int flags)
{
    struct receive_result result = receive_pass();

    if (offset == -1 && (flags & ~RWF_NOWAIT) == 0)
        result = read_vector(fd, iov, iovcnt, flags & RWF_NOWAIT ? MSG_DONTWAIT : 0,
                             RECEIVE_SITE(RECORD_PREADV2));
    return result.outcome == RECEIVE_DONE ? real_result(result.value)
                                          : REAL(preadv2)(fd, iov, iovcnt, offset, flags);
}

/* On a 64-bit system the same function by another name. */
INTERPOSED ssize_t preadv64v2(int fd, const struct iovec *iov, int iovcnt, off64_t offset,
                              int flags)
{
    if (offset == -1)
        return preadv2(fd, iov, iovcnt, -1, flags);
    return REAL(preadv64v2)(fd, iov, iovcnt, offset, flags);
}

/* --- syscall(2) -------------------------------------------------------------------------- */

struct arguments {
    long at[6];
};

/* The interposed call that a system call number means; false: none. */
static bool redirect(long number, const struct arguments *with, long *ret_result)
{
    const long *a = with->at;

    switch (number) {
#ifdef SYS_recvfrom
    case SYS_recvfrom:
        *ret_result = recvfrom((int)a[0], (void *)a[1], (size_t)a[2], (int)a[3],
                               (struct sockaddr *)a[4], (socklen_t *)a[5]);
        return true;
    case SYS_recvmsg:
        *ret_result = recvmsg((int)a[0], (struct msghdr *)a[1], (int)a[2]);
        return true;
    case SYS_recvmmsg:
        *ret_result = recvmmsg((int)a[0], (struct mmsghdr *)a[1], (unsigned)a[2], (int)a[3],
                               (struct timespec *)a[4]);
        return true;
    case SYS_sendmsg:
        *ret_result = sendmsg((int)a[0], (const struct msghdr *)a[1], (int)a[2]);
        return true;
    case SYS_sendmmsg:
        *ret_result = sendmmsg((int)a[0], (struct mmsghdr *)a[1], (unsigned)a[2], (int)a[3]);
        return true;
#endif
    case SYS_read:
        *ret_result = read((int)a[0], (void *)a[1], (size_t)a[2]);
        return true;
    case SYS_readv:
        *ret_result = readv((int)a[0], (const struct iovec *)a[1], (int)a[2]);
        return true;
    case SYS_preadv2:
        /* The offset is passed in two halves; on 64-bit machines the first is all of it. */
        if (a[3] != -1 || (sizeof(long) < 8 && a[4] != -1))
            return false;
        *ret_result = preadv2((int)a[0], (const struct iovec *)a[1], (int)a[2], -1, (int)a[5]);
        return true;
#ifdef SYS_poll
    case SYS_poll:
        *ret_result = poll((struct pollfd *)a[0], (nfds_t)a[1], (int)a[2]);
        return true;
#endif
#ifdef SYS_epoll_create
    case SYS_epoll_create:
        *ret_result = epoll_create((int)a[0]);
        return true;
#endif
    case SYS_epoll_create1:
        *ret_result = epoll_create1((int)a[0]);
        return true;
#ifdef SYS_epoll_wait
    case SYS_epoll_wait:
        *ret_result = epoll_wait((int)a[0], (struct epoll_event *)a[1], (int)a[2], (int)a[3]);
        return true;
#endif
    case SYS_epoll_pwait:
        *ret_result = epoll_pwait((int)a[0], (struct epoll_event *)a[1], (int)a[2], (int)a[3],
                                  (sigset_t *)a[4]);
        return true;
#ifdef SYS_epoll_pwait2
    case SYS_epoll_pwait2:
        *ret_result = epoll_pwait2((int)a[0], (struct epoll_event *)a[1], (int)a[2],
                                   (struct timespec *)a[3], (sigset_t *)a[4]);
        return true;
#endif
    case SYS_epoll_ctl:
        *ret_result = epoll_ctl((int)a[0], (int)a[1], (int)a[2], (struct epoll_event *)a[3]);
        return true;
    case SYS_close:
        *ret_result = close((int)a[0]);
        return true;
    case SYS_dup:
        *ret_result = dup((int)a[0]);
        return true;
#ifdef SYS_dup2
    case SYS_dup2:
        *ret_result = dup2((int)a[0], (int)a[1]);
        return true;
#endif
    case SYS_dup3:
        *ret_result = dup3((int)a[0], (int)a[1], (int)a[2]);
        return true;
    case SYS_prctl:
        *ret_result = prctl((int)a[0], a[1], a[2], a[3], a[4]);
        return true;
    case SYS_unshare:
        *ret_result = unshare((int)a[0]);
        return true;
    case SYS_seccomp:
        if (a[0] != SECCOMP_SET_MODE_STRICT && a[0] != SECCOMP_SET_MODE_FILTER)
            return false;
        lifecycle_confining();
        *ret_result = REAL(syscall)(number, a[0], a[1], a[2]);
        if (*ret_result != 0)
            lifecycle_not_confined();
        return true;
    case SYS_clone:
#ifdef SYS_fork
    case SYS_fork:
#endif
#ifdef SYS_clone3
    case SYS_clone3:
#endif
        lifecycle_forks();
        return false;
    default:
        return false;
    }
}

/* syscall() is not a cancellation point, and must not become one. */
INTERPOSED long syscall(long number, ...)
{
    struct arguments arguments;
    long result;
    va_list list;
    int cancel_state;

    va_start(list, number);
    for (int i = 0; i < 6; i++)
        arguments.at[i] = va_arg(list, long);
    va_end(list);

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    if (!redirect(number, &arguments, &result))
        result = REAL(syscall)(number, arguments.at[0], arguments.at[1], arguments.at[2],
                               arguments.at[3], arguments.at[4], arguments.at[5]);
    pthread_setcancelstate(cancel_state, NULL);
    return result;
}
