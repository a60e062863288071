/* SPDX-License-Identifier: MIT
 *
 * A receive that is recorded.
 */
#ifndef WSRX_RECEIVE_TRACED_H
#define WSRX_RECEIVE_TRACED_H

#include "receive/context.h"
#include "state.h"
#include "trace/session.h"

/* receive_run(), and a record of its result. */
struct receive_result receive_traced(struct receive *receive);

/* The record of a recvmsg(2) that the program made itself, in a sandbox, and that succeeded. */
void receive_record_passed(int fd, const struct msghdr *msg, int flags, size_t length,
                           struct receive_site site);

/* Whether such a record is wanted. */
static inline bool receive_records_passed(void)
{
    return trace_on() && sys_is_sandboxed();
}

/* The record alone. */
void receive_record(const struct receive *receive, ssize_t result);

#endif
