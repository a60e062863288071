/* SPDX-License-Identifier: MIT
 *
 * The interest lists of epoll(7). What the program does to them, and to descriptors, is entered in
 * the registry; tails that are held are shown in the sets that have their sockets.
 *
 * While nothing is held, all of this is the program's own call and nothing else (epoll_learn.h).
 * Otherwise everything here takes the registry's lock. It may be called from signal handlers, but
 * not while the table's mutex is held. The waits are in epoll_wait.h.
 */
#ifndef WSRX_WAIT_EPOLL_CTL_H
#define WSRX_WAIT_EPOLL_CTL_H

#include "wait/epoll_learn.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

/* epoll_ctl(2), entered in the registry. 0, or a negative errno. Async-signal-safe; may change
 * errno. */
int epoll_ctl_follow(int epfd, int operation, int fd, struct epoll_event *event);

/* Whether, as long as nothing is held, it is the program's own call alone. Then the caller may make
 * that, between these two, of which the second one ends what the first one has begun: so that there is
 * a single return after the system call, as in receive_buffer(). `error`: what the call gave. */
static inline bool epoll_ctl_is_plain(void)
{
    return !learn_following() || !state_is_own_as_seen();
}
unsigned epoll_ctl_begins(int epfd, int operation, int fd);
int epoll_ctl_ends(int epfd, int operation, int fd, const struct epoll_event *event, unsigned begun,
                   int error);

/* The program makes an epoll set, has made it, or has duplicated a descriptor that may be one.
 * `begun`: what epoll_ctl_set_begins() said before the set was made. */
uint64_t epoll_ctl_set_begins(void);
void epoll_ctl_set_made(int epfd, uint64_t begun);
void epoll_ctl_duplicated(int old, int new);

/* A tail is held, and the program is about to call poll(2) or select(2) on a descriptor. If that is
 * an epoll set, its tails must be shown by the kernel from now on, and not only by our waits.
 * Whether that has changed. */
bool epoll_ctl_expose(int fd);
/* The highest descriptor that may be a set, or `other` if that is higher. */
int epoll_ctl_highest(int other);

/* Whether a socket is in an epoll set, as far as is known, so that what is held may concern a wait. */
bool epoll_ctl_is_concerned(void);

/* What is held for the socket has changed. Async-signal-safe; may change errno. */
void epoll_ctl_tail_changed(uint64_t cookie);

/* A descriptor is about to be closed, of any kind. `gone`: as far as is known, no other descriptor
 * of this process is the same socket. */
void epoll_ctl_forget(int fd, bool gone);
/* The last descriptor of a socket is about to be closed. This also ends its registrations by
 * numbers that it had before. */
void epoll_ctl_forget_socket(uint64_t cookie);
/* The same for a range; and, after the real close, shows anew what a closed proxy had shown. */
void epoll_ctl_forget_range(unsigned first, unsigned last);
void epoll_ctl_refresh(void);

/* The program is about to confine itself. From then on no tail can be shown, because no proxy could
 * be taken away again; what is held waits for the next receive. Called before
 * state_enter_sandbox(). */
void epoll_ctl_before_sandbox(void);

/* The program is about to exec: the next one may have its sets, and knows nothing of them. */
void epoll_ctl_before_exec(void);

/* A fork of any kind is about to happen. The other three are called around a fork whose handlers
 * run (fork(3), _Fork). */
void epoll_ctl_forks_now(void);
void epoll_ctl_before_fork(void);
void epoll_ctl_after_fork(void);
void epoll_ctl_after_fork_in_child(void);

#endif
