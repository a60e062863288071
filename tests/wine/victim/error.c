/* SPDX-License-Identifier: MIT
 *
 * The error codes of Microsoft's page, each from its real condition. docs/wine.md names those that
 * Wine cannot produce.
 */
#include "victim.h"

static const char *efault(void)
{
    DWORD old;
    char *page = VirtualAlloc(NULL, 8192, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);

    MUST(pair_open(V4));
    MUST(put(1, 3000));
    MUST(fails(pair.in, (char *)0x10, 100, WSAEFAULT));
    VirtualProtect(page + 4096, 4096, PAGE_NOACCESS, &old);
    MUST(fails(pair.in, page + 4096, 100, WSAEFAULT));
    MUST(fails(pair.in, page + 4000, 200, WSAEFAULT));
    VirtualFree(page, 0, MEM_RELEASE);
    MUST(fails(pair.in, page, 100, WSAEFAULT));
    MUST(get(1, 0, 3000, 3000, FALSE));
    return is_empty();
}

static const char *enotsock(void)
{
    HANDLE event = CreateEventA(NULL, TRUE, FALSE, NULL);
    SOCKET closed = socket(AF_INET, SOCK_DGRAM, 0);

    closesocket(closed);
    MUST(fails(INVALID_SOCKET, buffer, 10, WSAENOTSOCK));
    MUST(fails((SOCKET)event, buffer, 10, WSAENOTSOCK));
    CloseHandle(event);
    return fails(closed, buffer, 10, WSAENOTSOCK);
}

static const char *einval(void)
{
    SOCKET unbound = socket(AF_INET, SOCK_DGRAM, 0), unbound6 = socket(AF_INET6, SOCK_DGRAM, 0);

    MUST(fails(unbound, buffer, 10, WSAEINVAL));
    MUST(fails(unbound6, buffer, 10, WSAEINVAL));
    closesocket(unbound);
    closesocket(unbound6);
    return NULL;
}

static const char *ewouldblock(void)
{
    MUST(pair_open(V4));
    set_blocking(pair.in, FALSE);
    return fails(pair.in, buffer, 10, WSAEWOULDBLOCK);
}

static const char *etimedout(void)
{
    DWORD before;

    MUST(pair_open(V4));
    set_timeout(pair.in, 200);
    before = GetTickCount();
    MUST(fails(pair.in, buffer, 10, WSAETIMEDOUT));
    CHECK(GetTickCount() - before >= 150);
    return NULL;
}

static DWORD WINAPI reset_later(void *unused)
{
    struct linger hard = {1, 0};

    (void)unused;
    Sleep(200);
    setsockopt(pair.out, SOL_SOCKET, SO_LINGER, (char *)&hard, sizeof hard);
    closesocket(pair.out);
    pair.out = INVALID_SOCKET;
    return 0;
}

/* Wine reports a reset only to a receive that waits already: after it, recv() gives 0. */
static const char *econnreset_stream(void)
{
    HANDLE thread;
    const char *reason;

    MUST(pair_open_stream());
    thread = CreateThread(NULL, 0, reset_later, NULL, 0, NULL);
    reason = fails(pair.in, buffer, 10, WSAECONNRESET);
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
    return reason;
}

/* An ICMP port unreachable comes back for what the receiver itself has sent; Wine reports it only
 * to a receive that waits already. */
static DWORD WINAPI send_to_nobody(void *unused)
{
    (void)unused;
    Sleep(200);
    send(pair.in, "x", 1, 0);
    return 0;
}

static const char *econnreset_datagram(void)
{
    HANDLE thread;
    const char *reason;

    MUST(pair_open_connected(V4));
    closesocket(pair.out);
    pair.out = INVALID_SOCKET;
    set_timeout(pair.in, 5000);
    thread = CreateThread(NULL, 0, send_to_nobody, NULL, 0, NULL);
    reason = fails(pair.in, buffer, 10, WSAECONNRESET);
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
    return reason;
}

/* The same error while a message is held: it must come to its end. */
static const char *icmp_in_the_midst(void)
{
    MUST(pair_open_connected(V4));
    MUST(put(1, 3000));
    MUST(get(1, 0, 1000, 1000, TRUE));
    closesocket(pair.out);
    pair.out = INVALID_SOCKET;
    EQUAL(send(pair.in, "x", 1, 0), 1);
    Sleep(50);
    MUST(get(1, 1000, 1000, 1000, TRUE));
    EQUAL(send(pair.in, "x", 1, 0), 1);
    Sleep(50);
    return get(1, 2000, 1000, 1000, FALSE);
}

static const char *enotconn(void)
{
    SOCKET stream = socket(AF_INET, SOCK_STREAM, 0);

    MUST(fails(stream, buffer, 10, WSAENOTCONN));
    closesocket(stream);
    return NULL;
}

static const char *eshutdown(void)
{
    MUST(pair_open(V4));
    EQUAL(shutdown(pair.in, SD_RECEIVE), 0);
    MUST(fails(pair.in, buffer, 10, WSAESHUTDOWN));
    MUST(pair_open_stream());
    EQUAL(shutdown(pair.in, SD_RECEIVE), 0);
    return fails(pair.in, buffer, 10, WSAESHUTDOWN);
}

static DWORD WINAPI cancel_later(void *close)
{
    SOCKET socket = pair.in;

    Sleep(200);
    if (close) {
        pair.in = INVALID_SOCKET;
        closesocket(socket);
    } else {
        CancelIoEx((HANDLE)socket, NULL);
    }
    return 0;
}

/* A blocking call is ended by another thread. */
static const char *eintr(void)
{
    for (int close = 0; close < 2; close++) {
        const char *reason;
        HANDLE thread;

        MUST(pair_open(V4));
        thread = CreateThread(NULL, 0, cancel_later, close ? "" : NULL, 0, NULL);
        reason = fails(pair.in, buffer, 10, WSAEINTR);
        WaitForSingleObject(thread, INFINITE);
        CloseHandle(thread);
        MUST(reason);
    }
    return NULL;
}

static const char *notinitialised(void)
{
    const char *reason;
    WSADATA data;

    MUST(pair_open(V4));
    WSACleanup();
    reason = fails(pair.in, buffer, 10, WSANOTINITIALISED);
    WSAStartup(MAKEWORD(2, 2), &data);
    pair.in = pair.out = INVALID_SOCKET;
    return reason;
}

const struct scenario scenarios_error[] = {
    {"WSAEFAULT", efault},
    {"WSAENOTSOCK", enotsock},
    {"WSAEINVAL", einval},
    {"WSAEWOULDBLOCK", ewouldblock},
    {"WSAETIMEDOUT", etimedout},
    {"WSAECONNRESET-stream", econnreset_stream},
    {"WSAECONNRESET-datagram", econnreset_datagram},
    {"icmp-in-the-midst", icmp_in_the_midst},
    {"WSAENOTCONN", enotconn},
    {"WSAESHUTDOWN", eshutdown},
    {"WSAEINTR", eintr},
    {"WSANOTINITIALISED", notinitialised},
    {NULL, NULL},
};
