/* SPDX-License-Identifier: MIT
 *
 * The next part of a message that is held in the process, for recv(2) and read(2), where nothing else
 * has to be considered: little is done but the question whose socket it is, and the copy.
 *
 * The part is looked for before the question, so that nobody is asked for a socket of which nothing is
 * held. That it still is the next part is found when it is taken.
 */
#ifndef WSRX_RECEIVE_NEXT_PART_H
#define WSRX_RECEIVE_NEXT_PART_H

#include "base/usdt.h"
#include "base/user_memory.h"
#include "fd/fd_class.h"
#include "receive/policy.h"
#include "receive/receive.h"
#include "table/held.h"
#include "trace/session.h"
#include "wait/epoll_ctl.h"
#include "wait/epoll_linger.h"
#include "wait/sigio.h"

#include <errno.h>

/* Whether a receive is an ordinary one on a socket that may have a message here: then nothing but its next
 * part has to be considered. */
static inline bool next_part_may_come(fd_class class, int flags)
{
    return LIKELY(fd_class_is_message(class)) && LIKELY(fd_class_cookie(class) != 0) &&
           LIKELY(!(flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL))) && LIKELY(state_is_active()) &&
           LIKELY(!sys_is_sandboxed()) && LIKELY(!trace_on());
}

/* Whether the end of the message has to be entered for the epoll sets, which is not done here. */
static inline bool next_part_is_entered(const struct table_next *next)
{
    return next->left == 0 && epoll_ctl_is_concerned() && !linger_may(next->cookie);
}

/* A set may have come meanwhile. */
static __attribute__((noinline)) void next_part_ends(uint64_t cookie)
{
    int saved = errno;

    if (!linger_tail_ended(cookie))
        epoll_ctl_tail_changed(cookie);
    errno = saved;
}

/* RECEIVE_AGAIN: nothing has been taken. Where next_part_may_come(). In the caller's frame: see
 * sys_getsockopt(). Leaves errno alone. */
static inline __attribute__((always_inline)) struct receive_result
next_part_receive(int fd, void *buf, size_t len, const struct sockaddr *name)
{
    uint64_t cookie = fd_class_cookie(fd_class_cached(fd));
    struct table *table = state.table;
    struct table_next next;
    int error;

    if (!(LIKELY(len != 0) && LIKELY(!name) &&
          LIKELY(!receive_policy(state.settings.mode, CALL_PLAIN, false).emsgsize) &&
          LIKELY(table_find_next(table, cookie, len, &next)) &&
          LIKELY(!next_part_is_entered(&next)) && LIKELY(fd_has_cookie(fd, cookie)) &&
          LIKELY(!next_part_is_entered(&next))))
        return receive_again();
    error = user_memory_write(buf, next.from, next.size);
    if (error)
        return receive_done(error);
    if (!table_take_next(table, &next))
        return receive_again();
    if (next.left == 0)
        next_part_ends(cookie);
    USDT_PART(fd, next.length, len, next.size, next.left);
    sigio_after_receive(fd);
    return receive_done((ssize_t)next.size);
}

#endif
