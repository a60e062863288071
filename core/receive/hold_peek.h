/* SPDX-License-Identifier: MIT
 *
 * Messages that stay in the socket's queue until their last part, with the offset of the next part in
 * the fragment table.
 */
#ifndef WSRX_RECEIVE_HOLD_PEEK_H
#define WSRX_RECEIVE_HOLD_PEEK_H

#include "receive/hold.h"

/* An error of the socket (positive) that the next receive is to report. */
void hold_peek_error(uint64_t cookie, int error);

#endif
