/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "receive/traced.h"

#include "fd/fd_class.h"
#include "receive/copy_out.h"
#include "receive/fast_path.h"
#include "receive/passthrough.h"

/* The program's own call, with the flag by which the kernel reports the message's length. */
static struct receive_result pass(struct receive *receive)
{
    fd_class class = fd_class_get(receive->fd);
    int added = 0;

    if (!fd_class_is_message(class) || (receive->flags & (MSG_OOB | MSG_ERRQUEUE)) ||
        !receive_may_act(receive->kind))
        return receive_pass();
    if (receive->room < fd_class_longest(class)) {
        if (fd_query_cookie(receive->fd) != fd_class_cookie(class)) {
            fd_class_query(receive->fd);
            return receive_pass();
        }
        added = MSG_TRUNC;
    }
    return receive_passthrough(receive, added);
}

void receive_record(const struct receive *receive, ssize_t result)
{
    const struct receive_report *report = &receive->report;
    struct record record = {
        .cookie = fd_class_cookie(fd_class_cached(receive->fd)),
        .caller = (uintptr_t)receive->site.caller,
        .room = receive->room,
        .fd = receive->fd,
        .call = (enum record_call)receive->site.call,
        .error = result < 0 ? (int)-result : 0,
    };

    if (receive->flags & MSG_PEEK)
        record.flags |= RECORD_PEEK;
    /* With the mode's EMSGSIZE the caller has got a part; with the kernel's own, nothing. */
    if (result >= 0 || (result == -EMSGSIZE && report->given > 0)) {
        record.length = (uint32_t)report->length;
        record.given = (uint32_t)report->given;
        record.offset = (uint32_t)report->offset;
        record.left = (uint32_t)report->left;
        record.lost = (uint32_t)report->lost;
        record.flags |= report->left > 0 ? RECORD_PARTIAL : RECORD_LAST;
        if (report->lost > 0)
            record.flags |= RECORD_LOST;
        if (receive->name_room > 0) {
            record.peer = receive->msg ? receive->msg->msg_name : receive->name;
            record.peer_length = receive->msg ? receive->msg->msg_namelen : *receive->namelen;
            if (record.peer_length > receive->name_room)
                record.peer_length = receive->name_room;
        }
        for (size_t i = 0; i < receive->iovlen && record.data_length == 0; i++) {
            record.data = receive->iov[i].iov_base;
            record.data_length =
                receive->iov[i].iov_len < report->given ? receive->iov[i].iov_len : report->given;
        }
    }
    trace_add(&record);
}

struct receive_result receive_traced(struct receive *receive)
{
    struct receive_result result;

    receive->name_room = copy_out_name_room(receive);
    result = receive_run(receive);
    if (result.outcome == RECEIVE_PASS)
        result = sys_is_sandboxed() ? receive_pass_in_sandbox(receive) : pass(receive);
    if (result.outcome == RECEIVE_DONE && (receive->report.ours || result.value < 0) &&
        fd_class_is_message(fd_class_cached(receive->fd)))
        receive_record(receive, result.value);
    return result;
}

void receive_record_passed(int fd, const struct msghdr *msg, int flags, size_t length,
                           struct receive_site site)
{
    struct receive receive = {.fd = fd,
                              .flags = flags,
                              .iov = msg->msg_iov,
                              .iovlen = (size_t)msg->msg_iovlen,
                              .site = site};

    if (!fd_class_is_message(fd_class_cached(fd)) || (flags & (MSG_OOB | MSG_ERRQUEUE)))
        return;
    for (size_t i = 0; i < receive.iovlen; i++)
        receive.room += receive.iov[i].iov_len;
    receive.report.length = length;
    receive.report.given = length < receive.room ? length : receive.room;
    receive.report.lost = length - receive.report.given;
    receive_record(&receive, (ssize_t)length);
}
