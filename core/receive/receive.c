/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "receive/receive.h"

#include "base/diag.h"
#include "base/sys.h"
#include "receive/fast_path.h"
#include "receive/hold_peek.h"
#include "receive/hold_peek_offset.h"
#include "receive/hold_process.h"
#include "receive/message.h"
#include "receive/passthrough.h"
#include "receive/plan.h"
#include "receive/traced.h"
#include "wait/sigio.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

/* A list of so many buffers is kept on the stack. */
enum { FEW = 4 };

bool receive_may_act(enum call_kind kind)
{
    if (!state_is_active())
        return false;
    if (!table_idle(state.table))
        return true;
    if (state_is_sandboxed())
        return false;
    if (kind == CALL_COOPERATING || receive_peeks())
        return true;
    return state.settings.mode != MODE_OFF &&
           (kind == CALL_PLAIN || state.settings.calls_all || state.under_wine || trace_on());
}

bool receive_passes_message(fd_class class, size_t len)
{
    /* What a descriptor is is not asked for a read, however tails are held. Under Wine nobody sees
     * where they come from. */
    if (fd_kind(class) < FD_SOCKET && !state.under_wine)
        return table_nothing_held();
    return receive_nothing_held() &&
           (fd_kind(class) < FD_SOCKET ||
            (((fd_class_is_message(class) && len >= fd_class_longest(class)) ||
              !(receive_bounces() || (state_is_active() && state_is_sandboxed()))) &&
             !trace_on()));
}

/* If something is held, its socket may have come to the process in any way, and the cookie
 * counts. */
static fd_class class_of(enum call_kind kind, int fd)
{
    if (state_is_sandboxed())
        return fd_own_descriptors ? 0 : fd_class_cached(fd);
    return receive_nothing_held() && kind != CALL_COOPERATING && !state.under_wine
               ? fd_class_get(fd)
               : fd_class_get_any(fd);
}

bool receive_may_act_on(enum call_kind kind, int fd)
{
    return receive_may_act(kind) && fd_kind(class_of(kind, fd)) >= FD_DATAGRAM;
}

/* --- plan, then act ---------------------------------------------------------------------- */

/* What is held first for the socket. The class may be stale, so the cookie is asked for again
 * before a byte is handed out. */
static enum held_kind look_up(int fd, fd_class *class, struct table_found *ret_found)
{
    for (int tries = 0; tries < 2; tries++) {
        uint64_t cookie = fd_class_cookie(*class);
        enum held_kind held;

        if (cookie == 0 || !table_may_hold(state.table, cookie))
            return HELD_NOT;
        held = table_find(state.table, cookie, ret_found);
        if (held == HELD_NOT || state_is_sandboxed() || fd_has_cookie(fd, cookie))
            return held;
        *class = fd_class_query(fd);
    }
    return HELD_NOT;
}

static bool get_bounce(struct receive *receive, fd_class class)
{
    static atomic_int reported;

    if (!receive->bounce)
        receive->bounce = bounce_acquire(fd_class_longest(class), receive->stack);
    if (!receive->bounce)
        diag_once(reported, "no memory for a bounce buffer; receives are as without the library");
    return receive->bounce;
}

static atomic_bool peek_offsets;

void receive_note_peek_offset(void)
{
    atomic_store_explicit(&peek_offsets, true, memory_order_relaxed);
}

/* Whether the program has a peek offset in the socket: see socket(7), SO_PEEK_OFF. */
static bool has_peek_offset(int fd)
{
    int offset = -1;
    socklen_t length = sizeof offset;

    return atomic_load_explicit(&peek_offsets, memory_order_relaxed) &&
           sys_getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &offset, &length) == 0 && offset >= 0;
}

static struct receive_result hold(struct receive *receive, const struct hold_strategy *strategy,
                                  fd_class class, bool parts)
{
    /* The class may be stale: no peek into another socket. */
    if (strategy->peeks && fd_query_cookie(receive->fd) != fd_class_cookie(class))
        class = fd_class_query(receive->fd);
    if (!fd_class_is_message(class) || (strategy->bounces && !get_bounce(receive, class)))
        return receive_pass();
    return strategy->receive(receive, fd_class_cookie(class), parts);
}

static struct receive_result act(struct receive *receive, enum receive_plan plan, fd_class class,
                                 struct table_found *found)
{
    switch (plan) {
    case PLAN_NEXT_PART:
        return hold_process_next(receive, found);
    case PLAN_TAKE:
        return hold(receive, &hold_process, class, true);
    case PLAN_PEEK:
    case PLAN_PEEK_WHOLE:
        if (found->kind == HELD_NOT && has_peek_offset(receive->fd))
            return plan == PLAN_PEEK ? hold(receive, &hold_process, class, true) : receive_pass();
        return hold(receive, &hold_peek, class, plan == PLAN_PEEK);
    case PLAN_PEEK_OFFSET:
        return hold(receive, &hold_peek_offset, class, true);
    case PLAN_PASS:
        break;
    }
    return receive_pass();
}

/* In a frame of its own, which is gone before the plan is acted on. */
static __attribute__((noinline)) enum receive_plan plan_of(const struct receive *receive,
                                                           fd_class class, enum held_kind held)
{
    struct receive_facts facts;

    facts.held = held;
    facts.kind = fd_kind(class);
    facts.call = receive->kind;
    facts.mode = state.settings.mode;
    facts.calls_all = state.settings.calls_all;
    facts.recorded = trace_on();
    facts.peeks = receive_peeks();
    facts.under_wine = state.under_wine;
    facts.sandboxed = state_is_sandboxed();
    facts.most_buffers = receive->iovlen == BOUNCE_IOVECS;
    facts.flags = receive->flags;
    facts.room = receive->room;
    facts.longest = fd_class_longest(class);
    return receive_plan(&facts);
}

static struct receive_result run_once(struct receive *receive)
{
    struct table_found found;
    enum held_kind held;
    fd_class class;

    if (!receive_may_act(receive->kind))
        return receive_pass();
    /* The class may be stale: on a stream MSG_WAITALL would make the receive wait for more
     * bytes. */
    if ((receive->flags & MSG_WAITALL) && !state_is_sandboxed() && fd_is_stream_now(receive->fd))
        fd_forget(receive->fd);
    class = class_of(receive->kind, receive->fd);
    held = look_up(receive->fd, &class, &found);
    if (fd_kind(class) == FD_STREAM && held == HELD_NOT)
        fd_set_stream(receive->fd, 0);
    receive->report.ours = fd_class_is_message(class);
    found.kind = held;
    return act(receive, plan_of(receive, class, held), class, &found);
}

struct receive_result receive_run(struct receive *receive)
{
    struct receive_result result;

    do
        result = run_once(receive);
    while (result.outcome == RECEIVE_AGAIN);
    if (result.outcome == RECEIVE_DONE && result.value > 0 && !(receive->flags & MSG_PEEK))
        sigio_after_receive(receive->fd);
    return result;
}

/* --- the calls --------------------------------------------------------------------------- */

static struct receive_result run_traced(struct receive *receive)
{
    return trace_on() ? receive_traced(receive) : receive_run(receive);
}

static struct receive_result run_and_release(struct receive *receive)
{
    struct receive_result result = run_traced(receive);

    if (receive->bounce)
        bounce_release(receive->bounce, receive->touched);
    return result;
}

/* Copies the caller's iovec array. False: something is wrong with it, and the kernel will refuse
 * it. */
static bool copy_iov(struct receive *receive, const struct iovec *iov, size_t iovlen,
                     struct iovec *few)
{
    struct iovec *copy = few;

    if (iovlen > BOUNCE_IOVECS)
        return false;
    if (iovlen > FEW) {
        receive->bounce =
            bounce_acquire(fd_class_longest(fd_class_get(receive->fd)), receive->stack);
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

/* A receive with one buffer. */
static inline struct receive one_buffer(enum call_kind kind, int fd, const struct iovec *one,
                                        int flags, struct sockaddr *name, socklen_t *namelen,
                                        struct receive_site site)
{
    return (struct receive){.fd = fd,
                            .flags = flags,
                            .kind = kind,
                            .iov = one,
                            .iovlen = 1,
                            .room = one->iov_len,
                            .name = name,
                            .namelen = namelen,
                            .site = site};
}

/* Whether this is an ordinary datagram, but for its length (see bounce_expects_large()), for which a
 * bounce buffer could be had. */
static bool is_large(struct receive *receive)
{
    fd_class class = fd_class_cached(receive->fd);

    return bounce_expects_large(receive->fd, receive->room) && fd_class_is_message(class) &&
           receive->room < fd_class_longest(class) && !trace_on() &&
           !(receive->flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL)) && receive_bounces() &&
           !receive_peeks() && !table_may_hold(state.table, fd_class_cookie(class)) &&
           get_bounce(receive, class);
}

static struct receive_result run_large(struct receive *receive)
{
    struct receive_result result = hold_process.receive(receive, 0, true);

    if (result.outcome == RECEIVE_AGAIN)
        return receive_run(receive);
    sigio_after_receive(receive->fd);
    return result;
}

struct receive_result receive_slow_path(int fd, void *buf, size_t len, int flags,
                                        struct sockaddr *name, socklen_t *namelen,
                                        struct receive_site site)
{
    struct iovec one = {buf, len};
    struct receive receive = one_buffer(CALL_PLAIN, fd, &one, flags, name, namelen, site);
    int saved = errno;
    struct receive_result result;

    receive.stack = BOUNCE_CALL;
    user_memory_catch_up();
    if (is_large(&receive)) {
        result = run_large(&receive);
        bounce_release(receive.bounce, receive.touched);
    } else {
        result = run_and_release(&receive);
    }
    if (result.outcome == RECEIVE_PASS && state_is_sandboxed())
        result = receive_pass_in_sandbox(&receive);
    errno = saved;
    return result;
}

struct receive_result receive_after_bounce(int fd, void *buf, size_t len, int flags,
                                           struct sockaddr *name, socklen_t *namelen,
                                           struct bounce_buffer *bounce, ssize_t got,
                                           socklen_t room, struct receive_site site)
{
    struct iovec one = {buf, len};
    struct receive receive = one_buffer(CALL_PLAIN, fd, &one, flags, name, namelen, site);
    int saved = errno;
    struct receive_result result;

    receive.stack = BOUNCE_CALL;
    receive.bounce = bounce;
    receive.name_room = room;
    result = hold_process_bounced(&receive, got, room);
    if (result.outcome == RECEIVE_AGAIN)
        result = receive_run(&receive);
    else
        sigio_after_receive(fd);
    if (trace_on() && result.outcome == RECEIVE_DONE && (receive.report.ours || result.value < 0))
        receive_record(&receive, result.value);
    bounce_release(bounce, receive.touched);
    errno = saved;
    return result;
}

struct receive_result receive_part(int fd, void *buf, size_t len, int flags,
                                   struct sockaddr_storage *name, socklen_t *namelen,
                                   struct receive_report *report, struct receive_site site)
{
    struct iovec one = {buf, len};
    struct receive receive =
        one_buffer(CALL_COOPERATING, fd, &one, flags, (struct sockaddr *)name, namelen, site);
    struct receive_result result;

    receive.stack = BOUNCE_CALL;
    if (atomic_load_explicit(&state.active, memory_order_acquire))
        state_cooperates();
    result = run_and_release(&receive);
    *report = receive.report;
    return result;
}

struct receive_result receive_vector(int fd, const struct iovec *iov, int iovcnt, int flags,
                                     struct receive_site site)
{
    struct receive receive = {
        .fd = fd, .flags = flags, .kind = CALL_PLAIN, .site = site, .stack = BOUNCE_CALL};
    struct iovec few[FEW];
    struct receive_result result = receive_pass();

    if (iovcnt <= 0 || !receive_may_act_on(CALL_PLAIN, fd))
        return receive_pass();
    user_memory_catch_up();
    /* readv(2) with no room consumes nothing, as read(2). */
    if (copy_iov(&receive, iov, (size_t)iovcnt, few) && receive.room > 0)
        result = run_traced(&receive);
    if (receive.bounce)
        bounce_release(receive.bounce, receive.touched);
    return result;
}

/* What recvmsg(2) writes to its msghdr. 0, or -EFAULT. */
static int copy_lengths(struct msghdr *msg, const struct msghdr *copy)
{
    enum {
        BOTH = offsetof(struct msghdr, msg_flags) + sizeof copy->msg_flags -
               offsetof(struct msghdr, msg_controllen)
    };
    int error = 0;

    if (copy->msg_name)
        error = user_memory_write(&msg->msg_namelen, &copy->msg_namelen, sizeof copy->msg_namelen);
    return error ? error : user_memory_write(&msg->msg_controllen, &copy->msg_controllen, BOTH);
}

struct receive_result receive_message_noting(int fd, struct msghdr *msg, int flags,
                                             struct receive_site site, bool *ret_tail)
{
    struct msghdr copy;
    struct receive receive = {.fd = fd,
                              .flags = flags,
                              .kind = CALL_REPORTING,
                              .msg = &copy,
                              .site = site,
                              .stack = BOUNCE_CALL};
    struct iovec few[FEW];
    struct receive_result result = receive_pass();

    *ret_tail = false;
    user_memory_catch_up();
    if (user_memory_read(&copy, msg, sizeof copy) != 0)
        return receive_pass();
    if (copy_iov(&receive, copy.msg_iov, (size_t)copy.msg_iovlen, few))
        result = run_traced(&receive);
    if (receive.bounce)
        bounce_release(receive.bounce, receive.touched);
    if (result.outcome == RECEIVE_DONE && result.value >= 0 && copy_lengths(msg, &copy) != 0)
        return receive_done(-EFAULT);
    *ret_tail = receive.held_before || receive.report.left > 0;
    return result;
}

/* Wine's own recvmsg(2), whose pointers are trusted. Its frame is not for the others' stack. */
static __attribute__((noinline)) struct receive_result
receive_for_wine(int fd, struct msghdr *msg, int flags, struct receive_site site)
{
    struct receive receive = {.fd = fd,
                              .flags = flags,
                              .kind = CALL_REPORTING,
                              .iov = msg->msg_iov,
                              .iovlen = (size_t)msg->msg_iovlen,
                              .msg = msg,
                              .site = site,
                              .stack = BOUNCE_CALL};

    for (size_t i = 0; i < receive.iovlen; i++)
        receive.room += msg->msg_iov[i].iov_len;
    return receive_run(&receive);
}

struct receive_result receive_message(int fd, struct msghdr *msg, int flags,
                                      struct receive_site site)
{
    bool tail;

    if (state_is_active() && state.under_wine && fd_kind(fd_class_get_any(fd)) == FD_DATAGRAM)
        return receive_for_wine(fd, msg, flags, site);
    if (!receive_may_act_on(CALL_REPORTING, fd))
        return receive_pass();
    return receive_message_noting(fd, msg, flags, site, &tail);
}
