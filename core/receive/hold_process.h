/* SPDX-License-Identifier: MIT
 *
 * Messages that are taken whole, with their tails in the fragment table.
 */
#ifndef WSRX_RECEIVE_HOLD_PROCESS_H
#define WSRX_RECEIVE_HOLD_PROCESS_H

#include "receive/hold.h"
#include "table/table.h"

/* The next part of what table_find() has found for the socket. */
struct receive_result hold_process_next(struct receive *receive, struct table_found *found);

/* Takes a message whole: only the system call. Needs the bounce buffer, and one buffer less than a
 * call can have. A length, or a negative errno. */
ssize_t hold_process_take(struct receive *receive, struct taken *taken);

/* After it: hands over what fits, and holds the rest. */
struct receive_result hold_process_finish(struct receive *receive, ssize_t result,
                                          struct taken *taken);

/* After a system call that took a message whole into the bounce buffer; see fast_path.h. */
struct receive_result hold_process_bounced(struct receive *receive, ssize_t result, socklen_t room);

#endif
