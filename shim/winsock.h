/* SPDX-License-Identifier: MIT
 *
 * The functions of ws2_32.dll that the DLLs use, looked up when they are first needed.
 *
 * They are not linked: a winelib DLL also contains the core, which calls the system's functions,
 * and some of these have the same names (winebuild would link Winsock's getsockopt to the core).
 */
#ifndef WSRX_WINSOCK_CALLS_H
#define WSRX_WINSOCK_CALLS_H

#include <winsock2.h>
/* After it: windows.h alone brings the older winsock.h. */
#include <windows.h>

#define WINSOCK_CALLS(CALL)                                                                        \
    CALL(int, WSARecv,                                                                             \
         (SOCKET socket, LPWSABUF buffers, DWORD count, LPDWORD ret_received, LPDWORD flags,       \
          LPWSAOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine))                 \
    CALL(int, WSAIoctl,                                                                            \
         (SOCKET socket, DWORD code, LPVOID in, DWORD in_size, LPVOID out, DWORD out_size,         \
          LPDWORD ret_size, LPWSAOVERLAPPED overlapped,                                            \
          LPWSAOVERLAPPED_COMPLETION_ROUTINE routine))                                             \
    CALL(SOCKET, WSASocketW,                                                                       \
         (int family, int type, int protocol, LPWSAPROTOCOL_INFOW info, GROUP group, DWORD flags)) \
    CALL(int, closesocket, (SOCKET socket))                                                        \
    CALL(int, getsockname, (SOCKET socket, struct sockaddr * name, int *length))                   \
    CALL(int, getpeername, (SOCKET socket, struct sockaddr * name, int *length))                   \
    CALL(int, getsockopt, (SOCKET socket, int level, int option, char *value, int *length))

struct winsock {
#define WINSOCK_CALL(type, name, parameters) type(WINAPI *name) parameters;
    WINSOCK_CALLS(WINSOCK_CALL)
#undef WINSOCK_CALL
};

/* Never NULL; a process that has a socket has ws2_32.dll. Thread-safe. */
const struct winsock *winsock(void);

#endif
