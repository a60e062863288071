/* SPDX-License-Identifier: MIT
 *
 * The interest lists of epoll(7): who waits for which socket, and what a held tail does to them.
 *
 * While a tail that the kernel does not know of is held, a readable eventfd stands in for the
 * socket in every epoll set in which the socket is registered for EPOLLIN, with the program's own
 * data; so the kernel itself wakes every waiter, in any thread, through nested sets too.
 *
 * The lock. It protects all that is known of interest lists; it is private to the process, is
 * taken with signals blocked, and the table's mutex may be taken under it. epoll_ctl(2) is called
 * under it (it does not block), so that what is known follows the order of what happened.
 * fork: taken around it (interest_before_fork and after), so a child finds it free.
 *
 * A child shares epoll sets and eventfds with its parent: whoever ends a tail takes the stand-in
 * out of the set for both, and a wait that is woken for a tail that is gone goes on waiting.
 */
#ifndef WSRX_INTEREST_H
#define WSRX_INTEREST_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

/* What the waits look at, without the lock. */
struct interest_state {
    atomic_uint sockets; /* message sockets registered: tails may come to concern a wait */
    atomic_uint active;  /* of them, with a stand-in, a tail without one, or armed for one shot */
};

extern struct interest_state interest_state;

static inline bool interest_concerns(void)
{
    return atomic_load_explicit(&interest_state.active, memory_order_acquire) != 0;
}

/* Prepares the lists. 0, or a negative errno. */
int interest_start(void);

/* epoll_ctl(2), followed. 0, or a negative errno. Async-signal-safe; may change errno. */
int interest_control(int epfd, int operation, int fd, struct epoll_event *event);

/* What is held for the socket has changed. Async-signal-safe; may change errno. */
void interest_update(uint64_t cookie);

/* A wait as the program made it. */
struct interest_wait {
    int epfd;
    struct epoll_event *events;
    int max;
    int64_t timeout; /* nanoseconds; negative: none */
    const sigset_t *mask;
    /* The program's own call with this timeout: -1 and errno, as in libc. */
    int (*call)(const struct interest_wait *wait, int64_t timeout);
};

/* epoll_wait(2) and its kin where message sockets are registered: a count, or a negative errno.
 * Blocks as the program's own call; a cancellation point with nothing held. */
int interest_wait(const struct interest_wait *wait);

/* Makes whole what a wait got that began before any message socket was registered: `count` events,
 * of which it returns how many stay. Async-signal-safe; may change errno. */
int interest_complete(int epfd, struct epoll_event *events, int count);

/* A descriptor is about to be closed: whatever it was to us. `gone`: no other descriptor of this
 * process is the same socket, as far as is known. */
void interest_forget(int fd, bool gone);
/* The last descriptor of a socket is about to be closed: what was registered by numbers that it had
 * before ends, too. */
void interest_forget_socket(uint64_t cookie);
/* The same for a range, and what is to be made anew after the real close. */
void interest_forget_range(unsigned first, unsigned last);
void interest_refresh(void);

/* Whether `fd` is a stand-in of ours, which the program did not make and cannot close. */
bool interest_is_ours(int fd);

void interest_before_fork(void);
void interest_after_fork(void);

#endif
