/* SPDX-License-Identifier: MIT
 *
 * AcceptEx, GetAcceptExSockaddrs and TransmitFile of the socket provider, looked up by
 * SIO_GET_EXTENSION_FUNCTION_POINTER, as Microsoft's pages say.
 */
#include "winsock.h"

#include <mswsock.h>

/* One function, looked up at its first call. The pointer does not change, so several threads may
 * look it up at once. */
struct extension {
    GUID name;
    void *volatile pointer;
};

static void *find(struct extension *extension, SOCKET socket)
{
    void *pointer = extension->pointer;
    DWORD size;

    if (!pointer && winsock()->WSAIoctl(socket, SIO_GET_EXTENSION_FUNCTION_POINTER,
                                        &extension->name, sizeof extension->name, &pointer,
                                        sizeof pointer, &size, NULL, NULL) != 0)
        return NULL; /* GetLastError() says what is wrong with the socket */
    extension->pointer = pointer;
    return pointer;
}

BOOL WINAPI AcceptEx(SOCKET listener, SOCKET acceptor, PVOID buffer, DWORD data_size,
                     DWORD local_size, DWORD remote_size, LPDWORD ret_received,
                     LPOVERLAPPED overlapped)
{
    static struct extension accept_ex = {WSAID_ACCEPTEX, NULL};
    LPFN_ACCEPTEX call = (LPFN_ACCEPTEX)find(&accept_ex, listener);

    return call && call(listener, acceptor, buffer, data_size, local_size, remote_size,
                        ret_received, overlapped);
}

BOOL WINAPI TransmitFile(SOCKET socket, HANDLE file, DWORD size, DWORD block_size,
                         LPOVERLAPPED overlapped, LPTRANSMIT_FILE_BUFFERS buffers, DWORD flags)
{
    static struct extension transmit_file = {WSAID_TRANSMITFILE, NULL};
    LPFN_TRANSMITFILE call = (LPFN_TRANSMITFILE)find(&transmit_file, socket);

    return call && call(socket, file, size, block_size, overlapped, buffers, flags);
}

/* It has no socket, so one is made for the lookup. */
void WINAPI GetAcceptExSockaddrs(PVOID buffer, DWORD data_size, DWORD local_size, DWORD remote_size,
                                 struct sockaddr **ret_local, LPINT ret_local_size,
                                 struct sockaddr **ret_remote, LPINT ret_remote_size)
{
    static struct extension sockaddrs = {WSAID_GETACCEPTEXSOCKADDRS, NULL};
    LPFN_GETACCEPTEXSOCKADDRS call = (LPFN_GETACCEPTEXSOCKADDRS)sockaddrs.pointer;

    if (!call) {
        SOCKET socket = winsock()->WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0, 0);

        call = (LPFN_GETACCEPTEXSOCKADDRS)find(&sockaddrs, socket);
        if (socket != INVALID_SOCKET)
            winsock()->closesocket(socket);
    }
    if (call) {
        call(buffer, data_size, local_size, remote_size, ret_local, ret_local_size, ret_remote,
             ret_remote_size);
        return;
    }
    *ret_local = *ret_remote = NULL;
    *ret_local_size = *ret_remote_size = 0;
}
