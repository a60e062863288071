/* SPDX-License-Identifier: MIT
 *
 * A receive that is recorded.
 */
#ifndef WSRX_RECEIVE_TRACED_H
#define WSRX_RECEIVE_TRACED_H

#include "receive/context.h"

/* receive_run(), and a record of its result. */
struct receive_result receive_traced(struct receive *receive);

/* The record alone. */
void receive_record(const struct receive *receive, ssize_t result);

#endif
