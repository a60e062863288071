/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "receive/receive.h"

#include "base/diag.h"
#include "base/sys.h"
#include "base/usdt.h"
#include "base/user_memory.h"
#include "receive/copy_out.h"
#include "receive/fast_path.h"
#include "receive/hold_peek.h"
#include "receive/hold_peek_offset.h"
#include "receive/hold_process.h"
#include "receive/message.h"
#include "receive/next_part.h"
#include "receive/passthrough.h"
#include "receive/plan.h"
#include "receive/traced.h"
#include "receive/unlocked.h"
#include "wait/sigio.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

bool receive_may_act(enum call_kind kind)
{
    if (!state_is_active())
        return false;
    if (!table_idle(state.table))
        return true;
    if (sys_is_sandboxed() || atomic_load_explicit(&receive_recvmsg_refused, memory_order_relaxed))
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
              !(receive_bounces() || (state_is_active() && sys_is_sandboxed()))) &&
             !trace_on()));
}

/* If something is held, its socket may have come to the process in any way, and the cookie
 * counts. */
static fd_class class_of(enum call_kind kind, int fd)
{
    if (sys_is_sandboxed())
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
        if (held == HELD_NOT || sys_is_sandboxed() || fd_has_cookie(fd, cookie))
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

/* Where another kind of socket than the class said has longer messages, its bounce buffer is another
 * one as well. */
static SLOW_PATH fd_class query_stale(struct receive *receive)
{
    fd_class class = fd_class_query(receive->fd);

    if (receive->bounce && receive->bounce->size < fd_class_longest(class) &&
        receive->iov != receive->bounce->iov) {
        bounce_release(receive->bounce, receive->touched);
        receive->bounce = NULL;
    }
    receive->stale = false;
    receive->sure = true;
    return class;
}

static struct receive_result hold(struct receive *receive, const struct hold_strategy *strategy,
                                  fd_class class, bool parts)
{
    struct receive_result result;

    if (strategy->peeks && receive->stale)
        class = query_stale(receive);
    if (!fd_class_is_message(class) || (strategy->bounces && !get_bounce(receive, class)))
        return receive_pass();
    result = strategy->receive(receive, fd_class_cookie(class), parts);
    if (result.outcome == RECEIVE_DONE && result.value == -ENOTSOCK)
        return receive_pass_stale(receive);
    return result;
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
        if (found->kind == HELD_NOT &&
            (has_peek_offset(receive->fd) || unlocked_is_interrupted(receive->stack)))
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
    facts.sandboxed = sys_is_sandboxed();
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
    if ((receive->flags & MSG_WAITALL) && !sys_is_sandboxed() && fd_is_stream_now(receive->fd))
        fd_forget(receive->fd);
    class = class_of(receive->kind, receive->fd);
    held = look_up(receive->fd, &class, &found);
    if (fd_kind(class) == FD_STREAM && held == HELD_NOT)
        fd_set_stream(receive->fd, 0);
    receive->report.ours = fd_class_is_message(class);
    receive->sure = held != HELD_NOT; /* look_up() has asked */
    found.kind = held;
    return act(receive, plan_of(receive, class, held), class, &found);
}

struct receive_result receive_run(struct receive *receive)
{
    struct receive_result result;

    do
        result = run_once(receive);
    while (result.outcome == RECEIVE_AGAIN);
    if (result.outcome == RECEIVE_DONE && result.value < 0 && receive_finds_refused(result.value))
        return receive_pass();
    if (result.outcome == RECEIVE_DONE && result.value > 0 && !(receive->flags & MSG_PEEK))
        sigio_after_receive(receive->fd);
    return result;
}

/* --- the calls --------------------------------------------------------------------------- */

struct receive_result receive_run_traced(struct receive *receive)
{
    return trace_on() ? receive_traced(receive) : receive_run(receive);
}

static struct receive_result run_and_release(struct receive *receive)
{
    struct receive_result result = receive_run_traced(receive);

    if (receive->bounce)
        bounce_release(receive->bounce, receive->touched);
    return result;
}

bool receive_copy_iov(struct receive *receive, const struct iovec *iov, size_t iovlen,
                      struct iovec few[RECEIVE_FEW])
{
    struct iovec *copy = few;

    if (iovlen > BOUNCE_IOVECS)
        return false;
    if (iovlen > RECEIVE_FEW) {
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

/* --- the calls with one buffer ----------------------------------------------------------- */

static __attribute__((noinline)) struct receive_result
run_slowly(int fd, void *buf, size_t len, int flags, struct sockaddr *name, socklen_t *namelen,
           struct receive_site site, bool fits_not)
{
    struct iovec one = {buf, len};
    struct receive receive;
    int saved = errno;
    struct receive_result result;

    receive_init(&receive, CALL_PLAIN, fd, &one, flags, name, namelen, site);
    receive.stack = BOUNCE_CALL;
    receive.fits_not = fits_not;
    user_memory_catch_up();
    result = receive_run_traced(&receive);
    if (receive.bounce)
        bounce_release(receive.bounce, receive.touched);
    if (result.outcome == RECEIVE_PASS && sys_is_sandboxed())
        result = receive_pass_in_sandbox(&receive);
    errno = saved;
    return result;
}

/* A message has come that does not fit: asks who its socket is, before anything is called from which one
 * would have to return after that (see sys_getsockopt()). */
static inline __attribute__((always_inline)) void ask_who(struct receive *receive, ssize_t got)
{
    fd_class class = fd_class_cached(receive->fd);
    uint64_t cookie = fd_class_cookie(class);

    if (got > 0 && (size_t)got > receive->room && fd_class_is_message(class) && cookie != 0 &&
        !sys_is_sandboxed() && fd_query_cookie(receive->fd) == cookie)
        receive->cookie = cookie;
}

/* What did not fit, or anything else but a message that did. `msg`: what it was received with. */
static __attribute__((noinline)) struct receive_result
finish_large(struct receive *receive, const struct msghdr *msg, ssize_t result)
{
    struct taken taken = {.iov = msg->msg_iov,
                          .iovlen = (size_t)msg->msg_iovlen,
                          .delivered = true,
                          .msg_flags = msg->msg_flags,
                          .peer = msg->msg_name,
                          .peer_length = msg->msg_namelen};
    struct receive_result made;
    int saved = errno;

    if (receive_finds_refused(result))
        return receive_pass();
    if (result >= 0)
        taken.name_room = copy_out_name_room(receive);
    made = hold_process_finish(receive, result, &taken);
    if (made.outcome == RECEIVE_AGAIN)
        made = receive_run(receive);
    else
        sigio_after_receive(receive->fd);
    errno = saved;
    return made;
}

/* Straight into the caller's buffer, with the bounce buffer behind it: one recvmsg(2), and little else
 * if the message fits. */
struct receive_result receive_large(int fd, void *buf, size_t len, int flags, struct sockaddr *name,
                                    socklen_t *namelen, struct receive_site site)
{
    size_t longest = fd_class_longest(fd_class_cached(fd));
    struct bounce_buffer *bounce;
    struct iovec iov[2] = {{buf, len}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
    struct sockaddr_storage address;
    struct receive_result made;
    struct receive receive;
    ssize_t result;

    if (trace_on() || !(bounce = bounce_acquire_own(longest, BOUNCE_CALL)))
        return run_slowly(fd, buf, len, flags, name, namelen, site, false);
    iov[1] = (struct iovec){bounce->data, bounce->size};
    if (name) {
        msg.msg_name = &address;
        msg.msg_namelen = sizeof address;
    }
    result = sys_recvmsg(fd, &msg, flags);
    if (result > 0)
        user_memory_learn_once(buf, (size_t)result < len ? (size_t)result : len);
    if (LIKELY(result > 0) && LIKELY((size_t)result <= len) && LIKELY(!name) &&
        LIKELY(!receive_may_be_held(state.table, fd_class_cached(fd)))) {
        bounce_note_length(fd, (size_t)result);
        bounce_release(bounce, 0);
        USDT_PART(fd, result, len, result, 0);
        return receive_done(result);
    }
    receive_init(&receive, CALL_PLAIN, fd, iov, flags, name, namelen, site);
    receive.stack = BOUNCE_CALL;
    receive.bounce = bounce;
    ask_who(&receive, result);
    made = finish_large(&receive, &msg, result);
    bounce_release(bounce, receive.touched);
    return made;
}

/* Whether this is an ordinary datagram, but for its length: see bounce_expects_large(). */
static inline bool is_large(int fd, fd_class class, size_t len, int flags)
{
    return bounce_expects_large(fd, len) && fd_class_is_message(class) &&
           len < fd_class_longest(class) && !(flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL)) &&
           receive_bounces() && !receive_peeks() && !receive_may_be_held(state.table, class);
}

/* Whether a next part is to be taken in the general way: with an address, say (see next_part.h). */
static bool is_next_part(int fd, struct table_found *ret_found)
{
    uint64_t cookie = fd_class_cookie(fd_class_cached(fd));

    return table_may_hold(state.table, cookie) &&
           table_find(state.table, cookie, ret_found) == HELD_HERE && fd_has_cookie(fd, cookie);
}

struct receive_result receive_slow_path(int fd, void *buf, size_t len, int flags,
                                        struct sockaddr *name, socklen_t *namelen,
                                        struct receive_site site, bool fits_not)
{
    /* In this frame, not in one of its own: see sys_getsockopt(). */
    if (!table_idle(state.table) && next_part_may_come(fd_class_cached(fd), flags)) {
        struct iovec one = {buf, len};
        struct receive receive;
        struct table_found found;
        struct receive_result next;
        int *error, saved;

        sys_cancellation_point();
        user_memory_catch_up();
        next = next_part_receive(fd, buf, len, name);
        if (LIKELY(next.outcome != RECEIVE_AGAIN))
            return next;
        error = &errno;
        saved = *error;
        receive_init(&receive, CALL_PLAIN, fd, &one, flags, name, namelen, site);
        if (is_next_part(fd, &found)) {
            struct receive_result result = hold_process_next(&receive, &found);

            if (result.outcome == RECEIVE_DONE)
                sigio_after_receive(fd);
            *error = saved;
            if (result.outcome != RECEIVE_AGAIN)
                return result;
        }
    }
    return is_large(fd, fd_class_cached(fd), len, flags)
               ? receive_large(fd, buf, len, flags, name, namelen, site)
               : run_slowly(fd, buf, len, flags, name, namelen, site, fits_not);
}

struct receive_result receive_after_bounce(int fd, void *buf, size_t len, int flags,
                                           struct sockaddr *name, socklen_t *namelen,
                                           struct bounce_buffer *bounce, ssize_t got,
                                           socklen_t room, struct receive_site site)
{
    struct iovec one = {buf, len};
    struct receive receive;
    int saved = errno;
    struct receive_result result;

    receive_init(&receive, CALL_PLAIN, fd, &one, flags, name, namelen, site);
    receive.stack = BOUNCE_CALL;
    receive.bounce = bounce;
    receive.name_room = room;
    ask_who(&receive, got);
    result = hold_process_bounced(&receive, got, room);
    unlocked_end(bounce->owner);
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
    struct receive receive;
    struct receive_result result;

    receive_init(&receive, CALL_COOPERATING, fd, &one, flags, (struct sockaddr *)name, namelen,
                 site);
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
    struct iovec few[RECEIVE_FEW];
    struct receive_result result = receive_pass();

    if (iovcnt <= 0 || !receive_may_act_on(CALL_PLAIN, fd))
        return receive_pass();
    sys_cancellation_point();
    user_memory_catch_up();
    /* readv(2) with no room consumes nothing, as read(2). */
    if (receive_copy_iov(&receive, iov, (size_t)iovcnt, few) && receive.room > 0)
        result = receive_run_traced(&receive);
    if (receive.bounce)
        bounce_release(receive.bounce, receive.touched);
    return result;
}
