/* SPDX-License-Identifier: MIT */
#include "provider_wine.h"

#include "wine_protocol.h"
#include "winsock.h"

/* If Winsock is not started, WSARecv fails with WSAENOTSOCK, but WSASocket with the right code. */
static int error_not_a_socket(void)
{
    SOCKET none = winsock()->WSASocketW(-1, -1, -1, NULL, 0, 0);

    if (none != INVALID_SOCKET)
        winsock()->closesocket(none);
    return GetLastError() == WSANOTINITIALISED ? WSANOTINITIALISED : WSAENOTSOCK;
}

static int option(SOCKET socket, int name, int *ret_value)
{
    int length = sizeof *ret_value;

    *ret_value = 0;
    return winsock()->getsockopt(socket, SOL_SOCKET, name, (char *)ret_value, &length);
}

static BOOL is_stream(SOCKET socket)
{
    int type;

    return option(socket, SO_TYPE, &type) != 0 || type == SOCK_STREAM;
}

static int check(uintptr_t socket)
{
    int type;

    if (option(socket, SO_TYPE, &type) == 0)
        return 0;
    return GetLastError() == WSAENOTSOCK ? error_not_a_socket() : (int)GetLastError();
}

/* --- bound or not ---------------------------------------------------------------------------- */

/* Sockets that are known to be bound, by number. The query costs as much as a receive, so it is
 * made once for each socket. Numbers are reused at once, so the knowledge is valid until something
 * is closed. Without the library beneath, we cannot see that, and query each time. */
static volatile ULONG64 bound[256]; /* the number and the count of closes then, in one word */

static const volatile unsigned *volatile closes; /* NULL: unknown */

/* Handles have 32 significant bits. */
static ULONG64 bound_word(SOCKET socket, unsigned count)
{
    return (ULONG64)(socket + 1) << 32 | count;
}

static volatile ULONG64 *bound_slot(SOCKET socket)
{
    return &bound[socket / 4 % (sizeof bound / sizeof *bound)];
}

/* A datagram socket that is not bound: Winsock fails with WSAEINVAL; Wine would wait forever. */
static BOOL is_unbound(SOCKET socket)
{
    struct sockaddr_storage name;
    int length = sizeof name;
    unsigned count = closes ? *closes : 0;

    if (closes && *bound_slot(socket) == bound_word(socket, count))
        return FALSE;
    if (winsock()->getsockname(socket, (struct sockaddr *)&name, &length) != 0)
        return GetLastError() == WSAEINVAL && !is_stream(socket);
    *bound_slot(socket) = bound_word(socket, count);
    return FALSE;
}

/* --- the provider ---------------------------------------------------------------------------- */

/* Whether a connection with keep-alives has ended: what Winsock calls WSAENETRESET is a timeout for
 * Wine, as for Linux. After a timeout by SO_RCVTIMEO the connection is still there. Wine 8.0 says of
 * an ended one that it has no peer; 10.0 still names the peer, but keeps the error. */
static BOOL is_keepalive_failure(SOCKET socket)
{
    struct sockaddr_storage name;
    int length = sizeof name, kept, error;

    if (!is_stream(socket) || option(socket, SO_KEEPALIVE, &kept) != 0 || !kept)
        return FALSE;
    if (winsock()->getpeername(socket, (struct sockaddr *)&name, &length) != 0)
        return TRUE;
    return option(socket, SO_ERROR, &error) == 0 && error != 0;
}

static int error_of(SOCKET socket, int error)
{
    switch (error) {
    case WSAENOTSOCK:
        return error_not_a_socket();
    case WSAETIMEDOUT:
        return is_keepalive_failure(socket) ? WSAENETRESET : error;
    case WSA_OPERATION_ABORTED: /* after CancelIoEx(): Microsoft's page does not have this code */
        return WSAEINTR;
    case WSAEINVAL: /* Wine's code for a receive whose socket another thread has closed */
        return check(socket) == WSAENOTSOCK ? WSAEINTR : error;
    case WSAECONNREFUSED: /* Wine's code for an ICMP port unreachable */
        return is_stream(socket) ? error : WSAECONNRESET;
    default: /* WSAEMSGSIZE too: the rest is not held, and MSG_PARTIAL would promise it */
        return error;
    }
}

/* A part of length 0 consumes nothing of a message, so the message need not be held. Waits for one,
 * and returns whether it has any bytes. FALSE: unknown, an ordinary receive is needed. */
static BOOL look_for_bytes(SOCKET socket)
{
    struct wine_request ask = {WINE_REQUEST_MAGIC, WINE_ANSWER_NONE, 0, 0};
    WSABUF buffers[2] = {{0, NULL}, {0, (char *)&ask}};
    DWORD count = 0, flags = MSG_PEEK;

    return winsock()->WSARecv(socket, buffers, 2, &count, &flags, NULL, NULL) != 0 &&
           GetLastError() == WSAEMSGSIZE && ask.answer == WINE_ANSWER_NONE;
}

static int receive(uintptr_t socket, char *buf, unsigned len, bool *ret_partial, int *ret_error)
{
    struct wine_request ask = {WINE_REQUEST_MAGIC, WINE_ANSWER_NONE, 0, 0};
    WSABUF buffers[2] = {{len, buf}, {0, (char *)&ask}};
    DWORD count = 0, flags = 0;

    if (is_unbound(socket)) {
        *ret_error = WSAEINVAL;
        return -1;
    }
    if (len == 0 && look_for_bytes(socket)) {
        *ret_partial = true;
        return 0;
    }
    if (winsock()->WSARecv(socket, buffers, 2, &count, &flags, NULL, NULL) != 0) {
        *ret_error = error_of(socket, (int)GetLastError());
        return -1;
    }
    if (ask.answer != WINE_ANSWER_NONE && !closes && (UINT_PTR)ask.closes == ask.closes)
        closes = (const volatile unsigned *)(UINT_PTR)ask.closes;
    *ret_partial = ask.answer == WINE_ANSWER_PARTIAL || ask.answer == WINE_ANSWER_DROPPED;
    return (int)count;
}

static void set_error(int error)
{
    SetLastError((DWORD)error);
}

const struct winsock_provider provider_wine = {receive, check, set_error};
