/* SPDX-License-Identifier: MIT
 *
 * Messages that stay in the socket's queue until their last part, with the offset of the next part in
 * the fragment table.
 */
#ifndef WSRX_RECEIVE_HOLD_PEEK_H
#define WSRX_RECEIVE_HOLD_PEEK_H

#include "receive/context.h"

/* Receives from a socket whose messages are peeked before they are taken, so by nobody without the
 * table's mutex. `parts`: a message that does not fit is handed over part by part; else the
 * program's own call is made. Waits as that does. Needs the bounce buffer. */
ssize_t hold_peek_receive(struct receive *receive, uint64_t cookie, bool parts);

/* An error of the socket (positive) that the next receive is to report. */
void hold_peek_error(uint64_t cookie, int error);

#endif
