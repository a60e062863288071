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

/* recvmsg(2) on what may be ours, and whether it took from a tail or left one. */
struct receive_result receive_message_noting(int fd, struct msghdr *msg, int flags,
                                             struct receive_site site, bool *ret_tail);

#endif
