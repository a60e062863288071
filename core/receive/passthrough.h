/* SPDX-License-Identifier: MIT
 *
 * The program's own call, made for it where we must know what came of it.
 */
#ifndef WSRX_RECEIVE_PASSTHROUGH_H
#define WSRX_RECEIVE_PASSTHROUGH_H

#include "receive/context.h"

/* The program's own call, with `added` to its flags. With MSG_TRUNC among them the report tells how
 * long the message was; it must be sure then that the socket is no stream, for what is cut off of
 * one in this way is gone (tcp(7)). RECEIVE_PASS: it is no socket, so the call is not the same. */
struct receive_result receive_passthrough(struct receive *receive, int added);

#endif
