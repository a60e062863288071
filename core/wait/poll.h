/* SPDX-License-Identifier: MIT
 *
 * What a held tail means to poll, select and FIONREAD: a tail that is held in the process makes its
 * socket readable, and the kernel does not know that.
 *
 * Results are those of the system call: a count, or a negative errno. Nothing here blocks: if no
 * tail ends the wait, the result is 0, and the wrapper makes the program's own call.
 * Async-signal-safe; may change errno.
 */
#ifndef WSRX_WAIT_POLL_H
#define WSRX_WAIT_POLL_H

#include "table/held.h"

#include <poll.h>
#include <signal.h>
#include <sys/select.h>

/* Whether a timeout is valid. NULL is. The kernel refuses others before it looks at anything else,
 * so the wrapper makes the program's own call. Async-signal-safe; may change errno. */
bool poll_is_timespec(const struct timespec *timeout);
bool poll_is_timeval(const struct timeval *timeout);

/* poll(2) and ppoll(2) with what is ready now: tails, and what the kernel reports. */
int poll_with_tails(struct pollfd *fds, nfds_t nfds, const sigset_t *mask);

/* The tails beside what the program's own call has returned, errno included, without a wait. After a
 * filter, which may kill for any number but that one, it comes in the place of poll_with_tails()
 * where ppoll(2) is another number; the kernel has checked the caller's memory. */
int poll_add_tails(struct pollfd *fds, nfds_t nfds, int count);

/* The program's own call without a wait. `make`: NULL where it is pselect(2) by libc's function. */
struct select_call {
    int (*make)(const struct select_call *own, int nfds, fd_set *reading, fd_set *writing,
                fd_set *except);
    const sigset_t *mask;
    long number;
};

/* select(2) and pselect(2) likewise; the sets are changed only if something is ready. */
int select_with_tails(int nfds, fd_set *reading, fd_set *writing, fd_set *except,
                      const struct select_call *own);

/* FIONREAD: whether something is held for `fd`, and how many bytes of the message are left. */
bool poll_bytes_left(int fd, size_t *ret_left);

#endif
