/* SPDX-License-Identifier: MIT
 *
 * The receives that take lists of buffers, from the inside: for receive.c and recvmmsg.c.
 */
#ifndef WSRX_RECEIVE_MESSAGE_H
#define WSRX_RECEIVE_MESSAGE_H

#include "receive/context.h"

/* Whether the core may have to act on a call of this kind on `fd`; before the caller's lists of
 * buffers are read. */
bool receive_may_act_on(enum call_kind kind, int fd);

/* A list of so many buffers is kept on the stack. */
enum { RECEIVE_FEW = 4 };

/* Copies the caller's iovec array, and adds up the room. False: something is wrong with it, and the
 * kernel will refuse it. */
bool receive_copy_iov(struct receive *receive, const struct iovec *iov, size_t iovlen,
                      struct iovec few[RECEIVE_FEW]);

/* receive_run(), with a record of it if somebody wants records. */
struct receive_result receive_run_traced(struct receive *receive);

/* recvmsg(2) on what may be ours, and whether it took from a tail or left one. */
struct receive_result receive_message_noting(int fd, struct msghdr *msg, int flags,
                                             struct receive_site site, bool *ret_tail);

#endif
