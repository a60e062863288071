/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "receive/copy_out.h"

#include "base/diag.h"
#include "base/usdt.h"
#include "base/user_memory.h"
#include "table/held.h"

int copy_out_name(const struct receive *receive, const struct sockaddr *peer, socklen_t length)
{
    socklen_t room;
    int error;

    if (receive->msg) {
        if (receive->msg->msg_name) {
            room = receive->msg->msg_namelen;
            receive->msg->msg_namelen = length;
            return user_memory_write(receive->msg->msg_name, peer, room < length ? room : length);
        }
        return 0;
    }
    if (!receive->name)
        return 0;
    error = user_memory_read(&room, receive->namelen, sizeof room);
    if (!error && (int)room < 0)
        error = -EINVAL;
    if (!error)
        error = user_memory_write(receive->name, peer, room < length ? room : length);
    if (!error)
        error = user_memory_write(receive->namelen, &length, sizeof length);
    return error;
}

socklen_t copy_out_name_room(const struct receive *receive)
{
    socklen_t room;

    if (receive->msg)
        return receive->msg->msg_name ? receive->msg->msg_namelen : 0;
    if (!receive->name || user_memory_read(&room, receive->namelen, sizeof room) != 0)
        return 0;
    return room;
}

int copy_out_bytes(void *context, const void *from, size_t size)
{
    const struct receive *receive = context;

    if (LIKELY(receive->iovlen == 1) && LIKELY(size <= receive->iov->iov_len))
        return user_memory_write(receive->iov->iov_base, from, size);
    return user_memory_scatter(receive->iov, receive->iovlen, from, size);
}

ssize_t copy_out_part(struct receive *receive, const struct part *part, size_t remaining,
                      const struct held *held)
{
    struct policy policy =
        receive_policy(state.settings.mode, receive->kind, state.settings.calls_all);
    bool cut = part->given < remaining && held->kind != HELD_STREAM;

    receive->report = (struct receive_report){
        .ours = held->kind != HELD_STREAM,
        .length = held->length,
        .offset = held->offset,
        .given = part->given,
        .left = receive->flags & MSG_PEEK ? remaining - part->given : part->left,
    };
    if (!(receive->flags & MSG_PEEK))
        receive->report.lost = remaining - part->given - part->left;
    USDT_PART(receive->fd, held->length, receive->room, part->given, receive->report.left);
    if (receive->msg) {
        int kept = (cut ? 0 : MSG_EOR) | (held->offset == 0 ? MSG_CTRUNC : 0);

        receive->msg->msg_flags =
            (receive->flags & MSG_CMSG_CLOEXEC) | (held->msg_flags & kept) | (cut ? MSG_TRUNC : 0);
    }
    if (cut && policy.emsgsize && !(receive->flags & (MSG_PEEK | MSG_TRUNC)) && receive->room > 0)
        return -EMSGSIZE;
    return (ssize_t)part->result;
}

ssize_t copy_out_cut(struct receive *receive, size_t length, const char *why)
{
    static atomic_int reported;
    size_t lost = length - receive->room;

    diag_once(reported, "%s; %zu bytes of a message are lost", why, lost);
    table_count_lost(state.table, lost);
    receive->report = (struct receive_report){
        .ours = true, .length = length, .given = receive->room, .lost = lost};
    return (ssize_t)receive->room;
}
