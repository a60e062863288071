/* SPDX-License-Identifier: MIT
 *
 * Winsock as a provider: plain Win32 code, for Wine (winegcc or mingw) and for Windows.
 *
 * It reaches the library beneath, if there is one, by the last buffer of WSARecv
 * (core/wine_protocol.h). It must never look at the Unix descriptor: that would bypass wineserver,
 * which arms FD_READ again and knows the socket's mode and timeout.
 */
#ifndef WSRX_PROVIDER_WINE_H
#define WSRX_PROVIDER_WINE_H

#include "wsarecvex.h"

extern const struct winsock_provider provider_wine;

#endif
