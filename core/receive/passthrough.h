/* SPDX-License-Identifier: MIT
 *
 * The program's own call, made for it where we must know its result.
 */
#ifndef WSRX_RECEIVE_PASSTHROUGH_H
#define WSRX_RECEIVE_PASSTHROUGH_H

#include "receive/context.h"

/* The program's own call, with `added` to its flags. With MSG_TRUNC among them the report has the
 * length of the message; the caller must know that the socket is no stream, because on a stream
 * MSG_TRUNC discards bytes (tcp(7)). RECEIVE_PASS: not a socket, so the call was not the same. */
struct receive_result receive_passthrough(struct receive *receive, int added);

/* The program's own call in a sandbox: with its own number, which for read(2) is not ours to make,
 * and its own flags. So how long a message was that did not fit stays unknown; but if it filled the
 * buffer, that is counted. recvmsg(2) is made by the face: receive_record_passed(). */
struct receive_result receive_pass_in_sandbox(struct receive *receive);
size_t receive_cut_in_sandbox(void);

/* Whether a filter that was there before the program refuses recvmsg(2), by which the library takes a
 * message, with an error. From then on receives are the program's own calls: it may call recvfrom(2),
 * read(2) and recvmmsg(2). `error`: a receive's, negative. */
extern atomic_bool receive_recvmsg_refused;
bool receive_finds_refused(ssize_t error);

#endif
