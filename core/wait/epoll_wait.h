/* SPDX-License-Identifier: MIT
 *
 * The waits of epoll(7): epoll_wait(2) and its kin, with the tails that concern their set.
 *
 * If no tail is shown, a wait is the program's own call between two reads of an atomic. Both are
 * inline, as the path of an ordinary datagram is.
 */
#ifndef WSRX_WAIT_EPOLL_WAIT_H
#define WSRX_WAIT_EPOLL_WAIT_H

#include "wait/epoll_proxy.h"

/* A wait as the program made it. */
struct epoll_wait_call {
    int epfd;
    struct epoll_event *events;
    int max;
    int64_t timeout; /* nanoseconds; negative: none */
    const sigset_t *mask;
    /* The program's own call with this timeout: -1 and errno, as in libc. */
    int (*call)(const struct epoll_wait_call *wait, int64_t timeout);
};

/* The count of a wait whose own call has not been made yet. */
enum { EPOLL_WAIT_NOT_CALLED = -2 };

/* Whether a wait in any set is the program's own call. */
static inline bool epoll_wait_is_plain(void)
{
    return atomic_load_explicit(&registry_watched, memory_order_acquire) == 0;
}

/* If it is not plain: whether the set may have a tail to report. */
bool epoll_wait_has_more(int epfd);

static inline bool epoll_wait_is_watched(int epfd)
{
    return !epoll_wait_is_plain() && epoll_wait_has_more(epfd);
}

/* Before and after a call that may sleep. */
static inline int epoll_wait_begins(void)
{
    int before = proxy_waited;

    proxy_waited = PROXY_WAITS;
    atomic_signal_fence(memory_order_seq_cst);
    return before;
}

static inline void epoll_wait_ends(int before, int epfd)
{
    atomic_signal_fence(memory_order_seq_cst);
    proxy_waited = before == PROXY_WAITS ? PROXY_WAITS : epfd;
}

/* The frequent case: one thread, and one registration that is pending. If the first one says so, the
 * caller makes the program's own call by itself, with no timeout unless the second one says that it may
 * sleep, and then calls the third one: how many events there are now, or -1 if that needs
 * epoll_wait_with_tails(). So there is a single return after the system call. */
bool epoll_wait_is_simple(int epfd);
bool epoll_wait_may_sleep(int epfd);
int epoll_wait_complete_one(const struct epoll_wait_call *wait, int count);

/* All of the wait, or the rest of it after the program's own call returned `count` events. A count,
 * or a negative errno. Blocks as the program's own call; a cancellation point if nothing is
 * held. */
int epoll_wait_with_tails(const struct epoll_wait_call *wait, int count);

#endif
