/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "receive/hold_process.h"

#include "base/sys.h"
#include "base/usdt.h"
#include "base/user_memory.h"
#include "fd/fd_class.h"
#include "receive/copy_out.h"
#include "receive/fast_path.h"
#include "table/current.h"
#include "table/held.h"
#include "wait/epoll_ctl.h"
#include "wait/epoll_linger.h"

#include <limits.h>
#include <stddef.h>

/* One after the other these take less stack than all at once. */
#define OWN_FRAME __attribute__((noinline))

/* MSG_CMSG_COMPAT of the kernel: recvfrom(2) ignores it, recvmsg(2) refuses it. */
enum { CMSG_COMPAT = INT_MIN };

struct receive_result hold_process_next(struct receive *receive, struct table_found *found)
{
    struct held held;
    struct part part;
    struct critical_section section;
    bool enters = found->left <= receive->room && !(receive->flags & MSG_PEEK) &&
                  !sys_is_sandboxed() && epoll_ctl_is_concerned() && !linger_may(found->cookie);
    ssize_t result;
    int taken, error;

    /* The last part changes the table, and then what the epoll sets report: no handler sees one of the
     * two alone. */
    if (enters)
        critical_section_enter(&section);
    taken = table_take_found(state.table, found, receive->room, receive_how(receive),
                             copy_out_bytes, receive, &held, &part);
    if (taken == 1 && part.left == 0 && !(receive->flags & MSG_PEEK) &&
        (enters || !linger_tail_ended(found->cookie)))
        epoll_ctl_tail_changed(found->cookie);
    if (enters)
        critical_section_leave(&section);

    if (taken == 0 || taken == -EREMOTE) /* EREMOTE: it is held in the kernel by now */
        return receive_again();
    if (taken < 0)
        return receive_done(taken);
    receive->held_before = true;
    result = copy_out_part(receive, &part, held.length - held.offset, &held);
    if (receive->msg && !receive->control_came)
        receive->msg->msg_controllen = 0;
    if (!receive->name && !(receive->msg && receive->msg->msg_name))
        return receive_done(result);

    /* The call that took the first part had no room for the address: the connected peer's, or
     * none. */
    if (!held.peer_known && !sys_is_sandboxed()) {
        socklen_t length = sizeof held.peer;

        /* For an AF_UNIX peer without a name a receive returns no address, getpeername() the
         * family. */
        if (sys_getpeername(receive->fd, (struct sockaddr *)&held.peer, &length) == 0 &&
            length > sizeof held.peer.ss_family)
            held.peer_length = length;
    }
    error = copy_out_name(receive, (struct sockaddr *)&held.peer, held.peer_length);
    return receive_done(error ? error : result);
}

/* Into the caller's buffers, with the bounce buffer behind them. */
static OWN_FRAME ssize_t take_vectored(struct receive *receive, struct taken *taken)
{
    struct bounce_buffer *bounce = receive->bounce;
    struct msghdr msg = {.msg_iov = bounce->iov, .msg_iovlen = (msghdr_count)(receive->iovlen + 1)};
    int flags = receive->flags;
    ssize_t result;

    if (receive->iov != bounce->iov)
        memcpy(bounce->iov, receive->iov, receive->iovlen * sizeof *bounce->iov);
    bounce->iov[receive->iovlen] = (struct iovec){bounce->data, bounce->size};
    if (receive->name || receive->msg) {
        msg.msg_name = &taken->held.peer;
        msg.msg_namelen = sizeof taken->held.peer;
    }
    if (receive->msg && !receive->control_came) {
        msg.msg_control = receive->msg->msg_control;
        msg.msg_controllen = taken->control_room = receive->msg->msg_controllen;
    }
    if (!receive->msg)
        flags &= ~CMSG_COMPAT;
    result = sys_recvmsg(receive->fd, &msg, flags);
    if (result < 0)
        return result;

    if (receive->msg && !receive->control_came)
        receive->msg->msg_controllen = msg.msg_controllen;
    if (receive->iovlen > 0)
        user_memory_learn(receive->iov[0].iov_base, (size_t)result < receive->iov[0].iov_len
                                                        ? (size_t)result
                                                        : receive->iov[0].iov_len);
    taken->name_room = copy_out_name_room(receive);
    taken->iov = bounce->iov;
    taken->iovlen = (size_t)msg.msg_iovlen;
    taken->delivered = true;
    taken->msg_flags = msg.msg_flags;
    taken->peer = msg.msg_name;
    taken->peer_length = msg.msg_namelen;
    return result;
}

/* Describes what recvfrom(2) has put into the bounce buffer. `room`: *namelen from before. */
static void taken_bounced(const struct receive *receive, ssize_t length, socklen_t room,
                          struct taken *taken)
{
    if (length < 0)
        return;
    taken->whole = (struct iovec){receive->bounce->data, (size_t)length};
    taken->iov = &taken->whole;
    taken->iovlen = 1;
    taken->delivered = false;
    taken->msg_flags = 0;
    taken->name_room = room;
    taken->peer_length = receive->name ? *receive->namelen : 0;
    /* One that was cut is not one to hand on: an IPv6 address in an IPv4 address's room. */
    taken->peer = taken->peer_length <= room ? receive->name : NULL;
}

ssize_t hold_process_take(struct receive *receive, struct taken *taken)
{
    socklen_t room;
    ssize_t result;

    if (receive->kind != CALL_PLAIN || receive->iovlen != 1 ||
        bounce_expects_large(receive->fd, receive->room) ||
        !receive_may_bounce(fd_class_cached(receive->fd), receive->iov->iov_base, receive->name,
                            receive->namelen))
        return take_vectored(receive, taken);

    room = receive->name ? *receive->namelen : 0;
    bounce_align(receive->bounce, receive->iov->iov_base);
    result = sys_recvfrom(receive->fd, receive->bounce->data, receive->bounce->size, receive->flags,
                          receive->name, receive->namelen);
    taken_bounced(receive, result, room, taken);
    return result;
}

/* Copies the first part to the caller, unless the kernel has done so. */
static int deliver(struct receive *receive, const struct taken *taken)
{
    if (taken->delivered)
        return copy_out_name(receive, taken->peer, taken->peer_length);
    return copy_out_bytes(receive, taken->iov[0].iov_base,
                          taken->length < receive->room ? taken->length : receive->room);
}

static OWN_FRAME struct receive_result next_or_again(struct receive *receive, uint64_t cookie)
{
    struct table_found found;

    if (table_find(state.table, cookie, &found) == HELD_NOT)
        return receive_again();
    return hold_process_next(receive, &found);
}

/* All but the peer's address, which may be there already. */
static struct held *begin_held(struct taken *taken)
{
    struct held *held = &taken->held;

    memset(held, 0, offsetof(struct held, peer));
    held->length = taken->length;
    held->msg_flags = taken->msg_flags;
    return held;
}

static void note_peer(struct held *held, const struct taken *taken)
{
    if (!taken->peer)
        return;
    held->peer_known = true;
    held->peer_length =
        taken->peer_length < sizeof held->peer ? taken->peer_length : (socklen_t)sizeof held->peer;
    if (taken->peer != (const struct sockaddr *)&held->peer)
        memcpy(&held->peer, taken->peer, held->peer_length);
}

/* Where no epoll set needs to know. */
static OWN_FRAME bool put_lockless(uint64_t cookie, const struct held *held,
                                   const struct taken *taken)
{
    bool concerned = epoll_ctl_is_concerned(), done, known = false;

    if (concerned && !linger_begin(cookie))
        return false;
    done = table_hold_lockless(state.table, cookie, held, taken->iov, taken->iovlen,
                               concerned ? linger_goes_on : NULL);
    if (concerned)
        known = linger_end(cookie);
    if (done && !known)
        epoll_ctl_tail_changed(cookie); /* a set may have come meanwhile */
    return done;
}

/* Into the table, and shown to the epoll sets. As table_hold(), whose frame would be one more. */
static OWN_FRAME int put(const struct receive *receive, uint64_t cookie, const struct held *held,
                         const struct taken *taken)
{
    struct critical_section section, locked;
    struct table *table;
    int result;

    if (held->kind == HELD_HERE && cookie == fd_class_cookie(fd_class_cached(receive->fd)) &&
        put_lockless(cookie, held, taken))
        return 0;
    critical_section_enter(&section);
    table = table_needed();
    table_enter(table, &locked);
    result = table_hold_locked(table, cookie, held, taken->iov, taken->iovlen);
    table_leave(table, &locked);
    if (result >= 0) {
        if (held->kind == HELD_STREAM)
            fd_set_stream(receive->fd, cookie);
        else if (cookie != fd_class_cookie(fd_class_cached(receive->fd)))
            fd_class_query(receive->fd);
        epoll_ctl_tail_changed(cookie);
    }
    critical_section_leave(&section);
    return result;
}

/* The part of an earlier message is handed over instead: the lengths are the caller's again. Only
 * the control data of this message cannot wait, since it may carry descriptors: it is delivered with
 * that part. */
static void restore_lengths(struct receive *receive, const struct taken *taken)
{
    if (receive->msg) {
        receive->msg->msg_namelen = taken->name_room;
        if (receive->msg->msg_controllen > 0)
            receive->control_came = true;
        else
            receive->msg->msg_controllen = taken->control_room;
    } else if (receive->name) {
        user_memory_write(receive->namelen, &taken->name_room, sizeof taken->name_room);
    }
}

/* What the caller gets of a message whose first part is in place, and that is not held. */
static OWN_FRAME struct receive_result cut(struct receive *receive, const struct taken *taken,
                                           struct part *part, const struct held *held, int fault)
{
    size_t lost = taken->length - (fault ? 0 : part->given);

    if (lost > 0)
        table_count_lost(state.table, lost);
    part->left = 0;
    return receive_done(fault ? fault : copy_out_part(receive, part, taken->length, held));
}

/* Holds it, and hands over the first part of it, or of the message before it. */
static inline struct receive_result finish_put(struct receive *receive, uint64_t cookie,
                                               struct held *held, const struct taken *taken,
                                               struct part *part)
{
    bool fits = taken->length <= receive->room;
    int error = put(receive, cookie, held, taken);

    if (error < 0 && fits) {
        error = deliver(receive, taken);
        return receive_done(error ? error : (ssize_t)taken->length);
    }
    if (error < 0)
        return receive_done(copy_out_cut(receive, taken->length, "the fragment table is full"));
    if (error == 0 && !fits) {
        held->offset = 0;
        return receive_done(copy_out_part(receive, part, taken->length, held));
    }
    /* If other receives have taken both messages meanwhile, this receive starts again. */
    restore_lengths(receive, taken);
    return next_or_again(receive, cookie);
}

/* A message that does not fit, or one that was taken while an earlier one is held. */
static struct receive_result finish_held(struct receive *receive, struct taken *taken)
{
    struct policy policy =
        receive_policy(state.settings.mode, receive->kind, state.settings.calls_all);
    struct held *held = begin_held(taken);
    struct part part = part_next(taken->length, receive->room, 0);
    bool fits = taken->length <= receive->room, stream = false, asked;
    enum held_kind kind = HELD_NOT; /* of the message that is held before it */
    uint64_t cookie;
    int error = 0, fault;

    /* The filter came while the receive slept: nothing can be asked any more. */
    if (sys_is_sandboxed())
        return cut(receive, taken, &part, held, deliver(receive, taken));
    asked = receive->cookie != 0;
    cookie = asked ? receive->cookie : fd_cookie(receive->fd);
    receive->cookie = 0; /* another message may come for this call */
    if (!asked && (!fits || cookie == 0 || table_look(state.table, cookie, NULL) != HELD_NOT))
        error = fd_identify(receive->fd, &cookie, &stream);
    if (!error)
        kind = table_look(state.table, cookie, NULL);
    held->kind = stream ? HELD_STREAM : HELD_HERE;
    if (!fits || kind == HELD_NOT) {
        fault = deliver(receive, taken);
        if (fits)
            return receive_done(fault ? fault : copy_out_part(receive, &part, taken->length, held));
        if (fault || (!stream && !policy.hold))
            return cut(receive, taken, &part, held, fault);
        if (error)
            return receive_done(
                copy_out_cut(receive, taken->length, "the socket cannot be identified"));
        held->offset = part.given;
    }

    note_peer(held, taken);
    /* It may be the message that is held in the kernel: peeked by another receive, then taken by
     * us. */
    if (kind == HELD_KERNEL)
        held->fingerprint = message_fingerprint(taken->iov, taken->iovlen, taken->length);
    return finish_put(receive, cookie, held, taken, &part);
}

static void note_touched(struct receive *receive, const struct taken *taken)
{
    size_t before = taken->delivered ? receive->room : 0;

    if (taken->length > before && receive->touched < taken->length - before)
        receive->touched = taken->length - before;
}

struct receive_result hold_process_finish(struct receive *receive, ssize_t result,
                                          struct taken *taken)
{
    if (result == -ENOTSOCK)
        return receive_pass_stale(receive);
    if (result < 0)
        return receive_done(result);
    taken->length = (size_t)result;
    bounce_note_length(receive->fd, taken->length);
    note_touched(receive, taken);
    if (taken->length > receive->room ||
        table_may_hold(state.table, fd_class_cookie(fd_class_cached(receive->fd))))
        return finish_held(receive, taken);

    receive->report =
        (struct receive_report){.ours = true, .length = taken->length, .given = taken->length};
    USDT_PART(receive->fd, taken->length, receive->room, taken->length, 0);
    if (receive->msg)
        receive->msg->msg_flags = taken->msg_flags;
    result = deliver(receive, taken);
    return receive_done(result < 0 ? result : (ssize_t)taken->length);
}

struct receive_result hold_process_bounced(struct receive *receive, ssize_t result, socklen_t room)
{
    struct taken taken;

    taken_bounced(receive, result, room, &taken);
    return hold_process_finish(receive, result, &taken);
}

static struct receive_result receive(struct receive *receive, uint64_t cookie, bool parts)
{
    struct taken taken;

    (void)cookie, (void)parts;
    return hold_process_finish(receive, hold_process_take(receive, &taken), &taken);
}

const struct hold_strategy hold_process = {.receive = receive, .bounces = true};
