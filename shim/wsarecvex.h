/* SPDX-License-Identifier: MIT
 *
 * WSARecvEx: the contract, over a provider of sockets.
 *
 * This file owns what a caller of WSARecvEx sees, wherever it runs: what its arguments may be, when
 * MSG_PARTIAL is set, what is left in *flags. It knows no system and includes no system's header.
 * Source: Microsoft's page of the function (mswsock.h, WSARecvEx).
 *
 * Where the page is silent:
 * - len 0: a part of length 0. It waits for a message as any receive does, takes nothing of it, and
 *   says MSG_PARTIAL; a message of length 0 is taken, and ends. On a stream it is recv().
 * - len < 0: WSAEFAULT; no buffer has such a size. Nothing is received.
 * - buf NULL: WSAEFAULT unless len is 0; nothing is received. Any other bad buffer is the system's
 *   to refuse.
 * - flags NULL: WSAEFAULT; nothing is received, for the caller could not know what it has. Any
 *   other bad pointer faults, and does so before anything is received.
 * - A bad socket is told before bad arguments are.
 * - On an error *flags is 0: a caller that loops while it says MSG_PARTIAL must come to an end.
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
    /* 0, or the Winsock error code that any receive on it would give. */
    int (*check)(uintptr_t socket);
    /* Sets the calling thread's WSAGetLastError(). */
    void (*set_error)(int error);
};

int wsarecvex(const struct winsock_provider *provider, uintptr_t socket, char *buf, int len,
              int *flags);

#endif
