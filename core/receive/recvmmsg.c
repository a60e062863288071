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
#include "table/held.h"

#include <errno.h>

static int64_t nanoseconds(const struct timespec *time)
{
    return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

struct receive_result receive_messages(int fd, struct mmsghdr *vec, unsigned vlen, int flags,
                                       struct timespec *timeout, struct receive_site site)
{
    unsigned count = 0;
    struct timespec limit;
    int64_t deadline = 0;

    if (!receive_may_act_on(CALL_REPORTING, fd) || vlen == 0)
        return receive_pass();
    if (!state.settings.calls_all && !trace_on() && !receive_peeks() &&
        (table_nothing_held() || table_look(state.table, fd_cookie(fd), NULL) == HELD_NOT))
        return receive_pass();
    if (vlen > BOUNCE_IOVECS) /* recvmmsg(2): at most UIO_MAXIOV */
        vlen = BOUNCE_IOVECS;
    if (timeout) {
        if (user_memory_read(&limit, timeout, sizeof limit) != 0 || limit.tv_sec < 0 ||
            limit.tv_nsec < 0 || limit.tv_nsec > 999999999)
            return receive_pass();
        deadline = clock_read(CLOCK_MONOTONIC) + nanoseconds(&limit);
    }

    while (count < vlen) {
        struct msghdr *msg = &vec[count].msg_hdr;
        unsigned length;
        bool tail;
        struct receive_result made =
            receive_message_noting(fd, msg, flags & ~MSG_WAITFORONE, site, &tail);
        ssize_t result = made.value;

        if (made.outcome == RECEIVE_PASS) {
            result = next_calls.recvmsg(fd, msg, flags & ~MSG_WAITFORONE);
            result = result < 0 ? -errno : result;
        }
        length = (unsigned)result;
        if (result >= 0 && user_memory_write(&vec[count].msg_len, &length, sizeof length) != 0)
            result = -EFAULT;
        if (result < 0) {
            if (count == 0)
                return receive_done(result);
            /* recvmmsg(2): an error after a message is reported by the next call. */
            if (result != -EAGAIN)
                hold_peek_error(fd_cookie(fd), (int)-result);
            break;
        }
        count++;
        /* recvmmsg(2): the timeout is checked after each message. */
        if (timeout && clock_read(CLOCK_MONOTONIC) >= deadline)
            break;
        /* A tail is always ready; but another receive may take the rest, and we must not wait
         * then. */
        if (tail || (flags & MSG_WAITFORONE))
            flags |= MSG_DONTWAIT;
    }
    if (timeout) {
        int64_t rest = deadline - clock_read(CLOCK_MONOTONIC);

        rest = rest > 0 ? rest : 0;
        limit = (struct timespec){(time_t)(rest / 1000000000), (long)(rest % 1000000000)};
        if (user_memory_write(timeout, &limit, sizeof limit) != 0)
            return receive_done(-EFAULT);
    }
    return receive_done((ssize_t)count);
}
