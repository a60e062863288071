/* SPDX-License-Identifier: MIT
 *
 * Messages that stay in the socket's queue until their last part. The offset of the next part is in
 * the fragment table.
 */
#ifndef WSRX_RECEIVE_HOLD_PEEK_H
#define WSRX_RECEIVE_HOLD_PEEK_H

#include "receive/hold.h"

/* Keeps an error of the socket (positive), which the next receive will report. */
void hold_peek_error(uint64_t cookie, int error);

/* Takes the message that is held for the socket out of the kernel, and holds it in the process. */
void hold_peek_take_over(int fd, uint64_t cookie);

#endif
