/* SPDX-License-Identifier: MIT
 *
 * recvmsg(2): as it is with WSRX_CALLS=all, under Wine, or while something is held.
 */
#define _GNU_SOURCE
#include "base/libc.h"
#include "receive/copy_out.h"
#include "receive/fast_path.h"
#include "receive/hold_process.h"
#include "receive/message.h"
#include "wait/sigio.h"

#include <limits.h>
#include <stddef.h>

/* A receive whose buffers are still to be named. */
static inline struct receive reporting(int fd, struct msghdr *msg, int flags,
                                       struct receive_site site, const void *stack)
{
    return (struct receive){
        .fd = fd, .flags = flags, .kind = CALL_REPORTING, .msg = msg, .site = site, .stack = stack};
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
    struct receive receive = reporting(fd, &copy, flags, site, BOUNCE_CALL);
    struct iovec few[RECEIVE_FEW];
    struct receive_result result = receive_pass();

    *ret_tail = false;
    user_memory_catch_up();
    if (user_memory_read(&copy, msg, sizeof copy) != 0)
        return receive_pass();
    if (receive_copy_iov(&receive, copy.msg_iov, (size_t)copy.msg_iovlen, few))
        result = receive_run_traced(&receive);
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
    struct receive receive = reporting(fd, msg, flags, site, BOUNCE_CALL);

    receive.iov = msg->msg_iov;
    receive.iovlen = (size_t)msg->msg_iovlen;
    for (size_t i = 0; i < receive.iovlen; i++)
        receive.room += msg->msg_iov[i].iov_len;
    return receive_run(&receive);
}

/* --- a message that fits ----------------------------------------------------------------- */

/* What stands around one recvmsg(2), beside `taken`. */
struct taking {
    struct msghdr theirs; /* a copy */
    struct msghdr ours;
    struct iovec iov[RECEIVE_FEW + 1]; /* theirs, and behind them the bounce buffer */
    size_t count, room;                /* of theirs */
    struct bounce_buffer *bounce;
};

static bool may_take(fd_class class, int flags)
{
    return LIKELY(fd_class_is_message(class)) && LIKELY(state.settings.calls_all) &&
           LIKELY(!(flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL))) && LIKELY(receive_bounces()) &&
           LIKELY(!receive_may_be_held(state.table, class)) && LIKELY(!trace_on()) &&
           LIKELY(!state.under_wine);
}

/* False: it is for receive_message_noting() to say what the kernel does with it. */
static inline bool prepare(struct taking *taking, const struct msghdr *msg, size_t longest)
{
    struct msghdr *theirs = &taking->theirs;

    if (user_memory_read(theirs, msg, sizeof *theirs) != 0 ||
        (taking->count = (size_t)theirs->msg_iovlen) > RECEIVE_FEW ||
        user_memory_read(taking->iov, theirs->msg_iov, taking->count * sizeof *taking->iov) != 0)
        return false;
    taking->room = 0;
    for (size_t i = 0; i < taking->count; i++) {
        if (taking->iov[i].iov_len >= longest)
            return false;
        taking->room += taking->iov[i].iov_len;
    }
    return taking->room > 0 && taking->room < longest;
}

/* What did not fit, or anything else but a message that did. */
static __attribute__((noinline)) struct receive_result finish(int fd, struct msghdr *msg, int flags,
                                                              struct receive_site site,
                                                              struct taking *taking,
                                                              struct taken *taken, ssize_t result)
{
    struct receive receive = reporting(fd, &taking->theirs, flags, site, taking->bounce->owner);
    struct receive_result made;

    receive.iov = taking->iov;
    receive.iovlen = taking->count;
    receive.room = taking->room;
    receive.bounce = taking->bounce;
    if (result >= 0) {
        taken->control_room = taking->theirs.msg_controllen;
        taking->theirs.msg_controllen = taking->ours.msg_controllen;
        taken->name_room = copy_out_name_room(&receive);
        taken->iov = taking->iov;
        taken->iovlen = taking->count + 1;
        taken->delivered = true;
        taken->msg_flags = taking->ours.msg_flags;
        taken->peer = taking->ours.msg_name;
        taken->peer_length = taking->ours.msg_namelen;
    }
    made = hold_process_finish(&receive, result, taken);
    if (made.outcome == RECEIVE_AGAIN)
        made = receive_run(&receive);
    else
        sigio_after_receive(fd);
    bounce_release(receive.bounce, receive.touched);
    if (made.outcome == RECEIVE_DONE && made.value >= 0 && copy_lengths(msg, &taking->theirs) != 0)
        return receive_done(-EFAULT);
    return made;
}

/* Hands over what came with the message. 0, or -EFAULT. */
static inline int hand_over(struct msghdr *msg, struct taking *taking)
{
    struct msghdr *theirs = &taking->theirs;
    const struct msghdr *ours = &taking->ours;
    socklen_t room = theirs->msg_namelen;
    int error = 0;

    if (theirs->msg_name) {
        theirs->msg_namelen = ours->msg_namelen;
        error = user_memory_write(theirs->msg_name, ours->msg_name,
                                  room < ours->msg_namelen ? room : ours->msg_namelen);
    }
    theirs->msg_controllen = ours->msg_controllen;
    theirs->msg_flags = ours->msg_flags;
    return error ? error : copy_lengths(msg, theirs);
}

/* A message of which nothing is planned, since most often it fits: then this is one recvmsg(2), and
 * little else. RECEIVE_AGAIN: it is for receive_message_noting(). */
static __attribute__((noinline)) struct receive_result
take(int fd, fd_class class, struct msghdr *msg, int flags, struct receive_site site)
{
    struct taking taking;
    struct taken taken;
    ssize_t result;
    int error;

    user_memory_catch_up();
    if (!prepare(&taking, msg, fd_class_longest(class)) ||
        !(taking.bounce = bounce_acquire(fd_class_longest(class), BOUNCE_CALL)))
        return receive_again();
    taking.iov[taking.count] = (struct iovec){taking.bounce->data, taking.bounce->size};
    taking.ours = (struct msghdr){.msg_name = &taken.address, /* for later parts, at least */
                                  .msg_namelen = sizeof taken.address,
                                  .msg_iov = taking.iov,
                                  .msg_iovlen = (msghdr_count)(taking.count + 1),
                                  .msg_control = taking.theirs.msg_control,
                                  .msg_controllen = taking.theirs.msg_controllen};
    result = sys_recvmsg(fd, &taking.ours, flags);
    if (!(LIKELY(result >= 0) && LIKELY((size_t)result <= taking.room) &&
          LIKELY(!receive_may_be_held(state.table, class))))
        return finish(fd, msg, flags, site, &taking, &taken, result);

    bounce_note_length(fd, (size_t)result);
    bounce_release(taking.bounce, 0);
    user_memory_learn(taking.iov[0].iov_base, (size_t)result < taking.iov[0].iov_len
                                                  ? (size_t)result
                                                  : taking.iov[0].iov_len);
    USDT_PART(fd, result, taking.room, result, 0);
    error = hand_over(msg, &taking);
    return receive_done(error ? error : result);
}

struct receive_result receive_message(int fd, struct msghdr *msg, int flags,
                                      struct receive_site site)
{
    fd_class class = fd_class_cached(fd);
    struct receive_result made = receive_again();
    bool tail;

    if (may_take(class, flags))
        made = take(fd, class, msg, flags, site);
    if (made.outcome != RECEIVE_AGAIN)
        return made;
    if (state_is_active() && state.under_wine && fd_kind(fd_class_get_any(fd)) == FD_DATAGRAM)
        return receive_for_wine(fd, msg, flags, site);
    if (!receive_may_act_on(CALL_REPORTING, fd))
        return receive_pass();
    return receive_message_noting(fd, msg, flags, site, &tail);
}
