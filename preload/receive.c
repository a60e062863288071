/* SPDX-License-Identifier: MIT
 *
 * The interposed receives: the fast path, then the core; or the program's own call.
 */
#define _GNU_SOURCE
#include "lifecycle.h"
#include "passing.h"
#include "real.h"
#include "receive/fast_path.h"
#include "receive/traced.h"

#include <errno.h>
#include <unistd.h>

#ifdef __x86_64__
/* recv() comes to lie at 0xc00 of a page, and a change elsewhere does not move it. At a page's start a loop
 * of epoll_wait() and recv() cost 25 ns more on the machine of docs/measured.md, at 0x400 a receive in a
 * process of two threads 10 ns; why, is not known. */
__asm__(".text\n\t.balign 4096\n\t.skip 0x7c0");
#endif

IN_ONE_PAGE INTERPOSED ssize_t recv(int fd, void *buf, size_t len, int flags)
{
    struct receive_result result = receive_buffer(fd, buf, len, flags, NULL, NULL, RECORD_RECV);

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
        receive_buffer(fd, buf, len, flags, name, namelen, RECORD_RECVFROM);

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

    passing_each(msg, passing_note_received);
    errno = saved;
}

/* What there is to know of a message after its receive; `passed`: it was the program's own call. */
static ssize_t after_message(bool passed, int fd, struct msghdr *msg, int flags, ssize_t result,
                             struct receive_site site)
{
    if (result >= 0 && passed && receive_records_passed())
        receive_record_passed(fd, msg, flags, (size_t)result, site);
    if (result >= 0 && msg->msg_controllen > 0)
        note_descriptors(msg);
    return result;
}

static int after_messages(bool passed, int fd, struct mmsghdr *vec, int flags, ssize_t count,
                          struct receive_site site)
{
    for (ssize_t i = 0; i < count; i++)
        after_message(passed, fd, &vec[i].msg_hdr, flags, (ssize_t)vec[i].msg_len, site);
    return (int)count;
}

/* Most often a reporting call is the program's own, and there is nothing to say of it afterwards. */
static inline ssize_t own_message(ssize_t (*own)(int fd, struct msghdr *msg, int flags), int fd,
                                  struct msghdr *msg, int flags)
{
    ssize_t result = own(fd, msg, flags);

    if (LIKELY(result >= 0) && !LIKELY(msg->msg_controllen == 0))
        note_descriptors(msg);
    return result;
}

static __attribute__((noinline)) ssize_t
core_message(ssize_t (*own)(int fd, struct msghdr *msg, int flags), int fd, struct msghdr *msg,
             int flags, const void *caller)
{
    struct receive_site site = {RECORD_RECVMSG, caller};
    struct receive_result made = receive_message_now(fd, msg, flags, site);
    ssize_t result;

    if (!LIKELY(made.outcome == RECEIVE_DONE)) {
        int saved = errno;

        if (made.outcome == RECEIVE_AGAIN)
            made = receive_message(fd, msg, flags, site);
        errno = saved;
    }
    result = made.outcome == RECEIVE_DONE ? real_result(made.value) : own(fd, msg, flags);
    return after_message(made.outcome == RECEIVE_PASS, fd, msg, flags, result, site);
}

INTERPOSED ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
    if (LIKELY(receive_leaves_reporting()) && LIKELY(REAL_IF_FOUND(recvmsg) != NULL))
        return own_message(REAL_IF_FOUND(recvmsg), fd, msg, flags);
    return core_message(REAL(recvmsg), fd, msg, flags, __builtin_return_address(0));
}

INTERPOSED int recvmmsg(int fd, struct mmsghdr *vec, unsigned vlen, mmsghdr_flags flags,
                        struct timespec *timeout)
{
    int saved = errno;
    struct receive_site site = RECEIVE_SITE(RECORD_RECVMMSG);
    struct receive_timeout limit = {.at = timeout};
    struct receive_result made = receive_messages(fd, vec, vlen, (int)flags, limit, site);
    ssize_t result = made.value;

    errno = saved;
    result = made.outcome == RECEIVE_DONE ? real_result(result)
                                          : REAL(recvmmsg)(fd, vec, vlen, flags, timeout);
    return after_messages(made.outcome == RECEIVE_PASS, fd, vec, (int)flags, result, site);
}

/* Unlike recv(2), read(2) with length 0 consumes nothing, and it refuses more than SSIZE_MAX. */
INTERPOSED ssize_t read(int fd, void *buf, size_t len)
{
    struct receive_result result = receive_pass();

    if (LIKELY((ssize_t)len > 0))
        result = receive_buffer(fd, buf, len, 0, NULL, NULL, RECORD_READ);
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

INTERPOSED int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    int result = REAL(setsockopt)(fd, level, name, value, length);

    if (name == SO_PEEK_OFF && level == SOL_SOCKET && result == 0)
        receive_note_peek_offset();
    return result;
}

/* --- with times of 64 bits (time64.h) ---------------------------------------------------- */

#if WSRX_HAVE_TIME64

INTERPOSED ssize_t __recvmsg64(int fd, struct msghdr *msg, int flags)
{
    if (LIKELY(receive_leaves_reporting()) && LIKELY(REAL_IF_FOUND(__recvmsg64) != NULL))
        return own_message(REAL_IF_FOUND(__recvmsg64), fd, msg, flags);
    return core_message(REAL(__recvmsg64), fd, msg, flags, __builtin_return_address(0));
}

INTERPOSED int __recvmmsg64(int fd, struct mmsghdr *vec, unsigned vlen, int flags,
                            struct timespec64 *timeout)
{
    int saved = errno;
    struct receive_site site = RECEIVE_SITE(RECORD_RECVMMSG);
    struct receive_timeout limit = {.at64 = timeout};
    struct receive_result made = receive_messages(fd, vec, vlen, flags, limit, site);
    ssize_t result = made.value;

    errno = saved;
    result = made.outcome == RECEIVE_DONE ? real_result(result)
                                          : REAL(__recvmmsg64)(fd, vec, vlen, flags, timeout);
    return after_messages(made.outcome == RECEIVE_PASS, fd, vec, flags, result, site);
}

INTERPOSED int __setsockopt64(int fd, int level, int name, const void *value, socklen_t length)
{
    int result = REAL(__setsockopt64)(fd, level, name, value, length);

    if (name == SO_PEEK_OFF && level == SOL_SOCKET && result == 0)
        receive_note_peek_offset();
    return result;
}

#endif
