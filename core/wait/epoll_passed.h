/* SPDX-License-Identifier: MIT
 *
 * Epoll sets that are passed on in messages (SCM_RIGHTS).
 */
#ifndef WSRX_WAIT_EPOLL_PASSED_H
#define WSRX_WAIT_EPOLL_PASSED_H

/* A descriptor of any kind has come in a message. What it is is asked only while a tail may concern
 * it. Async-signal-safe; may change errno. */
void epoll_passed_received(int fd);

/* One was sent. Others may have a number of the set from now on, so its tails are shown by the
 * kernel. */
void epoll_passed_sent(int fd);

#endif
