/* SPDX-License-Identifier: MIT
 *
 * A UDP message held in its socket's queue, with the offset of its next part held in the socket.
 *
 * Under Wine a socket is polled by one process and received from by another, passed to children
 * and duplicated, so neither the bytes nor the offset may be the property of a process. The kernel
 * keeps one number for us in the socket itself: SO_PEEK_OFF, which nothing but MSG_PEEK looks at.
 * -1: no message is held (the default); otherwise the offset of the next part. It ends with the
 * socket, so no other socket can ever get it.
 * It is never let run: a peek moves it, so it is set again after each; it stays below the length
 * of the first message, where it cannot cross into the next (see socket(7)).
 *
 * Locks: the table's mutex between threads, and a record lock (fcntl(2)) on the socket between
 * processes. Nothing blocks under them, for the receives do not wait. The record lock is taken under
 * the mutex, but not waited for: where another process has it, the mutex is released, and both are
 * tried for again a moment later, for a tenth of a second at most. Then the answer is -EAGAIN.
 *
 * recvmsg(2) on a UDP socket, made by code that we trust with its pointers: the msghdr and the
 * buffers are the caller's own. A part is given where the caller wants it (wine_protocol.h), where
 * WSRX_CALLS=all wants it for everybody, and where the message at the head of the queue is held
 * already. It does not wait: -EAGAIN, whatever the socket's mode.
 */
#ifndef WSRX_RECEIVE_HOLD_PEEK_OFFSET_H
#define WSRX_RECEIVE_HOLD_PEEK_OFFSET_H

#include "receive/hold.h"

#endif
