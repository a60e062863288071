/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "receive/hold_peek.h"

#include "base/clock.h"
#include "base/diag.h"
#include "base/sys.h"
#include "base/user_memory.h"
#include "fd/fd_class.h"
#include "receive/copy_out.h"
#include "receive/hold_process.h"
#include "receive/passthrough.h"
#include "table/current.h"
#include "table/held.h"
#include "wait/epoll_ctl.h"

#include <string.h>

/* One after the other these take less stack than all at once. */
#define OWN_FRAME __attribute__((noinline))

/* The message at the head of the queue, whole in the bounce buffer. */
struct head {
    size_t length;
    int msg_flags;
    socklen_t peer_length;
    struct sockaddr_storage peer;
};

/* An attempt to receive with the mutex held, and what is to be done after its release. */
struct attempt {
    struct receive *receive;
    uint64_t cookie;
    bool fits_not; /* by its length the message at the head of the queue may not fit */
    bool moved;    /* something is held in the process now */
    bool whole;    /* a message that fits is in flight: */
    union {
        struct taken taken;
        struct { /* before it is taken */
            struct head head;
            struct held held; /* what is held, or will be */
        };
    };
};

/* Peeks or takes it; does not block. `control`: with its control data. */
static ssize_t get_head(struct receive *receive, int flags, bool control, struct head *ret_head)
{
    struct iovec whole = {receive->bounce->data, receive->bounce->size};
    struct msghdr msg = {.msg_name = &ret_head->peer,
                         .msg_namelen = sizeof ret_head->peer,
                         .msg_iov = &whole,
                         .msg_iovlen = 1};
    ssize_t result;

    if (control && receive->msg) {
        msg.msg_control = receive->msg->msg_control;
        msg.msg_controllen = receive->msg->msg_controllen;
        flags |= receive->flags & MSG_CMSG_CLOEXEC;
    }
    result = next_calls.recvmsg(receive->fd, &msg, flags | MSG_DONTWAIT);
    if (result < 0)
        return -errno;
    if (control && receive->msg)
        receive->msg->msg_controllen = msg.msg_controllen;
    ret_head->length = (size_t)result;
    ret_head->msg_flags = msg.msg_flags;
    ret_head->peer_length = msg.msg_namelen;
    if (receive->touched < ret_head->length)
        receive->touched = ret_head->length;
    return result;
}

/* The same in the midst of the message that is held: an error that does not come again is due after it,
 * and is kept at once, whatever becomes of this receive. */
static ssize_t get_head_again(struct attempt *attempt, int flags)
{
    ssize_t result;
    int error;

    RECEIVE_AGAIN_WHILE_IT_FAILS(result, &error,
                                 get_head(attempt->receive, flags, false, &attempt->head));
    if (error) {
        attempt->held.error = error;
        table_advance_locked(state.table, attempt->cookie, &attempt->held);
    }
    return result;
}

static uint64_t fingerprint_of(const struct receive *receive, const struct head *head)
{
    struct iovec whole = {receive->bounce->data, head->length};

    return message_fingerprint(&whole, 1, head->length);
}

static OWN_FRAME void owe_locked(uint64_t cookie, int error)
{
    struct held due = {.kind = HELD_KERNEL, .error = error};

    table_hold_locked(state.table, cookie, &due, NULL, 0);
}

void hold_peek_error(uint64_t cookie, int error)
{
    struct critical_section section;

    table_enter(table_needed(), &section);
    owe_locked(cookie, error);
    table_leave(state.table, &section);
}

/* Ends the message at the head of the table. An error that is to be reported after it stays. */
static void finish_locked(uint64_t cookie, int error)
{
    table_finish_locked(state.table, cookie);
    if (error)
        owe_locked(cookie, error);
}

static void tell_of_others(size_t lost)
{
    static atomic_int reported;

    diag_once(reported,
              "a message that was held in the kernel was taken from there by somebody else; "
              "%zu bytes of it are lost",
              lost);
    table_count_lost(state.table, lost);
}

/* Moves a whole message into the table: the one that is held in the kernel, or one that comes after
 * it. */
static OWN_FRAME void move_locked(struct attempt *attempt)
{
    const struct head *head = &attempt->head;
    struct iovec whole = {attempt->receive->bounce->data, head->length};
    struct held held = {.kind = HELD_HERE,
                        .length = head->length,
                        .msg_flags = head->msg_flags,
                        .fingerprint = fingerprint_of(attempt->receive, head),
                        .peer_known = true,
                        .peer_length = head->peer_length,
                        .peer = head->peer};

    if (table_hold_locked(state.table, attempt->cookie, &held, &whole, 1) < 0)
        tell_of_others(head->length);
    attempt->moved = true;
}

/* The held message is not at the head of the queue. Either it is in flight in a receive that began
 * without the mutex: that one is about to put it into the table, unless it has died. Or a process
 * that does not share the table has taken it. */
static struct receive_result miss_locked(struct attempt *attempt)
{
    enum { PATIENCE = 1000000000 }; /* nanoseconds */
    struct held *held = &attempt->held;
    int64_t now = clock_read(CLOCK_MONOTONIC_COARSE);

    if (held->missed == 0)
        held->missed = now;
    if (now - held->missed < PATIENCE) {
        table_advance_locked(state.table, attempt->cookie, held);
        return receive_done(-EAGAIN);
    }
    tell_of_others(held->length - held->offset);
    finish_locked(attempt->cookie, held->error);
    return receive_again();
}

static bool is_held(const struct attempt *attempt)
{
    return attempt->head.length == attempt->held.length &&
           fingerprint_of(attempt->receive, &attempt->head) == attempt->held.fingerprint;
}

/* Copies a part of the message to the caller, and the peer's address. 0, or -EFAULT. */
static int give(struct receive *receive, const struct head *head, size_t offset, size_t given)
{
    int error = copy_out_bytes(receive, receive->bounce->data + offset, given);

    return error ? error
                 : copy_out_name(receive, (const struct sockaddr *)&head->peer, head->peer_length);
}

/* The next part of the message that is held. */
static OWN_FRAME struct receive_result next_locked(struct attempt *attempt)
{
    struct receive *receive = attempt->receive;
    struct held *held = &attempt->held;
    size_t rest = held->length - held->offset;
    struct part part = part_next(rest, receive->room, receive_how(receive));
    bool peek = receive->flags & MSG_PEEK, last = part.left == 0 && !peek, there;
    ssize_t result = get_head_again(attempt, MSG_PEEK);

    there = result >= 0 && is_held(attempt);
    if (there && last) {
        result = get_head_again(attempt, 0);
        there = result >= 0 && is_held(attempt);
        if (result >= 0 && !there) /* another receive was faster */
            move_locked(attempt);
    }
    if (result < 0 && result != -EAGAIN)
        return receive_done(result);
    if (!there)
        return miss_locked(attempt);

    result = give(receive, &attempt->head, held->offset, part.given);
    if (result < 0) {
        if (last)
            move_locked(attempt);
        return receive_done(result);
    }
    receive->held_before = true;
    result = copy_out_part(receive, &part, rest, held);
    if (receive->msg)
        receive->msg->msg_controllen = 0; /* delivered with the first part */
    if (peek)
        return receive_done(result);
    table_count_part(state.table, &part, rest);
    held->offset += part.given;
    if (last)
        finish_locked(attempt->cookie, held->error);
    else
        table_advance_locked(state.table, attempt->cookie, held);
    return receive_done(result);
}

/* Takes a message that fits. It may be another one now, so it is taken as if it did not. */
static struct receive_result take_locked(struct attempt *attempt)
{
    struct receive *receive = attempt->receive;
    int flags = receive->flags;
    ssize_t result;

    receive->flags |= MSG_DONTWAIT;
    result = hold_process_take(receive, &attempt->taken);
    receive->flags = flags;
    attempt->whole = result >= 0;
    return receive_done(result);
}

/* Whether the message at the head of the queue fits, by its length alone: that costs less than a
 * peek, which looks the message up, copies it and asks for its sender. Some kinds of socket count
 * the whole queue, or cannot tell; 0 is an empty queue or a message without bytes. Then it is for a
 * peek to say. */
static bool fits(const struct receive *receive)
{
    int length;

    return receive->iovlen < BOUNCE_IOVECS && sys_queued(receive->fd, &length) == 0 && length > 0 &&
           (size_t)length <= receive->room;
}

/* Without a copy on the stack, which an initializer may make. */
static void held_init(struct held *held, size_t length)
{
    memset(held, 0, sizeof *held);
    held->kind = HELD_KERNEL;
    held->length = length;
}

/* A message of which nothing is held yet. */
static OWN_FRAME struct receive_result first_locked(struct attempt *attempt)
{
    struct receive *receive = attempt->receive;
    struct head *head = &attempt->head;
    struct held *held = &attempt->held;
    struct part part;
    ssize_t result;
    int error;

    if (!attempt->fits_not && fits(receive))
        return take_locked(attempt);
    result = get_head(receive, MSG_PEEK, false, head);
    if (result < 0)
        return receive_done(result);
    if (head->length <= receive->room && receive->iovlen < BOUNCE_IOVECS)
        return take_locked(attempt);
    if (head->length <= receive->room)
        return receive_passthrough(receive, MSG_DONTWAIT | MSG_TRUNC);

    /* A peek with a control buffer installs the descriptors of the message: only this one has
     * it. */
    if (receive->msg && receive->msg->msg_controllen > 0 &&
        (result = get_head(receive, MSG_PEEK, true, head)) < 0)
        return receive_done(result);
    part = part_next(head->length, receive->room, 0);
    held_init(held, head->length);
    held->msg_flags = head->msg_flags;
    held->fingerprint = fingerprint_of(receive, head);
    error = give(receive, head, 0, part.given);
    if (error)
        return receive_done(error);
    result = copy_out_part(receive, &part, head->length, held);
    held->offset = part.given;
    if (table_hold_locked(state.table, attempt->cookie, held, NULL, 0) < 0) {
        get_head(receive, 0, false, head);
        return receive_done(copy_out_cut(receive, head->length, "the fragment table is full"));
    }
    return receive_done(result);
}

/* The program's own call. What it cuts off of a plain call's message the mode drops. */
static OWN_FRAME struct receive_result whole_locked(struct receive *receive)
{
    struct policy policy =
        receive_policy(state.settings.mode, receive->kind, state.settings.calls_all);
    struct receive_result result = receive_passthrough(receive, MSG_DONTWAIT | MSG_TRUNC);
    bool drops = receive->kind == CALL_PLAIN && receive->room > 0 &&
                 !(receive->flags & (MSG_PEEK | MSG_TRUNC));

    if (result.outcome != RECEIVE_DONE || result.value < 0 || !drops || receive->report.lost == 0)
        return result;
    table_count_lost(state.table, receive->report.lost);
    return policy.emsgsize ? receive_done(-EMSGSIZE) : result;
}

/* The class may be stale: no peek into another socket, and no message from one that has a tail. Where
 * nothing at all is held, a message that fits may be anybody's, as without the mutex. */
static bool is_sure_locked(struct attempt *attempt, bool parts)
{
    struct receive *receive = attempt->receive;

    if (!receive->sure && parts && table_idle(state.table)) {
        attempt->fits_not = attempt->fits_not || !fits(receive);
        if (!attempt->fits_not)
            return true;
    }
    if (!receive->sure && fd_query_cookie(receive->fd) == attempt->cookie)
        receive->sure = true;
    receive->stale = !receive->sure;
    return receive->sure;
}

/* One try. -EAGAIN: the queue is empty. RECEIVE_AGAIN: things have changed. */
static OWN_FRAME struct receive_result try_locked(struct attempt *attempt, bool parts)
{
    struct held *held = &attempt->held;

    if (!is_sure_locked(attempt, parts))
        return receive_again();
    if (!attempt->receive->sure)
        return take_locked(attempt);
    if (!table_get_locked(state.table, attempt->cookie, held)) {
        if (attempt->receive->tail_only)
            return receive_done(0);
        return parts ? first_locked(attempt) : whole_locked(attempt->receive);
    }
    if (held->kind != HELD_KERNEL)
        return receive_again();
    if (held->length == 0 && attempt->receive->tail_only)
        return receive_done(0);
    if (held->length == 0) { /* not a message, but an error that came during the last one */
        table_finish_locked(state.table, attempt->cookie);
        return receive_done(-held->error);
    }
    return next_locked(attempt);
}

/* The result of the program's own call where the socket has been shut down. */
static struct receive_result nothing_more(struct receive *receive)
{
    struct sockaddr nobody = {0};

    if (receive->msg) {
        receive->msg->msg_controllen = 0;
        receive->msg->msg_flags = 0;
    }
    return receive_done(copy_out_name(receive, &nobody, 0));
}

/* Waits as the program's own call would: it may block, time out, be interrupted or fail, and the
 * kernel refuses bad buffers before it waits. */
static OWN_FRAME ssize_t wait_for_message(const struct receive *receive)
{
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)receive->iov,
                         .msg_iovlen = (msghdr_count)receive->iovlen};
    ssize_t result =
        next_calls.recvmsg(receive->fd, &msg, (receive->flags & MSG_DONTWAIT) | MSG_PEEK);

    return result < 0 ? -errno : result;
}

/* No message is taken without the table's mutex here; see fitting.h for one that fits. */
static OWN_FRAME struct receive_result receive_peeking(struct receive *receive, uint64_t cookie,
                                                       bool parts)
{
    enum { EMPTY_ENOUGH = 4 };

    if (user_memory_impossible(receive->iov, receive->iovlen))
        return receive_done(-EFAULT);

    for (unsigned again = 0, empty = 0;; again++) {
        struct attempt attempt;
        struct critical_section section;
        struct receive_result result;
        ssize_t waited;

        attempt.receive = receive;
        attempt.cookie = cookie;
        attempt.moved = attempt.whole = false;
        attempt.fits_not = again == 0 && receive->fits_not;
        table_enter(table_needed(), &section);
        /* Before the peek: a receive without the mutex that takes this message sees it before it
         * hands over the message (hold_process.c). */
        table_announce_locked(state.table, true);
        result = try_locked(&attempt, parts);
        table_announce_locked(state.table, false);
        table_leave(state.table, &section);
        if (attempt.moved)
            epoll_ctl_tail_changed(cookie);
        if (attempt.whole)
            return hold_process_finish(receive, result.value, &attempt.taken);
        if (result.outcome != RECEIVE_DONE || result.value != -EAGAIN || receive->tail_only)
            return result;
        if (again > 0) /* there is a message, but we must not take it yet: see miss_locked() */
            sys_yield();
        /* An empty message is there for the next try, unless somebody else takes it. What always
         * seems to be there is the end: shutdown(2). */
        if (empty == EMPTY_ENOUGH)
            return nothing_more(receive);
        waited = wait_for_message(receive);
        if (waited < 0)
            return receive_done(waited);
        if (sys_is_sandboxed()) /* another thread has installed a filter for all meanwhile */
            return receive_pass();
        empty = waited == 0 ? empty + 1 : 0;
    }
}

void hold_peek_take_over(int fd, uint64_t cookie)
{
    struct receive receive = {.fd = fd, .kind = CALL_PLAIN, .stack = BOUNCE_CALL};
    struct attempt attempt = {.receive = &receive, .cookie = cookie};
    struct critical_section section;

    receive.bounce = bounce_acquire(fd_class_longest(fd_class_cached(fd)), receive.stack);
    if (!receive.bounce)
        return;
    table_enter(state.table, &section);
    if (table_get_locked(state.table, cookie, &attempt.held) && attempt.held.kind == HELD_KERNEL &&
        get_head_again(&attempt, MSG_PEEK) >= 0 && is_held(&attempt) &&
        get_head_again(&attempt, 0) >= 0)
        move_locked(&attempt);
    table_leave(state.table, &section);
    bounce_release(receive.bounce, receive.touched);
}

const struct hold_strategy hold_peek = {.receive = receive_peeking, .bounces = true, .peeks = true};
