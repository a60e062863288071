/* SPDX-License-Identifier: MIT
 *
 * WSARecvEx: the contract, over a provider of sockets.
 *
 * This file owns what a caller of WSARecvEx sees, wherever it runs: what its arguments may be, when
 * MSG_PARTIAL is set, and what *flags is afterwards. It is independent of the system, and includes
 * none of its headers.
 * Source: Microsoft's page of the function (mswsock.h, WSARecvEx).
 *
 * Where the page is silent:
 * - len 0: a part of length 0. It waits for a message as any receive does, consumes nothing of it,
 *   and sets MSG_PARTIAL. A message of length 0 is consumed. On a stream it is recv().
 * - len < 0: WSAEFAULT; no buffer has such a size. Nothing is received.
 * - buf NULL: WSAEFAULT unless len is 0; nothing is received. The system refuses any other bad
 *   buffer.
 * - flags NULL: WSAEFAULT; nothing is received, since the caller could not know whether it got a
 *   part. Any other bad pointer faults before anything is received.
 * - A bad socket is reported before bad arguments.
 * - After an error *flags is 0: a caller that loops while it is MSG_PARTIAL must come to an end.
 */
#ifndef WSRX_WSARECVEX_H
#define WSRX_WSARECVEX_H

#include <stdbool.h>
#include <stdint.h>

enum { WSARECVEX_PARTIAL = 0x8000 }; /* MSG_PARTIAL */

struct winsock_provider {
    /* Receives up to `len` bytes, waiting as the socket's mode says. Returns how many, and whether
     * more of the message comes with the next receive; or -1 and a Winsock error code. */
    int (*receive)(uintptr_t socket, char *buf, unsigned len, bool *ret_partial, int *ret_error);
    /* 0, or the Winsock error code with which any receive on it would fail. */
    int (*check)(uintptr_t socket);
    /* Sets the calling thread's WSAGetLastError(). */
    void (*set_error)(int error);
};

int wsarecvex(const struct winsock_provider *provider, uintptr_t socket, char *buf, int len,
              int *flags);

#endif
