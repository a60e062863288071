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
    if (copy.msg_name && (int)copy.msg_namelen < 0) /* the kernel refuses it, and takes nothing */
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

struct receive_result receive_message(int fd, struct msghdr *msg, int flags,
                                      struct receive_site site)
{
    bool tail;

    if (state_is_active() && state.under_wine && fd_kind(fd_class_get_any(fd)) == FD_DATAGRAM)
        return receive_for_wine(fd, msg, flags, site);
    if (!receive_may_act_on(CALL_REPORTING, fd))
        return receive_pass();
    sys_cancellation_point();
    return receive_message_noting(fd, msg, flags, site, &tail);
}

/* --- a message that fits ----------------------------------------------------------------- */

/* What stands around one recvmsg(2), beside `taken`. */
struct taking {
    struct msghdr theirs; /* a copy */
    struct msghdr ours;
    struct iovec iov[RECEIVE_FEW + 1]; /* theirs, and behind them the bounce buffer */
    size_t count, room;                /* of theirs */
    uintptr_t generation;              /* of the program's memory, in which the msghdr is known */
    struct bounce_buffer *bounce;
};

static inline bool may_take(fd_class class, int flags)
{
    const struct state *now = state_here();
    const struct table *table = now->table;

    return LIKELY(fd_class_is_message(class)) && LIKELY(now->settings.calls_all) &&
           LIKELY(!(flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL))) &&
           LIKELY(receive_bounces_with(now, table)) && LIKELY(!receive_may_be_held(table, class)) &&
           LIKELY(!trace_on()) && LIKELY(!now->under_wine);
}

/* Word by word, as the program has just written it: a processor does not find two stores for one long
 * load before they are in its cache. */
static inline void copy_header(struct msghdr *to, const struct msghdr *from)
{
    typedef unsigned long word __attribute__((may_alias));
    const volatile word *at = (const volatile word *)(const volatile void *)from;

    _Static_assert(sizeof *to % sizeof *at == 0, "whole words");
#pragma GCC unroll 7
    for (size_t i = 0; i < sizeof *to / sizeof *at; i++)
        ((word *)(void *)to)[i] = at[i];
}

/* The program's buffers. Most often they are described beside the msghdr. */
static inline bool get_buffers(struct taking *taking, const struct msghdr *msg, size_t longest)
{
    const struct iovec *from = taking->theirs.msg_iov;
    size_t count = (size_t)taking->theirs.msg_iovlen, size = count * sizeof *from, room = 0;
    uintptr_t at = (uintptr_t)from;

    if (count > RECEIVE_FEW)
        return false;
    if (!(LIKELY(at >> USER_MEMORY_SHIFT == (uintptr_t)msg >> USER_MEMORY_SHIFT) &&
          LIKELY((at & (USER_MEMORY_PAGE - 1)) + size <= USER_MEMORY_PAGE))) {
        if (user_memory_read(taking->iov, from, size) != 0)
            return false;
        from = taking->iov;
    }
    for (size_t i = 0; i < count; i++) {
        struct iovec one = from[i];

        if (one.iov_len >= longest)
            return false;
        room += one.iov_len;
        taking->iov[i] = one;
    }
    taking->count = count;
    taking->room = room;
    return room > 0 && room < longest;
}

/* Where the sender's address goes: to the program at once, if any address has room there. It is asked
 * for in any case, for later parts at least. */
static inline void set_name(struct taking *taking, struct taken *taken)
{
    const struct msghdr *theirs = &taking->theirs;

    if (theirs->msg_name && LIKELY(theirs->msg_namelen >= sizeof taken->held.peer)) {
        taking->ours.msg_name = theirs->msg_name;
        taking->ours.msg_namelen = theirs->msg_namelen;
    } else {
        taking->ours.msg_name = &taken->held.peer;
        taking->ours.msg_namelen = sizeof taken->held.peer;
    }
}

/* False: it is for receive_message_noting() to say what the kernel does with it. */
static inline bool prepare(struct taking *taking, struct taken *taken, const struct msghdr *msg,
                           fd_class class)
{
    taking->generation = user_memory.generation;
    if (!(LIKELY(user_memory_known(msg)) && LIKELY(user_memory_still(msg, sizeof *msg))))
        return false;
    copy_header(&taking->theirs, msg);
    if (!get_buffers(taking, msg, fd_class_longest(class)) ||
        !(taking->bounce = bounce_acquire_own(fd_class_longest(class), BOUNCE_CALL)))
        return false;
    taking->iov[taking->count] = (struct iovec){taking->bounce->data, taking->bounce->size};
    taking->ours = (struct msghdr){.msg_iov = taking->iov,
                                   .msg_iovlen = (msghdr_count)(taking->count + 1),
                                   .msg_control = taking->theirs.msg_control,
                                   .msg_controllen = taking->theirs.msg_controllen};
    set_name(taking, taken);
    return true;
}

/* Sets the address, which is read from the program's memory. That may be gone by now. */
static void set_peer(const struct taking *taking, struct taken *taken)
{
    const struct msghdr *ours = &taking->ours;

    taken->peer = (const struct sockaddr *)&taken->held.peer;
    taken->peer_length = ours->msg_namelen;
    if (ours->msg_name != &taken->held.peer &&
        (ours->msg_namelen > sizeof taken->held.peer ||
         user_memory_read(&taken->held.peer, ours->msg_name, ours->msg_namelen) != 0))
        taken->peer_length = 0;
}

/* What did not fit, or anything else but a message that did. */
static __attribute__((noinline)) struct receive_result finish(int fd, struct msghdr *msg, int flags,
                                                              struct receive_site site,
                                                              struct taking *taking,
                                                              struct taken *taken, ssize_t result)
{
    struct receive receive = reporting(fd, &taking->theirs, flags, site, taking->bounce->owner);
    const struct iovec *first = &taking->iov[0];
    int saved = errno;
    struct receive_result made;

    receive.iov = taking->iov;
    receive.iovlen = taking->count;
    receive.room = taking->room;
    receive.bounce = taking->bounce;
    if (result >= 0) {
        user_memory_catch_up();
        user_memory_learn(first->iov_base,
                          (size_t)result < first->iov_len ? (size_t)result : first->iov_len);
        taken->control_room = taking->theirs.msg_controllen;
        taking->theirs.msg_controllen = taking->ours.msg_controllen;
        taken->name_room = copy_out_name_room(&receive);
        taken->iov = taking->iov;
        taken->iovlen = taking->count + 1;
        taken->delivered = true;
        taken->msg_flags = taking->ours.msg_flags;
        set_peer(taking, taken);
    }
    made = hold_process_finish(&receive, result, taken);
    if (made.outcome == RECEIVE_AGAIN)
        made = receive_run(&receive);
    else
        sigio_after_receive(fd);
    bounce_release(receive.bounce, receive.touched);
    if (made.outcome == RECEIVE_DONE && made.value >= 0 && copy_lengths(msg, &taking->theirs) != 0)
        made = receive_done(-EFAULT);
    errno = saved;
    return made;
}

/* Hands over what came with the message. 0, or -EFAULT. */
static inline int hand_over(struct msghdr *msg, struct taking *taking)
{
    struct msghdr *theirs = &taking->theirs;
    const struct msghdr *ours = &taking->ours;
    socklen_t room = theirs->msg_namelen, length = ours->msg_namelen;
    int error = 0;

    if (theirs->msg_name && !LIKELY(theirs->msg_name == ours->msg_name))
        error = user_memory_write(theirs->msg_name, ours->msg_name, room < length ? room : length);
    /* Where no memory has changed meanwhile, not even behind a handler that has looked. */
    if (LIKELY(!error) &&
        LIKELY(taking->generation ==
               atomic_load_explicit(&user_memory_generation, memory_order_relaxed))) {
        if (theirs->msg_name)
            msg->msg_namelen = length;
        msg->msg_controllen = ours->msg_controllen;
        msg->msg_flags = ours->msg_flags;
        return 0;
    }
    theirs->msg_namelen = length;
    theirs->msg_controllen = ours->msg_controllen;
    theirs->msg_flags = ours->msg_flags;
    return error ? error : copy_lengths(msg, theirs);
}

/* A message of which nothing is planned, since most often it fits: then this is one recvmsg(2), and
 * little else. */
struct receive_result receive_message_now(int fd, struct msghdr *msg, int flags,
                                          struct receive_site site)
{
    fd_class class = fd_class_cached(fd);
    struct taking taking;
    struct taken taken;
    ssize_t result;
    int error;

    if (!may_take(class, flags) || !prepare(&taking, &taken, msg, class))
        return receive_again();
    result = sys_recvmsg(fd, &taking.ours, flags);
    if (!(LIKELY(result >= 0) && LIKELY((size_t)result <= taking.room) &&
          LIKELY(!receive_may_be_held(state.table, class))))
        return finish(fd, msg, flags, site, &taking, &taken, result);

    if (!LIKELY(result <= BOUNCE_SMALL))
        bounce_note_length(fd, (size_t)result);
    bounce_release(taking.bounce, 0);
    USDT_PART(fd, result, taking.room, result, 0);
    error = hand_over(msg, &taking);
    return receive_done(error ? error : result);
}
