/* SPDX-License-Identifier: MIT
 *
 * The interposed waits: a held tail ends them at once; with nothing held they are libc's.
 */
#define _GNU_SOURCE
#include "readiness.h"
#include "real.h"
#include "user_memory.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/ioctl.h>

/* Whether `result` of the readiness functions ends the wait; errno is set or restored then. */
static bool ends(int result, int saved)
{
    errno = result < 0 ? -result : saved;
    return result != 0;
}

#define RETURN_IF_READY(call)                     \
    do {                                          \
        if (readiness_concerns()) {               \
            int saved_ = errno;                   \
            int result_ = (call);                 \
                                                  \
            if (ends(result_, saved_))            \
                return result_ < 0 ? -1 : result_; \
        }                                         \
    } while (0)

INTERPOSED int poll(struct pollfd *fds, nfds_t nfds, int timeout)
{
    RETURN_IF_READY(readiness_poll(fds, nfds, NULL));
    return REAL(poll)(fds, nfds, timeout);
}

INTERPOSED int __poll(struct pollfd *fds, nfds_t nfds, int timeout)
{
    return poll(fds, nfds, timeout);
}

INTERPOSED int __poll_chk(struct pollfd *fds, nfds_t nfds, int timeout, size_t fdslen)
{
    if (fdslen / sizeof *fds < nfds)
        return REAL(__poll_chk)(fds, nfds, timeout, fdslen);
    return poll(fds, nfds, timeout);
}

INTERPOSED int ppoll(struct pollfd *fds, nfds_t nfds, const struct timespec *timeout,
                     const sigset_t *mask)
{
    RETURN_IF_READY(readiness_poll(fds, nfds, mask));
    return REAL(ppoll)(fds, nfds, timeout, mask);
}

INTERPOSED int __ppoll_chk(struct pollfd *fds, nfds_t nfds, const struct timespec *timeout,
                           const sigset_t *mask, size_t fdslen)
{
    if (fdslen / sizeof *fds < nfds)
        return REAL(__ppoll_chk)(fds, nfds, timeout, mask, fdslen);
    return ppoll(fds, nfds, timeout, mask);
}

INTERPOSED int select(int nfds, fd_set *reading, fd_set *writing, fd_set *except,
                      struct timeval *timeout)
{
    RETURN_IF_READY(readiness_select(nfds, reading, writing, except, NULL));
    return REAL(select)(nfds, reading, writing, except, timeout);
}

INTERPOSED int __select(int nfds, fd_set *reading, fd_set *writing, fd_set *except,
                        struct timeval *timeout)
{
    return select(nfds, reading, writing, except, timeout);
}

INTERPOSED int pselect(int nfds, fd_set *reading, fd_set *writing, fd_set *except,
                       const struct timespec *timeout, const sigset_t *mask)
{
    RETURN_IF_READY(readiness_select(nfds, reading, writing, except, mask));
    return REAL(pselect)(nfds, reading, writing, except, timeout, mask);
}

INTERPOSED int ioctl(int fd, unsigned long request, ...)
{
    va_list list;
    void *argument;

    va_start(list, request);
    argument = va_arg(list, void *);
    va_end(list);

    if (request == FIONREAD) {
        int saved = errno;
        size_t left;

        if (readiness_left(fd, &left)) {
            int value = (int)left;

            return (int)real_answer(user_memory_write(argument, &value, sizeof value), saved);
        }
        errno = saved;
    }
    return REAL(ioctl)(fd, request, argument);
}
