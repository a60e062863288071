/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "receive/fitting.h"

#include "receive/context.h"
#include "receive/fast_path.h"
#include "receive/hold_process.h"
#include "receive/passthrough.h"
#include "receive/unlocked.h"
#include "wait/sigio.h"

/* Whether nobody but a handler can come in between, and whether this is an ordinary datagram. */
static inline bool may_ask(fd_class class, size_t len, int flags)
{
    return LIKELY(fd_class_is_message(class)) && LIKELY(len > 0) &&
           LIKELY(len < fd_class_longest(class)) &&
           LIKELY(!(flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL))) && LIKELY(state.plain_holds) &&
           LIKELY(!state.under_wine) && LIKELY(!trace_on()) && LIKELY(!sys_is_sandboxed()) &&
           LIKELY(!table_is_shared()) && LIKELY(table_is_quiet(state.table));
}

/* How long the first message of the queue is, or less than 1: nobody can tell, the queue is empty, or
 * its first message is. Some kinds of socket count the whole queue. */
static inline int first_length(int fd)
{
    int length;

    return LIKELY(sys_queued(fd, &length) == 0) ? length : 0;
}

static void leave(struct bounce_buffer *bounce, size_t touched)
{
    unlocked_end(bounce->owner);
    bounce_release(bounce, touched);
}

/* A long one, or one into a buffer that is not known to be good. */
static __attribute__((noinline)) struct receive_result
take_slowly(int fd, void *buf, size_t len, int flags, struct sockaddr *name, socklen_t *namelen,
            struct bounce_buffer *bounce, struct receive_site site)
{
    struct iovec one = {buf, len};
    struct receive receive;
    int saved = errno;
    struct taken taken;
    struct receive_result made;
    ssize_t result;

    if (atomic_load_explicit(&receive_recvmsg_refused, memory_order_relaxed)) {
        leave(bounce, 0);
        return receive_again();
    }
    receive_init(&receive, CALL_PLAIN, fd, &one, flags | MSG_DONTWAIT, name, namelen, site);
    receive.bounce = bounce;
    receive.stack = BOUNCE_CALL;
    user_memory_catch_up();
    result = hold_process_take(&receive, &taken);
    receive.flags = flags;
    if (receive_finds_refused(result))
        result = -EAGAIN;
    made = result == -EAGAIN ? receive_again() : hold_process_finish(&receive, result, &taken);
    unlocked_end(bounce->owner);
    if (made.outcome == RECEIVE_AGAIN && result != -EAGAIN)
        made = receive_run(&receive);
    else if (made.outcome != RECEIVE_AGAIN)
        sigio_after_receive(fd);
    bounce_release(bounce, receive.touched);
    errno = saved;
    return made;
}

/* By way of the bounce buffer, as receive_buffer(). */
static inline struct receive_result take(int fd, void *buf, size_t len, int flags,
                                         struct sockaddr *name, socklen_t *namelen,
                                         struct bounce_buffer *bounce, struct receive_site site)
{
    socklen_t room = name ? *namelen : 0;
    ssize_t result;

    bounce_align(bounce, buf);
    result = sys_recvfrom(fd, bounce->data, bounce->size, flags | MSG_DONTWAIT, name, namelen);
    if (!(LIKELY((size_t)result - 1 < len) && LIKELY(result <= BOUNCE_SMALL) &&
          LIKELY(user_memory_still(buf, (size_t)result)) && LIKELY(table_is_quiet(state.table)))) {
        if (result != -EAGAIN)
            return receive_after_bounce(fd, buf, len, flags, name, namelen, bounce, result, room,
                                        site);
        leave(bounce, 0);
        return receive_again();
    }
    memcpy(buf, bounce->data, (size_t)result);
    leave(bounce, USER_MEMORY_PAGE);
    USDT_PART(fd, result, len, result, 0);
    return receive_done(result);
}

static inline struct bounce_buffer *get_bounce(size_t size, const void *call)
{
    struct bounce_buffer *bounce = bounce_acquire_own(size, call);
    int saved;

    if (LIKELY(bounce))
        return bounce;
    saved = errno;
    bounce = bounce_acquire(size, call);
    errno = saved;
    return bounce;
}

/* RECEIVE_AGAIN: nothing has been taken. */
static inline struct receive_result try(int fd, void *buf, size_t len, int flags,
                                        struct sockaddr *name, socklen_t *namelen,
                                        struct receive_site site, const void *call,
                                        bool *ret_fits_not)
{
    fd_class class = fd_class_cached(fd);
    struct bounce_buffer *bounce;
    int length;

    /* From here on no handler holds a message in the kernel; what one has held before is seen now. */
    if (!unlocked_begin(call))
        return receive_again();
    if (!may_ask(class, len, flags)) {
        unlocked_end(call);
        return receive_again();
    }
    length = first_length(fd);
    *ret_fits_not = length <= 0 || (size_t)length > len;
    if (*ret_fits_not || !(bounce = get_bounce(fd_class_longest(class), call))) {
        unlocked_end(call);
        return receive_again();
    }
    return LIKELY(length <= BOUNCE_SMALL) && LIKELY(receive_may_bounce(class, buf, name, namelen))
               ? take(fd, buf, len, flags, name, namelen, bounce, site)
               : take_slowly(fd, buf, len, flags, name, namelen, bounce, site);
}

struct receive_result fitting_receive(int fd, void *buf, size_t len, int flags,
                                      struct sockaddr *name, socklen_t *namelen,
                                      struct receive_site site)
{
    bool fits_not = false;
    struct receive_result made =
        try(fd, buf, len, flags, name, namelen, site, BOUNCE_CALL, &fits_not);

    /* The frame has to last: it says that the bounce buffer is in use. */
    if (made.outcome == RECEIVE_AGAIN)
        made = receive_slow_path(fd, buf, len, flags, name, namelen, site, fits_not);
    return made;
}
