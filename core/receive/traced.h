/* SPDX-License-Identifier: MIT
 *
 * A receive while somebody wants a record of it.
 */
#ifndef WSRX_RECEIVE_TRACED_H
#define WSRX_RECEIVE_TRACED_H

#include "receive/context.h"

/* receive_run(), and a record of what came of it. */
struct receive_result receive_traced(struct receive *receive);

/* The record alone. */
void receive_record(const struct receive *receive, ssize_t result);

#endif
