/* SPDX-License-Identifier: MIT
 *
 * What is noted of epoll sets while nothing is held: which numbers may be sets, and a few
 * registrations. No system call, no lock, no memory but what stands here.
 *
 * These are hints: with the first tail the kernel is asked what is true (epoll_learn.h). So it does
 * no harm that a number was closed unseen, or noted by a vfork child.
 *
 * Async-signal-safe; leaves errno.
 */
#ifndef WSRX_WAIT_EPOLL_HINTS_H
#define WSRX_WAIT_EPOLL_HINTS_H

#include "wait/epoll_fdinfo.h"

#include <sys/epoll.h>

/* For hints_set_made(): from before the set was made. */
uint64_t hints_forks(void);

/* The program made a set, duplicated one, used a number as one, or closes what may be one. */
void hints_set_made(int epfd, uint64_t forks_before);
void hints_set_duplicated(int old, int new);
void hints_note_set(int epfd);
void hints_number_closed(int fd);
void hints_range_closed(unsigned first, unsigned last);

/* A registration was made, changed or ended. Message sockets are remembered, as long as there is
 * room, for where /proc cannot be read. */
void hints_remember(int epfd, int operation, int fd, const struct epoll_event *event);

/* All sets that there are belong to several processes from now on. */
void hints_forked(void);
/* Between these two no set is this process's alone. */
void hints_fork_begins(void);
void hints_fork_ends(void);
void hints_fork_ends_in_child(void);

/* Whether the number may be a set's, and the highest that may. */
bool hints_may_be_set(int fd);
int hints_highest(void);
/* Whether the set was made since the last fork, by a call that we saw. */
bool hints_is_own(int epfd);

/* The next number after `after` (-1: the first) that may be a set; -1: no more. */
int hints_next_set(int after);
/* From `*at` on (0: the first): the next number that may be a duplicate of a set; -1: no more. */
int hints_next_copy(int *at);
/* Likewise: the next registration of the set that is remembered; false: no more. */
bool hints_next_remembered(int *at, int epfd, struct fdinfo_entry *ret_entry);

#endif
