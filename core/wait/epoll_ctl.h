/* SPDX-License-Identifier: MIT
 *
 * The interest lists of epoll(7): what the program does to them and to descriptors is entered in the
 * registry, and what is held now is shown to the sets that it concerns.
 *
 * With nothing held that is no more than the program's own call: see epoll_learn.h. Otherwise
 * everything here takes the registry's lock. It may be called from signal handlers, but not from
 * under the table's mutex. The waits are in epoll_wait.h.
 */
#ifndef WSRX_WAIT_EPOLL_CTL_H
#define WSRX_WAIT_EPOLL_CTL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

/* epoll_ctl(2), followed. 0, or a negative errno. Async-signal-safe; may change errno. */
int epoll_ctl_follow(int epfd, int operation, int fd, struct epoll_event *event);

/* The program makes an epoll set, has made it, or has duplicated a descriptor that may be one.
 * `begun`: what epoll_ctl_set_begins() said before the set was made. */
uint64_t epoll_ctl_set_begins(void);
void epoll_ctl_set_made(int epfd, uint64_t begun);
void epoll_ctl_duplicated(int old, int new);

/* The program is about to look at a descriptor otherwise than by a wait of epoll: by poll(2) or
 * select(2), with a tail held. If it is an epoll set, what the waits report must be there too. */
void epoll_ctl_expose(int fd);
/* The highest descriptor that may be a set, or `other` if that is higher. */
int epoll_ctl_highest(int other);

/* What is held for the socket has changed. Async-signal-safe; may change errno. */
void epoll_ctl_tail_changed(uint64_t cookie);

/* A descriptor is about to be closed: whatever it was to us. `gone`: no other descriptor of this
 * process is the same socket, as far as is known. */
void epoll_ctl_forget(int fd, bool gone);
/* The last descriptor of a socket is about to be closed: what was registered by numbers that it had
 * before ends, too. */
void epoll_ctl_forget_socket(uint64_t cookie);
/* The same for a range, and what is to be made anew after the real close. */
void epoll_ctl_forget_range(unsigned first, unsigned last);
void epoll_ctl_refresh(void);

/* The program is about to forbid itself system calls: nothing is shown any more, for it could not be
 * ended. What is held is there for the next receive. To be called before state_enter_sandbox(). */
void epoll_ctl_before_sandbox(void);

/* A fork of any kind is about to happen; around those that libc or we see, the other two. */
void epoll_ctl_forks_now(void);
void epoll_ctl_before_fork(void);
void epoll_ctl_after_fork(void);
void epoll_ctl_after_fork_in_child(void);

#endif
