/* SPDX-License-Identifier: MIT
 *
 * What is noted of epoll sets while nothing is held: which numbers may be sets, and a few
 * registrations. This makes no system call, takes no lock and maps no memory.
 *
 * These are hints. When the first tail comes, the registry is filled from the kernel
 * (epoll_learn.h), so a number that was closed unseen, or noted by a vfork child, does no harm.
 *
 * Async-signal-safe; leaves errno alone.
 */
#ifndef WSRX_WAIT_EPOLL_HINTS_H
#define WSRX_WAIT_EPOLL_HINTS_H

#include "wait/epoll_fdinfo.h"

#include <sys/epoll.h>

/* For hints_set_made(): from before the set was made. */
uint64_t hints_forks(void);

/* The program has made a set, has duplicated one, has used a number as a set, or is about to close
 * a number that may be one. */
void hints_set_made(int epfd, uint64_t forks_before);
void hints_set_duplicated(int old, int new);
void hints_set_received(int fd);
void hints_set_sent(int fd);
void hints_note_set(int epfd);
void hints_number_closed(int fd);
void hints_range_closed(unsigned first, unsigned last);

/* A registration was made, changed or ended. Those of message sockets are remembered as long as
 * there is room: they are used if /proc cannot be read. */
void hints_remember(int epfd, int operation, int fd, const struct epoll_event *event);

/* From now on all sets belong to several processes. */
void hints_forked(void);
/* Between these two no set is this process's alone. */
void hints_fork_begins(void);
void hints_fork_ends(void);
void hints_fork_ends_in_child(void);

/* Whether the number may be a set; and the highest such number. */
bool hints_may_be_set(int fd);
int hints_highest(void);
/* Whether the set was made by a call that we saw, and no fork has happened since. */
bool hints_is_own(int epfd);

/* The next number after `after` (-1: the first) that may be a set; -1: no more. */
int hints_next_set(int after);
/* The next number that may be a duplicate of a set; -1: no more. `*at` is 0 before the first
 * call. */
int hints_next_copy(int *at);
/* Likewise: the next remembered registration of the set; false: no more. */
bool hints_next_remembered(int *at, int epfd, struct fdinfo_entry *ret_entry);

#endif
