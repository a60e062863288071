/* SPDX-License-Identifier: MIT
 *
 * recvmmsg(2): one receive after the other, as in the kernel.
 */
#define _GNU_SOURCE
#include "base/clock.h"
#include "base/sys.h"
#include "fd/fd_class.h"
#include "receive/fast_path.h"
#include "receive/hold_peek.h"
#include "receive/message.h"
#include "receive/passthrough.h"
#include "table/held.h"

#include <errno.h>

enum { NANOSECONDS_IN_A_SECOND = 1000000000 };

#define NO_DEADLINE INT64_MAX

/* In nanoseconds. Whether it is a time; the kernel refuses others. */
static __attribute__((noinline)) bool read_timeout(struct receive_timeout timeout,
                                                   int64_t *ret_limit)
{
    struct timespec time;
    struct timespec64 time64;

    if (timeout.at) {
        if (user_memory_read(&time, timeout.at, sizeof time) != 0)
            return false;
        time64 = (struct timespec64){.tv_sec = time.tv_sec, .tv_nsec = (int32_t)time.tv_nsec};
        if (time64.tv_nsec != time.tv_nsec)
            return false;
    } else if (user_memory_read(&time64, timeout.at64, sizeof time64) != 0) {
        return false;
    }
    /* One of more than a hundred years needs no end. */
    if (time64.tv_sec > UINT32_MAX)
        time64.tv_sec = UINT32_MAX;
    *ret_limit = time64.tv_sec * NANOSECONDS_IN_A_SECOND + time64.tv_nsec;
    return time64.tv_sec >= 0 && time64.tv_nsec >= 0 && time64.tv_nsec < NANOSECONDS_IN_A_SECOND;
}

static __attribute__((noinline)) int write_timeout(struct receive_timeout timeout, int64_t rest)
{
    int64_t seconds = rest / NANOSECONDS_IN_A_SECOND;
    int32_t nanoseconds = (int32_t)(rest % NANOSECONDS_IN_A_SECOND);
    struct timespec time = {(time_t)seconds, nanoseconds};
    struct timespec64 time64 = {.tv_sec = seconds, .tv_nsec = nanoseconds};

    if (timeout.at)
        return user_memory_write(timeout.at, &time, sizeof time);
    return user_memory_write(timeout.at64, &time64, sizeof time64);
}

/* One message of the list. A length, or a negative errno. `ret_tail`: it took from a tail, or left
 * one. */
static ssize_t receive_one(int fd, struct mmsghdr *at, int flags, struct receive_site site,
                           bool *ret_tail)
{
    struct receive_result made =
        receive_message_noting(fd, &at->msg_hdr, flags & ~MSG_WAITFORONE, site, ret_tail);
    ssize_t result = made.value;
    unsigned length;

    if (made.outcome == RECEIVE_PASS) {
        result = next_calls.recvmsg(fd, &at->msg_hdr, flags & ~MSG_WAITFORONE);
        result = result < 0 ? -errno : result;
    }
    length = (unsigned)result;
    if (result >= 0 && user_memory_write(&at->msg_len, &length, sizeof length) != 0)
        result = -EFAULT;
    return result;
}

/* How many were received, or a negative errno. recvmmsg(2): an error after a message is reported by
 * the next call, and the timeout is checked after each message. */
static inline __attribute__((always_inline)) ssize_t receive_list(int fd, struct mmsghdr *vec,
                                                                  unsigned vlen, int flags,
                                                                  struct receive_site site,
                                                                  int64_t deadline)
{
    unsigned count = 0;

    while (count < vlen) {
        bool tail;
        ssize_t result = receive_one(fd, &vec[count], flags, site, &tail);

        if (result < 0 && count == 0)
            return result;
        if (result < 0) {
            if (result != -EAGAIN)
                hold_peek_error(fd_cookie(fd), (int)-result);
            break;
        }
        count++;
        if (deadline != NO_DEADLINE && clock_read(CLOCK_MONOTONIC) >= deadline)
            break;
        /* A tail is always ready; but another receive may take the rest, and we must not wait
         * then. */
        if (tail || (flags & MSG_WAITFORONE))
            flags |= MSG_DONTWAIT;
    }
    return (ssize_t)count;
}

/* Its own system call may be allowed where ours is not. */
static struct receive_result list_failed(ssize_t error)
{
    return receive_finds_refused(error) ? receive_pass() : receive_done(error);
}

/* With a timeout. A function of its own, so that the other calls take less stack. */
static __attribute__((noinline)) struct receive_result
receive_within(int fd, struct mmsghdr *vec, unsigned vlen, int flags, struct receive_site site,
               struct receive_timeout timeout)
{
    int64_t deadline, limit, rest;
    ssize_t count;

    if (!read_timeout(timeout, &limit))
        return receive_pass();
    deadline = clock_read(CLOCK_MONOTONIC) + limit;
    count = receive_list(fd, vec, vlen, flags, site, deadline);
    if (count < 0)
        return list_failed(count);
    rest = deadline - clock_read(CLOCK_MONOTONIC);
    return receive_done(write_timeout(timeout, rest > 0 ? rest : 0) != 0 ? -EFAULT : count);
}

struct receive_result receive_messages(int fd, struct mmsghdr *vec, unsigned vlen, int flags,
                                       struct receive_timeout timeout, struct receive_site site)
{
    ssize_t count;

    if (!receive_may_act_on(CALL_REPORTING, fd) || vlen == 0)
        return receive_pass();
    if (!state.settings.calls_all && !trace_on() && !receive_peeks() &&
        (table_nothing_held() || table_look(state.table, fd_cookie(fd), NULL) == HELD_NOT))
        return receive_pass();
    sys_cancellation_point();
    if (vlen > BOUNCE_IOVECS) /* recvmmsg(2): at most UIO_MAXIOV */
        vlen = BOUNCE_IOVECS;
    if (timeout.at || timeout.at64)
        return receive_within(fd, vec, vlen, flags, site, timeout);
    count = receive_list(fd, vec, vlen, flags, site, NO_DEADLINE);
    return count < 0 ? list_failed(count) : receive_done(count);
}
