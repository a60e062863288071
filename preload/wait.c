/* SPDX-License-Identifier: MIT
 *
 * The interposed waits: a held tail ends them at once. If nothing is held, they are libc's
 * functions.
 */
#define _GNU_SOURCE
#include "base/sys.h"
#include "base/user_memory.h"
#include "memory.h"
#include "real.h"
#include "table/held.h"
#include "wait/epoll_ctl.h"
#include "wait/epoll_wait.h"
#include "wait/poll.h"
#include "wait/sigio.h"

#include <errno.h>
#include <linux/userfaultfd.h>
#include <stdarg.h>
#include <sys/ioctl.h>

enum { NANOSECONDS_IN_A_MILLISECOND = 1000000, NANOSECONDS_IN_A_SECOND = 1000000000 };

/* Whether the result of poll_with_tails() or select_with_tails() ends the wait. Sets or restores
 * errno. */
static bool ends(int result, int saved)
{
    errno = result < 0 ? -result : saved;
    return result != 0;
}

#define RETURN_IF_READY(valid, ...)                \
    do {                                           \
        if (table_tails_here() && (valid)) {       \
            int saved_ = errno;                    \
            int result_ = (__VA_ARGS__);           \
                                                   \
            if (ends(result_, saved_))             \
                return result_ < 0 ? -1 : result_; \
        }                                          \
    } while (0)

INTERPOSED int poll(struct pollfd *fds, nfds_t nfds, int timeout)
{
    RETURN_IF_READY(true, sys_is_sandboxed() ? poll_add_tails(fds, nfds, REAL(poll)(fds, nfds, 0))
                                             : poll_with_tails(fds, nfds, NULL));
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
    RETURN_IF_READY(poll_is_timespec(timeout), poll_with_tails(fds, nfds, mask));
    return REAL(ppoll)(fds, nfds, timeout, mask);
}

INTERPOSED int __ppoll_chk(struct pollfd *fds, nfds_t nfds, const struct timespec *timeout,
                           const sigset_t *mask, size_t fdslen)
{
    if (fdslen / sizeof *fds < nfds)
        return REAL(__ppoll_chk)(fds, nfds, timeout, mask, fdslen);
    return ppoll(fds, nfds, timeout, mask);
}

/* In some libcs it is another number than pselect(2). */
static int select_at_once(const struct select_call *own, int nfds, fd_set *reading, fd_set *writing,
                          fd_set *except)
{
    struct timeval none = {0, 0};

    (void)own;
    return REAL(select)(nfds, reading, writing, except, &none);
}

INTERPOSED int select(int nfds, fd_set *reading, fd_set *writing, fd_set *except,
                      struct timeval *timeout)
{
    RETURN_IF_READY(poll_is_timeval(timeout),
                    select_with_tails(
                        nfds, reading, writing, except,
                        &(struct select_call){.make = sys_is_sandboxed() ? select_at_once : NULL}));
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
    RETURN_IF_READY(
        poll_is_timespec(timeout),
        select_with_tails(nfds, reading, writing, except, &(struct select_call){.mask = mask}));
    return REAL(pselect)(nfds, reading, writing, except, timeout, mask);
}

#if WSRX_HAVE_TIME64

static bool is_timespec64(const struct timespec64 *timeout)
{
    struct timespec64 time;

    return !timeout || (user_memory_read(&time, timeout, sizeof time) == 0 && time.tv_sec >= 0 &&
                        time.tv_nsec >= 0 && time.tv_nsec < NANOSECONDS_IN_A_SECOND);
}

static bool is_timeval64(const struct timeval64 *timeout)
{
    struct timeval64 time;

    return !timeout || (user_memory_read(&time, timeout, sizeof time) == 0 && time.tv_sec >= 0 &&
                        time.tv_usec >= 0);
}

INTERPOSED int __ppoll64(struct pollfd *fds, nfds_t nfds, const struct timespec64 *timeout,
                         const sigset_t *mask)
{
    RETURN_IF_READY(is_timespec64(timeout), poll_with_tails(fds, nfds, mask));
    return REAL(__ppoll64)(fds, nfds, timeout, mask);
}

INTERPOSED int __ppoll64_chk(struct pollfd *fds, nfds_t nfds, const struct timespec64 *timeout,
                             const sigset_t *mask, size_t fdslen)
{
    if (fdslen / sizeof *fds < nfds)
        return REAL(__ppoll64_chk)(fds, nfds, timeout, mask, fdslen);
    return __ppoll64(fds, nfds, timeout, mask);
}

INTERPOSED int __select64(int nfds, fd_set *reading, fd_set *writing, fd_set *except,
                          struct timeval64 *timeout)
{
    RETURN_IF_READY(is_timeval64(timeout), select_with_tails(nfds, reading, writing, except,
                                                             &(struct select_call){.mask = NULL}));
    return REAL(__select64)(nfds, reading, writing, except, timeout);
}

INTERPOSED int __pselect64(int nfds, fd_set *reading, fd_set *writing, fd_set *except,
                           const struct timespec64 *timeout, const sigset_t *mask)
{
    RETURN_IF_READY(is_timespec64(timeout), select_with_tails(nfds, reading, writing, except,
                                                              &(struct select_call){.mask = mask}));
    return REAL(__pselect64)(nfds, reading, writing, except, timeout, mask);
}

#endif

/* --- epoll ------------------------------------------------------------------------------- */

static int made(int epfd, uint64_t begun)
{
    int saved = errno;

    if (epfd >= 0)
        epoll_ctl_set_made(epfd, begun);
    errno = saved;
    return epfd;
}

INTERPOSED int epoll_create(int size)
{
    uint64_t begun = epoll_ctl_set_begins();

    return made(REAL(epoll_create)(size), begun);
}

INTERPOSED int epoll_create1(int flags)
{
    uint64_t begun = epoll_ctl_set_begins();

    return made(REAL(epoll_create1)(flags), begun);
}

INTERPOSED int epoll_ctl(int epfd, int operation, int fd, struct epoll_event *event)
{
    int saved = errno;
    unsigned begun;
    long error;

    if (!atomic_load_explicit(&state.active, memory_order_acquire))
        return REAL(epoll_ctl)(epfd, operation, fd, event);
    if (LIKELY(epoll_ctl_is_plain()) && LIKELY(sys_is_direct_in_threads())) {
        begun = epoll_ctl_begins(epfd, operation, fd);
        error = sys_direct_call(SYS_DIRECT_EPOLL_CTL, epfd, operation, fd, (long)event, 0, 0);
        return (int)real_answer(epoll_ctl_ends(epfd, operation, fd, event, begun, (int)error),
                                saved);
    }
    return (int)real_answer(epoll_ctl_follow(epfd, operation, fd, event), saved);
}

static int milliseconds(int64_t timeout)
{
    if (timeout < 0)
        return -1;
    return (int)((timeout + NANOSECONDS_IN_A_MILLISECOND - 1) / NANOSECONDS_IN_A_MILLISECOND);
}

static int call_wait(const struct epoll_wait_call *wait, int64_t timeout)
{
    return REAL(epoll_wait)(wait->epfd, wait->events, wait->max, milliseconds(timeout));
}

static int call_pwait(const struct epoll_wait_call *wait, int64_t timeout)
{
    return REAL(epoll_pwait)(wait->epfd, wait->events, wait->max, milliseconds(timeout),
                             wait->mask);
}

static int call_pwait2(const struct epoll_wait_call *wait, int64_t timeout)
{
    struct timespec left = {(time_t)(timeout / NANOSECONDS_IN_A_SECOND),
                            (long)(timeout % NANOSECONDS_IN_A_SECOND)};

    return REAL(epoll_pwait2)(wait->epfd, wait->events, wait->max, timeout < 0 ? NULL : &left,
                              wait->mask);
}

static int64_t nanoseconds(int timeout)
{
    return timeout < 0 ? -1 : (int64_t)timeout * NANOSECONDS_IN_A_MILLISECOND;
}

/* A wait that is more than the program's own call, or has become so meanwhile. */
SLOW_PATH static int wait_on(const struct epoll_wait_call *wait, int count)
{
    int saved = errno;

    return (int)real_answer(epoll_wait_with_tails(wait, count), saved);
}

/* The program's own call, or, if the set has tails, a wait with them. The last argument describes
 * it. */
#define WAIT(call_own, epfd, ...)                                                       \
    int before = epoll_wait_begins(), count = EPOLL_WAIT_NOT_CALLED;                    \
                                                                                        \
    if (!epoll_wait_is_watched(epfd))                                                   \
        count = (call_own);                                                             \
    epoll_wait_ends(before, epfd);                                                      \
    if (count != EPOLL_WAIT_NOT_CALLED && (count <= 0 || !epoll_wait_is_watched(epfd))) \
        return count;                                                                   \
    return wait_on(&(struct epoll_wait_call){(epfd), __VA_ARGS__}, count)

/* The functions of epoll_wait(2) end in a tail call, so that after the system call there is a
 * single return: see receive_buffer(). */

SLOW_PATH static int wait_failed(long error)
{
    return real_failure(error);
}

SLOW_PATH static int wait_with_one(int epfd, struct epoll_event *events, int max, int timeout)
{
    struct epoll_wait_call wait = {epfd, events, max, nanoseconds(timeout), NULL, call_wait};
    int saved = errno, before = epoll_wait_begins(), all;
    bool sleeps = epoll_wait_may_sleep(epfd);
    long count =
        sys_direct_call(SYS_DIRECT_EPOLL_WAIT, epfd, (long)events, max, sleeps ? timeout : 0, 0, 0);

    epoll_wait_ends(before, epfd);
    if (!LIKELY(count >= 0))
        return wait_failed(count);
    all = epoll_wait_complete_one(&wait, (int)count);
    errno = saved;
    if (LIKELY(all > 0) || (all == 0 && (sleeps || timeout == 0)))
        return all;
    return wait_on(&wait, all < 0 && (count > 0 || sleeps) ? (int)count : EPOLL_WAIT_NOT_CALLED);
}

/* The set is watched before the program's own call, */
SLOW_PATH static int wait_watched(int epfd, struct epoll_event *events, int max, int timeout)
{
    if (LIKELY(sys_is_direct()) && LIKELY(epoll_wait_is_simple(epfd)))
        return wait_with_one(epfd, events, max, timeout);
    WAIT(REAL(epoll_wait)(epfd, events, max, timeout), epfd, events, max, nanoseconds(timeout),
         NULL, call_wait);
}

/* or after it. */
SLOW_PATH static int wait_on_watched(int epfd, struct epoll_event *events, int max, int timeout,
                                     int count)
{
    if (count <= 0 || !epoll_wait_is_watched(epfd))
        return count;
    return wait_on(
        &(struct epoll_wait_call){epfd, events, max, nanoseconds(timeout), NULL, call_wait}, count);
}

__attribute__((noinline)) static int wait_by_libc(int epfd, struct epoll_event *events, int max,
                                                  int timeout)
{
    int before = epoll_wait_begins(), count = REAL(epoll_wait)(epfd, events, max, timeout);

    epoll_wait_ends(before, epfd);
    if (!LIKELY(epoll_wait_is_plain()))
        return wait_on_watched(epfd, events, max, timeout, count);
    return count;
}

/* `count`: what the system call returned. */
static inline int end_plain_wait(int before, int epfd, struct epoll_event *events, int max,
                                 int timeout, long count)
{
    epoll_wait_ends(before, epfd);
    if (!LIKELY(count >= 0))
        return wait_failed(count);
    if (!LIKELY(epoll_wait_is_plain()))
        return wait_on_watched(epfd, events, max, timeout, (int)count);
    return (int)count;
}

/* In a process of several threads. */
__attribute__((noinline)) static int wait_in_thread(int epfd, struct epoll_event *events, int max,
                                                    int timeout)
{
    int before;
    long count;

    if (!LIKELY(sys_is_cancellable()))
        return wait_by_libc(epfd, events, max, timeout);
    before = epoll_wait_begins();
    count = sys_cancellable_call(SYS_DIRECT_EPOLL_WAIT, epfd, (long)events, max, timeout, 0, 0);
    return end_plain_wait(before, epfd, events, max, timeout, count);
}

INTERPOSED int epoll_wait(int epfd, struct epoll_event *events, int max, int timeout)
{
    int before;
    long count;

    if (!LIKELY(epoll_wait_is_plain()))
        return wait_watched(epfd, events, max, timeout);
    if (!LIKELY(sys_is_direct()))
        return wait_in_thread(epfd, events, max, timeout);
    before = epoll_wait_begins();
    count = sys_direct_call(SYS_DIRECT_EPOLL_WAIT, epfd, (long)events, max, timeout, 0, 0);
    return end_plain_wait(before, epfd, events, max, timeout, count);
}

INTERPOSED int epoll_pwait(int epfd, struct epoll_event *events, int max, int timeout,
                           const sigset_t *mask)
{
    WAIT(REAL(epoll_pwait)(epfd, events, max, timeout, mask), epfd, events, max,
         nanoseconds(timeout), mask, call_pwait);
}

/* Nanoseconds, -1 for none. The kernel refuses a bad pointer or value; a wait of more than 292
 * years needs no end. */
static int64_t nanoseconds_of(const struct timespec *timeout)
{
    struct timespec limit;
    int64_t seconds;

    if (!timeout || user_memory_read(&limit, timeout, sizeof limit) != 0 ||
        (seconds = limit.tv_sec) < 0 || seconds > INT64_MAX / NANOSECONDS_IN_A_SECOND - 1)
        return -1;
    return seconds * NANOSECONDS_IN_A_SECOND + limit.tv_nsec;
}

/* Its timeout is in the program's memory, which is not read if nothing is held. */
SLOW_PATH static int pwait2_watched(int epfd, struct epoll_event *events, int max,
                                    const struct timespec *timeout, const sigset_t *mask)
{
    if (!poll_is_timespec(timeout))
        return REAL(epoll_pwait2)(epfd, events, max, timeout, mask);
    WAIT(REAL(epoll_pwait2)(epfd, events, max, timeout, mask), epfd, events, max,
         nanoseconds_of(timeout), mask, call_pwait2);
}

INTERPOSED int epoll_pwait2(int epfd, struct epoll_event *events, int max,
                            const struct timespec *timeout, const sigset_t *mask)
{
    int before, count;

    if (!epoll_wait_is_plain())
        return pwait2_watched(epfd, events, max, timeout, mask);
    before = epoll_wait_begins();
    count = REAL(epoll_pwait2)(epfd, events, max, timeout, mask);
    epoll_wait_ends(before, epfd);
    if (count <= 0 || !epoll_wait_is_watched(epfd))
        return count;
    return wait_on(
        &(struct epoll_wait_call){epfd, events, max, nanoseconds_of(timeout), mask, call_pwait2},
        count);
}

#if WSRX_HAVE_TIME64

static int call_pwait2_time64(const struct epoll_wait_call *wait, int64_t timeout)
{
    struct timespec64 left = {.tv_sec = timeout / NANOSECONDS_IN_A_SECOND,
                              .tv_nsec = (int32_t)(timeout % NANOSECONDS_IN_A_SECOND)};

    return REAL(__epoll_pwait2_time64)(wait->epfd, wait->events, wait->max,
                                       timeout < 0 ? NULL : &left, wait->mask);
}

static int64_t nanoseconds_of64(const struct timespec64 *timeout)
{
    struct timespec64 limit;

    if (!timeout || user_memory_read(&limit, timeout, sizeof limit) != 0 || limit.tv_sec < 0 ||
        limit.tv_sec > INT64_MAX / NANOSECONDS_IN_A_SECOND - 1)
        return -1;
    return limit.tv_sec * NANOSECONDS_IN_A_SECOND + limit.tv_nsec;
}

INTERPOSED int __epoll_pwait2_time64(int epfd, struct epoll_event *events, int max,
                                     const struct timespec64 *timeout, const sigset_t *mask)
{
    if (!epoll_wait_is_plain() && !is_timespec64(timeout))
        return REAL(__epoll_pwait2_time64)(epfd, events, max, timeout, mask);
    WAIT(REAL(__epoll_pwait2_time64)(epfd, events, max, timeout, mask), epfd, events, max,
         nanoseconds_of64(timeout), mask, call_pwait2_time64);
}

#endif

/* --- FIONREAD ---------------------------------------------------------------------------- */

/* The kernel takes the request for an unsigned int. */
static int control(int (*call)(int fd, ioctl_request request, ...), int fd, ioctl_request request,
                   void *argument)
{
    if (request == FIOASYNC)
        atomic_store_explicit(&sigio_is_used, true, memory_order_relaxed);
    if (request == FIONREAD) {
        int saved = errno;
        size_t left;

        if (poll_bytes_left(fd, &left)) {
            int value = (int)left;

            return (int)real_answer(user_memory_write(argument, &value, sizeof value), saved);
        }
        errno = saved;
    }
    if ((unsigned)request == UFFDIO_REGISTER) {
        int result = call(fd, request, argument);

        if (result == 0)
            memory_registered(argument);
        return result;
    }
    return call(fd, request, argument);
}

INTERPOSED int ioctl(int fd, ioctl_request request, ...)
{
    va_list list;
    void *argument;

    va_start(list, request);
    argument = va_arg(list, void *);
    va_end(list);
    return control(REAL(ioctl), fd, request, argument);
}

#if WSRX_HAVE_TIME64
INTERPOSED int __ioctl_time64(int fd, unsigned long request, ...)
{
    va_list list;
    void *argument;

    va_start(list, request);
    argument = va_arg(list, void *);
    va_end(list);
    return control(REAL(__ioctl_time64), fd, request, argument);
}
#endif
