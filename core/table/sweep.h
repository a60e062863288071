/* SPDX-License-Identifier: MIT
 *
 * When the table is full, messages that can no longer be received make room.
 */
#ifndef WSRX_TABLE_SWEEP_H
#define WSRX_TABLE_SWEEP_H

#include "table/layout.h"

/* Drops the messages of processes that have ended, and of closed sockets, unless this process has
 * the socket. After a sweep that did not help, it pauses. Called with the mutex held. */
void sweep_locked(struct inside *inside);

/* The same where a message has no room at all, and would be lost: without a pause, however few there
 * are, and with the records of messages that are held in the kernel. Another process that has such a
 * socket receives the message from its start. Whether there is more room now. */
bool sweep_all_locked(struct inside *inside);

#endif
