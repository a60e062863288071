/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "receive/passthrough.h"

#include "base/diag.h"
#include "base/libc.h"
#include "base/sys.h"
#include "fd/fd_class.h"
#include "trace/record.h"

#include <errno.h>

struct receive_result receive_passthrough(struct receive *receive, int added)
{
    struct msghdr plain = {.msg_name = receive->name,
                           .msg_iov = (struct iovec *)receive->iov,
                           .msg_iovlen = (msghdr_count)receive->iovlen};
    int flags = receive->flags | added;
    ssize_t result;
    size_t length;

    if (receive->msg)
        result = next_calls.recvmsg(receive->fd, receive->msg, flags);
    else if (receive->iovlen == 1)
        result = next_calls.recvfrom(receive->fd, receive->iov->iov_base, receive->iov->iov_len,
                                     flags, receive->name, receive->namelen);
    else
        result = next_calls.recvmsg(receive->fd, &plain, flags);
    if (result < 0)
        return errno == ENOTSOCK ? receive_pass() : receive_done(-errno);

    length = (size_t)result;
    receive->report = (struct receive_report){
        .ours = true,
        .length = length,
        .given = length < receive->room ? length : receive->room,
    };
    if (flags & MSG_PEEK)
        receive->report.left = length - receive->report.given;
    else
        receive->report.lost = length - receive->report.given;
    return receive_done(receive->flags & MSG_TRUNC ? result : (ssize_t)receive->report.given);
}

FAST_PATH_DATA static atomic_size_t cut_in_sandbox;

struct receive_result receive_pass_in_sandbox(struct receive *receive)
{
    fd_class class = fd_own_descriptors ? 0 : fd_class_cached(receive->fd);
    unsigned long call = receive->site.call;
    struct receive_result result;

    if (!fd_class_is_message(class) || (receive->flags & (MSG_OOB | MSG_ERRQUEUE)) ||
        (call != RECORD_RECV && call != RECORD_RECVFROM))
        return receive_pass();
    result = receive_passthrough(receive, 0);
    if (result.outcome == RECEIVE_DONE && result.value > 0 &&
        (size_t)result.value == receive->room && receive->room < fd_class_longest(class) &&
        !(receive->flags & (MSG_PEEK | MSG_TRUNC)))
        atomic_fetch_add_explicit(&cut_in_sandbox, 1, memory_order_relaxed);
    return result;
}

START_CODE size_t receive_cut_in_sandbox(void)
{
    return atomic_load(&cut_in_sandbox);
}

FAST_PATH_DATA atomic_bool receive_recvmsg_refused;

/* These errors a socket may have, too, but not of a descriptor that is none. */
bool receive_finds_refused(ssize_t error)
{
    static atomic_int reported;
    struct msghdr none = {0};
    ssize_t answer;

    if (LIKELY(error != -EPERM && error != -ENOSYS && error != -EACCES) || sys_is_sandboxed())
        return false;
    answer = sys_recvmsg(-1, &none, 0);
    if (answer == -EBADF)
        return false;
    atomic_store(&receive_recvmsg_refused, true);
    diag_once(reported, "recvmsg is forbidden: %s; receives are as without the library",
              strerrordesc_np((int)-error));
    return true;
}
