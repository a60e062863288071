/* SPDX-License-Identifier: MIT
 *
 * What nobody can ask for any more is given back, when the table has no room left.
 */
#ifndef WSRX_TABLE_SWEEP_H
#define WSRX_TABLE_SWEEP_H

#include "table/layout.h"

/* Drops the messages of processes that have ended, and of sockets that are closed, unless this
 * process has such a socket. Not more often than it helps. With the mutex. */
void sweep_locked(struct inside *inside);

#endif
