/* SPDX-License-Identifier: MIT
 *
 * After a partial WSARecvEx: every other way to receive, and every way to wait, is true.
 */
#include "victim.h"

/* A receive by WSARecv, which must give 1,000 bytes from `offset`. */
static const char *is_part(DWORD count, size_t offset)
{
    EQUAL(count, 1000);
    CHECK(is_pattern(buffer, 1, offset, 1000));
    return NULL;
}

static const char *finish(void)
{
    MUST(get(1, 2000, 1000, 1000, FALSE));
    return is_empty();
}

static const char *recv_blocking(void)
{
    MUST(put_partial());
    MUST(get_plain(1, 1000, 1000, 1000, WSAEMSGSIZE));
    MUST(get_plain(1, 2000, 1000, 1000, 0));
    return is_empty();
}

static const char *recv_nonblocking(void)
{
    MUST(put_partial());
    set_blocking(pair.in, FALSE);
    MUST(get_plain(1, 1000, 500, 500, WSAEMSGSIZE));
    MUST(get_plain(1, 1500, 2000, 1500, 0));
    return is_empty();
}

static const char *recv_timeout(void)
{
    MUST(put_partial());
    set_timeout(pair.in, 300);
    MUST(get_plain(1, 1000, 1000, 1000, WSAEMSGSIZE));
    MUST(get_plain(1, 2000, 1000, 1000, 0));
    EQUAL(recv(pair.in, buffer, 10, 0), -1);
    EQUAL(WSAGetLastError(), WSAETIMEDOUT);
    return fails(pair.in, buffer, 10, WSAETIMEDOUT);
}

static const char *recv_from(void)
{
    struct sockaddr_in from = {0}, sender = {0};
    int length = sizeof from, sender_length = sizeof sender;

    MUST(put_partial());
    EQUAL(getsockname(pair.out, (struct sockaddr *)&sender, &sender_length), 0);
    EQUAL(recvfrom(pair.in, buffer, 2500, 0, (struct sockaddr *)&from, &length), 2000);
    EQUAL(length, sizeof from);
    EQUAL(from.sin_port, sender.sin_port);
    EQUAL(from.sin_addr.s_addr, sender.sin_addr.s_addr);
    CHECK(is_pattern(buffer, 1, 1000, 2000));
    return is_empty();
}

static const char *recv_nothing(void)
{
    MUST(put_partial());
    MUST(put(2, 10));
    EQUAL(recv(pair.in, buffer, 0, 0), -1); /* Winsock's way to skip a message */
    EQUAL(WSAGetLastError(), WSAEMSGSIZE);
    MUST(get(2, 0, 100, 10, FALSE));
    return is_empty();
}

static const char *peek(void)
{
    MUST(put_partial());
    for (int i = 0; i < 2; i++) {
        EQUAL(recv(pair.in, buffer, 2000, MSG_PEEK), 2000);
        CHECK(is_pattern(buffer, 1, 1000, 2000));
        EQUAL(recv(pair.in, buffer, 100, MSG_PEEK), -1);
        EQUAL(WSAGetLastError(), WSAEMSGSIZE);
        CHECK(is_pattern(buffer, 1, 1000, 100));
    }
    MUST(get(1, 1000, 1000, 1000, TRUE));
    return finish();
}

static BOOL select_says(SOCKET socket, long milliseconds)
{
    struct timeval limit = {milliseconds / 1000, milliseconds % 1000 * 1000};
    fd_set set;

    FD_ZERO(&set);
    FD_SET(socket, &set);
    return select(0, &set, NULL, NULL, &limit) == 1;
}

static const char *select_(void)
{
    MUST(put_partial());
    CHECK(select_says(pair.in, 0));
    CHECK(select_says(pair.in, SOON));
    MUST(get(1, 1000, 1000, 1000, TRUE));
    CHECK(select_says(pair.in, SOON));
    MUST(get(1, 2000, 1000, 1000, FALSE));
    CHECK(!select_says(pair.in, 0));
    CHECK(!select_says(pair.in, 100));
    return is_empty();
}

static const char *poll(void)
{
    WSAPOLLFD at;

    MUST(put_partial());
    at = (WSAPOLLFD){pair.in, POLLRDNORM, 0};
    EQUAL(WSAPoll(&at, 1, SOON), 1);
    EQUAL(at.revents, POLLRDNORM);
    MUST(get(1, 1000, 1000, 1000, TRUE));
    EQUAL(WSAPoll(&at, 1, SOON), 1);
    MUST(get(1, 2000, 1000, 1000, FALSE));
    EQUAL(WSAPoll(&at, 1, 100), 0);
    return is_empty();
}

/* FD_READ comes again after each receive that leaves something. */
static const char *event_select(void)
{
    WSANETWORKEVENTS events;
    HANDLE event = WSACreateEvent();

    MUST(pair_open(V4));
    EQUAL(WSAEventSelect(pair.in, event, FD_READ), 0);
    MUST(put(1, 3000));
    for (int i = 0; i < 3; i++) {
        EQUAL(WaitForSingleObject(event, SOON), WAIT_OBJECT_0);
        EQUAL(WSAEnumNetworkEvents(pair.in, event, &events), 0);
        EQUAL(events.lNetworkEvents, FD_READ);
        MUST(get(1, (size_t)i * 1000, 1000, 1000, i < 2));
    }
    EQUAL(WaitForSingleObject(event, 100), WAIT_TIMEOUT);
    WSACloseEvent(event);
    return NULL;
}

static const char *async_select(void)
{
    HWND window = CreateWindowA("STATIC", "", 0, 0, 0, 0, 0, HWND_MESSAGE, NULL, NULL, NULL);
    DWORD limit = GetTickCount() + SOON;
    int seen = 0;
    MSG message;

    CHECK(window != NULL);
    MUST(pair_open(V4));
    EQUAL(WSAAsyncSelect(pair.in, window, WM_USER, FD_READ), 0);
    MUST(put(1, 3000));
    while (seen < 3 && GetTickCount() < limit) {
        MsgWaitForMultipleObjects(0, NULL, FALSE, 1000, QS_ALLINPUT);
        while (seen < 3 && PeekMessageA(&message, window, WM_USER, WM_USER, PM_REMOVE)) {
            EQUAL(WSAGETSELECTEVENT(message.lParam), FD_READ);
            MUST(get(1, (size_t)seen * 1000, 1000, 1000, seen < 2));
            seen++;
        }
    }
    EQUAL(seen, 3);
    DestroyWindow(window);
    return NULL;
}

/* 0 or an error of an overlapped receive of 1,000 bytes, which may come at once or later. */
static int start_overlapped(WSAOVERLAPPED *overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    static WSABUF one = {1000, buffer};
    DWORD flags = 0;

    if (WSARecv(pair.in, &one, 1, NULL, &flags, overlapped, routine) == 0)
        return 0;
    return WSAGetLastError() == WSA_IO_PENDING ? 0 : WSAGetLastError();
}

static const char *overlapped_event(void)
{
    WSAOVERLAPPED overlapped = {.hEvent = WSACreateEvent()};
    DWORD count, flags;
    int error;

    MUST(put_partial());
    error = start_overlapped(&overlapped, NULL);
    if (error == 0) {
        EQUAL(WaitForSingleObject(overlapped.hEvent, SOON), WAIT_OBJECT_0);
        EQUAL(WSAGetOverlappedResult(pair.in, &overlapped, &count, FALSE, &flags), FALSE);
        error = WSAGetLastError();
        MUST(is_part(count, 1000));
    }
    EQUAL(error, WSAEMSGSIZE);
    WSAResetEvent(overlapped.hEvent);
    EQUAL(start_overlapped(&overlapped, NULL), 0);
    EQUAL(WaitForSingleObject(overlapped.hEvent, SOON), WAIT_OBJECT_0);
    EQUAL(WSAGetOverlappedResult(pair.in, &overlapped, &count, FALSE, &flags), TRUE);
    MUST(is_part(count, 2000));
    WSACloseEvent(overlapped.hEvent);
    return is_empty();
}

static const char *iocp(void)
{
    WSAOVERLAPPED overlapped = {0}, *done;
    HANDLE port;
    DWORD count;
    ULONG_PTR key;
    int error;

    MUST(put_partial());
    port = CreateIoCompletionPort((HANDLE)pair.in, NULL, 77, 1);
    CHECK(port != NULL);
    error = start_overlapped(&overlapped, NULL);
    CHECK(error == 0 || error == WSAEMSGSIZE);
    EQUAL(GetQueuedCompletionStatus(port, &count, &key, &done, SOON), FALSE);
    EQUAL(GetLastError(), ERROR_MORE_DATA);
    CHECK(done == &overlapped);
    MUST(is_part(count, 1000));
    EQUAL(start_overlapped(&overlapped, NULL), 0);
    EQUAL(GetQueuedCompletionStatus(port, &count, &key, &done, SOON), TRUE);
    MUST(is_part(count, 2000));
    CloseHandle(port);
    return is_empty();
}

static DWORD apc_error, apc_count, apc_seen;

static void CALLBACK apc_routine(DWORD error, DWORD count, WSAOVERLAPPED *overlapped, DWORD flags)
{
    (void)overlapped;
    (void)flags;
    apc_error = error;
    apc_count = count;
    apc_seen++;
}

static const char *apc(void)
{
    WSAOVERLAPPED overlapped = {0};
    int error;

    MUST(put_partial());
    apc_seen = 0;
    error = start_overlapped(&overlapped, apc_routine);
    CHECK(error == 0 || error == WSAEMSGSIZE);
    if (error == 0) {
        EQUAL(SleepEx(SOON, TRUE), WAIT_IO_COMPLETION);
        EQUAL(apc_seen, 1);
        EQUAL(apc_error, WSAEMSGSIZE);
    }
    CHECK(is_pattern(buffer, 1, 1000, 1000));
    EQUAL(start_overlapped(&overlapped, apc_routine), 0);
    EQUAL(SleepEx(SOON, TRUE), WAIT_IO_COMPLETION);
    EQUAL(apc_error, 0);
    MUST(is_part(apc_count, 2000));
    return is_empty();
}

/* An overlapped receive that waits when the message comes; WSARecvEx has the rest. */
static const char *overlapped_first(void)
{
    WSAOVERLAPPED overlapped = {.hEvent = WSACreateEvent()};
    DWORD count, flags;

    MUST(put_partial());
    MUST(get(1, 1000, 1000, 1000, TRUE));
    MUST(get(1, 2000, 1000, 1000, FALSE));
    EQUAL(start_overlapped(&overlapped, NULL), 0);
    EQUAL(WaitForSingleObject(overlapped.hEvent, 50), WAIT_TIMEOUT);
    MUST(put(1, 1000));
    EQUAL(WaitForSingleObject(overlapped.hEvent, SOON), WAIT_OBJECT_0);
    EQUAL(WSAGetOverlappedResult(pair.in, &overlapped, &count, FALSE, &flags), TRUE);
    MUST(is_part(count, 0));
    WSACloseEvent(overlapped.hEvent);
    return is_empty();
}

static const char *recv_msg(void)
{
    static GUID name = WSAID_WSARECVMSG;
    LPFN_WSARECVMSG call = NULL;
    struct sockaddr_in from = {0}, sender = {0};
    char control[256];
    WSABUF one = {1500, buffer};
    WSAMSG msg = {(struct sockaddr *)&from, sizeof from, &one, 1, {sizeof control, control}, 0};
    int length = sizeof sender, on = 1;
    DWORD count = 0;

    MUST(pair_open(V4));
    EQUAL(WSAIoctl(pair.in, SIO_GET_EXTENSION_FUNCTION_POINTER, &name, sizeof name, &call,
                   sizeof call, &count, NULL, NULL),
          0);
    EQUAL(setsockopt(pair.in, IPPROTO_IP, IP_PKTINFO, (char *)&on, sizeof on), 0);
    EQUAL(getsockname(pair.out, (struct sockaddr *)&sender, &length), 0);
    MUST(put(1, 3000));
    MUST(put(2, 20));
    MUST(get(1, 0, 1000, 1000, TRUE));
    EQUAL(call(pair.in, &msg, &count, NULL, NULL), -1);
    EQUAL(WSAGetLastError(), WSAEMSGSIZE);
    CHECK(is_pattern(buffer, 1, 1000, 1500));
    msg.Control.len = sizeof control;
    EQUAL(call(pair.in, &msg, &count, NULL, NULL), 0);
    EQUAL(count, 500);
    CHECK(is_pattern(buffer, 1, 2500, 500));
    EQUAL(from.sin_port, sender.sin_port);
    EQUAL(msg.Control.len, 0); /* delivered once */
    msg.Control.len = sizeof control;
    EQUAL(call(pair.in, &msg, &count, NULL, NULL), 0);
    EQUAL(count, 20);
    CHECK(msg.Control.len > 0);
    return is_empty();
}

static const char *read_file(void)
{
    OVERLAPPED overlapped = {.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL)};
    DWORD count = 0;

    MUST(put_partial());
    if (!ReadFile((HANDLE)pair.in, buffer, 4000, &count, &overlapped)) {
        EQUAL(GetLastError(), ERROR_IO_PENDING);
        EQUAL(GetOverlappedResult((HANDLE)pair.in, &overlapped, &count, TRUE), TRUE);
    }
    EQUAL(count, 2000);
    CHECK(is_pattern(buffer, 1, 1000, 2000));
    CloseHandle(overlapped.hEvent);
    return is_empty();
}

const struct scenario scenarios_after[] = {
    {"recv-blocking", recv_blocking},
    {"recv-nonblocking", recv_nonblocking},
    {"recv-timeout", recv_timeout},
    {"recvfrom", recv_from},
    {"recv-len-0-skips", recv_nothing},
    {"peek", peek},
    {"select", select_},
    {"WSAPoll", poll},
    {"WSAEventSelect", event_select},
    {"WSAAsyncSelect", async_select},
    {"overlapped-event", overlapped_event},
    {"overlapped-iocp", iocp},
    {"overlapped-apc", apc},
    {"overlapped-pending", overlapped_first},
    {"WSARecvMsg", recv_msg},
    {"ReadFile", read_file},
    {NULL, NULL},
};
