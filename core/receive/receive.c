/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "receive/receive.h"

#include "base/diag.h"
#include "receive/fast_path.h"
#include "receive/hold_peek.h"
#include "receive/hold_peek_offset.h"
#include "receive/hold_process.h"
#include "receive/message.h"
#include "receive/passthrough.h"
#include "receive/traced.h"

#include <errno.h>
#include <string.h>

/* UIO_FASTIOV: as many buffers need no bounce buffer to list them. */
enum { FEW = 8 };

bool receive_may_act(enum call_kind kind)
{
    if (!atomic_load_explicit(&state.active, memory_order_acquire))
        return false;
    if (!table_idle(state.table) || kind == CALL_COOPERATING || receive_peeks())
        return true;
    return state.settings.mode != MODE_OFF &&
           (kind == CALL_PLAIN || state.settings.calls_all || trace_on());
}

bool receive_passes_message(fd_class class, size_t len)
{
    return receive_nothing_held() &&
           (fd_kind(class) < FD_SOCKET ||
            (((fd_class_is_message(class) && len >= fd_class_longest(class)) ||
              !receive_bounces()) &&
             !trace_on()));
}

/* Where something is held its socket may have come to us by any way, and its cookie counts. */
static fd_class class_of(enum call_kind kind, int fd)
{
    return receive_nothing_held() && kind != CALL_COOPERATING && !state.under_wine
               ? fd_class_get(fd)
               : fd_class_get_any(fd);
}

bool receive_may_act_on(enum call_kind kind, int fd)
{
    return receive_may_act(kind) && fd_kind(class_of(kind, fd)) >= FD_DATAGRAM;
}

/* The belief may be stale, so the cookie is asked for again before a byte is handed out. */
static ssize_t next_part(struct receive *receive, fd_class *class)
{
    for (int tries = 0; tries < 2; tries++) {
        uint64_t cookie = fd_class_cookie(*class);

        if (cookie == 0 || table_look(state.table, cookie, NULL) == HELD_NOT)
            return NOTHING_HELD;
        if (fd_query_cookie(receive->fd) == cookie)
            return hold_process_next(receive, cookie);
        *class = fd_class_query(receive->fd);
    }
    return NOTHING_HELD;
}

static bool get_bounce(struct receive *receive, fd_class class)
{
    static atomic_int reported;

    if (!receive->bounce)
        receive->bounce = bounce_acquire(fd_class_longest(class));
    if (!receive->bounce)
        diag_once(reported, "no memory for a bounce buffer; receives are as without the library");
    return receive->bounce;
}

static ssize_t run_once(struct receive *receive)
{
    const struct settings *settings = &state.settings;
    bool in_kernel, hold, short_room;
    fd_class class;

    if (!receive_may_act(receive->kind) || (receive->flags & (MSG_OOB | MSG_ERRQUEUE)))
        return RECEIVE_PASS;
    /* A stale belief must not turn MSG_WAITALL, which a stream may mean, into a wait for more. */
    if ((receive->flags & MSG_WAITALL) && fd_is_stream_now(receive->fd))
        fd_forget(receive->fd);
    class = class_of(receive->kind, receive->fd);
    if (fd_kind(class) < FD_DATAGRAM)
        return RECEIVE_PASS;

    /* What read(2) and recv(2) say of a length that no memory has is not the same, so it passes. */
    in_kernel = receive_peeks() && receive->room <= INT_MAX;
    if (table_may_hold(state.table, fd_class_cookie(class))) {
        ssize_t result = next_part(receive, &class);

        if (result == HELD_BY_KERNEL)
            in_kernel = true;
        else if (result != NOTHING_HELD)
            return result;
    }
    if (fd_kind(class) == FD_STREAM)
        fd_set_stream(receive->fd, 0);
    receive->report.ours = fd_class_is_message(class);
    if (!fd_class_is_message(class))
        return RECEIVE_PASS;

    hold = receive_policy(settings->mode, receive->kind, settings->calls_all).hold;
    short_room = receive->room > 0 && receive->room < fd_class_longest(class) &&
                 !(receive->flags & (MSG_PEEK | MSG_TRUNC));
    if (in_kernel || (hold && receive->iovlen == BOUNCE_IOVECS)) {
        /* No peek into what may be something else by now. */
        if (fd_query_cookie(receive->fd) != fd_class_cookie(class))
            class = fd_class_query(receive->fd);
        if (!fd_class_is_message(class) || !get_bounce(receive, class))
            return RECEIVE_PASS;
        return hold_peek_receive(receive, fd_class_cookie(class), hold && short_room);
    }
    /* For a record a reporting call's message is taken whole too: so its length is known. */
    if (!short_room ||
        (receive->kind != CALL_COOPERATING &&
         (settings->mode == MODE_OFF ||
          (receive->kind == CALL_REPORTING && !settings->calls_all && !trace_on()))) ||
        !get_bounce(receive, class))
        return RECEIVE_PASS;
    return hold_process_receive(receive);
}

ssize_t receive_run(struct receive *receive)
{
    ssize_t result;

    do
        result = run_once(receive);
    while (result == NOTHING_HELD || result == HELD_BY_KERNEL);
    return result;
}

/* --- the calls --------------------------------------------------------------------------- */

static ssize_t run_traced(struct receive *receive)
{
    return trace_on() ? receive_traced(receive) : receive_run(receive);
}

static ssize_t run_and_release(struct receive *receive)
{
    ssize_t result = run_traced(receive);

    if (receive->bounce)
        bounce_release(receive->bounce, receive->touched);
    return result;
}

/* Takes over the caller's iovec array. False: the kernel shall say what is wrong with it. */
static bool copy_iov(struct receive *receive, const struct iovec *iov, size_t iovlen,
                     struct iovec *few)
{
    struct iovec *copy = few;

    if (iovlen > BOUNCE_IOVECS)
        return false;
    if (iovlen > FEW) {
        receive->bounce = bounce_acquire(fd_class_longest(fd_class_get(receive->fd)));
        if (!receive->bounce)
            return false;
        copy = receive->bounce->iov;
    }
    if (iovlen > 0 && user_memory_read(copy, iov, iovlen * sizeof *iov) != 0)
        return false;
    for (size_t i = 0; i < iovlen; i++) {
        if (copy[i].iov_len > (size_t)SSIZE_MAX - receive->room)
            return false;
        receive->room += copy[i].iov_len;
    }
    receive->iov = copy;
    receive->iovlen = iovlen;
    return true;
}

ssize_t receive_slow_path(int fd, void *buf, size_t len, int flags, struct sockaddr *name,
                          socklen_t *namelen, struct receive_site site)
{
    struct iovec one = {buf, len};
    struct receive receive = {.fd = fd,
                              .flags = flags,
                              .kind = CALL_PLAIN,
                              .iov = &one,
                              .iovlen = 1,
                              .room = len,
                              .name = name,
                              .namelen = namelen,
                              .site = site};
    int saved = errno;
    ssize_t result = run_and_release(&receive);

    errno = saved;
    return result;
}

ssize_t receive_after_bounce(int fd, void *buf, size_t len, int flags, struct sockaddr *name,
                             socklen_t *namelen, struct bounce_buffer *bounce, ssize_t result,
                             socklen_t room, struct receive_site site)
{
    struct iovec one = {buf, len};
    struct receive receive = {.fd = fd,
                              .flags = flags,
                              .kind = CALL_PLAIN,
                              .iov = &one,
                              .iovlen = 1,
                              .room = len,
                              .name = name,
                              .namelen = namelen,
                              .bounce = bounce,
                              .site = site,
                              .name_room = room};
    int saved = errno;

    result = hold_process_bounced(&receive, result, room);
    if (result == NOTHING_HELD || result == HELD_BY_KERNEL)
        result = receive_run(&receive);
    if (trace_on() && result != RECEIVE_PASS && (receive.report.ours || result < 0))
        receive_record(&receive, result);
    bounce_release(bounce, receive.touched);
    errno = saved;
    return result;
}

ssize_t receive_part(int fd, void *buf, size_t len, int flags, struct sockaddr_storage *name,
                     socklen_t *namelen, struct receive_report *report, struct receive_site site)
{
    struct iovec one = {buf, len};
    struct receive receive = {.fd = fd,
                              .flags = flags,
                              .kind = CALL_COOPERATING,
                              .iov = &one,
                              .iovlen = 1,
                              .room = len,
                              .name = (struct sockaddr *)name,
                              .namelen = namelen,
                              .site = site};
    ssize_t result;

    if (atomic_load_explicit(&state.active, memory_order_acquire))
        state_cooperates();
    result = run_and_release(&receive);
    *report = receive.report;
    return result;
}

ssize_t receive_vector(int fd, const struct iovec *iov, int iovcnt, int flags,
                       struct receive_site site)
{
    struct receive receive = {.fd = fd, .flags = flags, .kind = CALL_PLAIN, .site = site};
    struct iovec few[FEW];
    ssize_t result = RECEIVE_PASS;

    if (iovcnt <= 0 || !receive_may_act_on(CALL_PLAIN, fd))
        return RECEIVE_PASS;
    /* readv(2) with no room consumes nothing, as read(2). */
    if (copy_iov(&receive, iov, (size_t)iovcnt, few) && receive.room > 0)
        result = run_traced(&receive);
    if (receive.bounce)
        bounce_release(receive.bounce, receive.touched);
    return result;
}

ssize_t receive_message_noting(int fd, struct msghdr *msg, int flags, struct receive_site site,
                               bool *ret_tail)
{
    struct msghdr copy;
    struct receive receive = {
        .fd = fd, .flags = flags, .kind = CALL_REPORTING, .msg = &copy, .site = site};
    struct iovec few[FEW];
    ssize_t result = RECEIVE_PASS;

    *ret_tail = false;
    if (user_memory_read(&copy, msg, sizeof copy) != 0)
        return RECEIVE_PASS;
    if (copy_iov(&receive, copy.msg_iov, copy.msg_iovlen, few))
        result = run_traced(&receive);
    if (receive.bounce)
        bounce_release(receive.bounce, receive.touched);
    if (result >= 0) {
        int error =
            user_memory_write(&msg->msg_namelen, &copy.msg_namelen, sizeof copy.msg_namelen);

        if (!error)
            error = user_memory_write(&msg->msg_controllen, &copy.msg_controllen,
                                      sizeof copy.msg_controllen);
        if (!error)
            error = user_memory_write(&msg->msg_flags, &copy.msg_flags, sizeof copy.msg_flags);
        if (error)
            return error;
    }
    *ret_tail = receive.held_before || receive.report.left > 0;
    return result;
}

ssize_t receive_message(int fd, struct msghdr *msg, int flags, struct receive_site site)
{
    bool tail;

    if (atomic_load_explicit(&state.active, memory_order_acquire) && state.under_wine &&
        fd_kind(fd_class_get_any(fd)) == FD_DATAGRAM)
        return hold_peek_offset_receive(fd, msg, flags, site);
    if (!receive_may_act_on(CALL_REPORTING, fd))
        return RECEIVE_PASS;
    return receive_message_noting(fd, msg, flags, site, &tail);
}
