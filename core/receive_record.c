/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "receiving.h"

/* The program's own call, in which the kernel tells how long the message is. */
static ssize_t pass(struct receive *receive)
{
    socket_belief belief = socket_know(receive->fd);
    int added = 0;

    if (!socket_is_message(belief) || (receive->flags & (MSG_OOB | MSG_ERRQUEUE)) ||
        !receive_concerns(receive->kind))
        return RECEIVE_PASS;
    if (receive->room < socket_longest(belief)) {
        if (socket_ask_cookie(receive->fd) != socket_cookie(belief)) {
            socket_ask(receive->fd);
            return RECEIVE_PASS;
        }
        added = MSG_TRUNC;
    }
    return receive_own(receive, added);
}

void receive_record(const struct receive *receive, ssize_t result)
{
    const struct receive_report *report = &receive->report;
    struct record record = {
        .cookie = socket_cookie(socket_believe(receive->fd)),
        .caller = (uintptr_t)receive->site.caller,
        .room = receive->room,
        .fd = receive->fd,
        .call = (enum record_call)receive->site.call,
        .error = result < 0 ? (int)-result : 0,
    };

    if (receive->flags & MSG_PEEK)
        record.flags |= RECORD_PEEK;
    /* With EMSGSIZE by the mode a part has been given; with the kernel's own, none. */
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
            record.data_length = receive->iov[i].iov_len < report->given ? receive->iov[i].iov_len
                                                                         : report->given;
        }
    }
    trace_add(&record);
}

ssize_t receive_run_for_record(struct receive *receive)
{
    ssize_t result;

    receive->name_room = deliver_name_room(receive);
    result = receive_run(receive);
    if (result == RECEIVE_PASS)
        result = pass(receive);
    if (result != RECEIVE_PASS && (receive->report.ours || result < 0) &&
        socket_is_message(socket_believe(receive->fd)))
        receive_record(receive, result);
    return result;
}
