/* SPDX-License-Identifier: MIT
 *
 * The clauses of the contract, without anything in between.
 */
#include "victim.h"

static const char *fits(void)
{
    MUST(pair_open(V4));
    MUST(put(1, 100));
    MUST(put(2, 1000));
    MUST(get(1, 0, 1000, 100, FALSE));
    MUST(get(2, 0, 1000, 1000, FALSE));
    return is_empty();
}

static const char *parts(void)
{
    MUST(put_partial());
    MUST(put(2, 5));
    MUST(get(1, 1000, 1000, 1000, TRUE));
    MUST(get(1, 2000, 1000, 1000, FALSE));
    MUST(get(2, 0, 1000, 5, FALSE));
    return is_empty();
}

static const char *loop(void)
{
    size_t total = 0;
    int flags, got;

    MUST(pair_open(V4));
    MUST(put(7, 10007));
    do {
        got = WSARecvEx(pair.in, buffer + total, 512, &flags);
        CHECK(got > 0);
        total += (size_t)got;
    } while (flags & MSG_PARTIAL);
    EQUAL(total, 10007);
    CHECK(is_pattern(buffer, 7, 0, total));
    return is_empty();
}

static const char *sizes_of(int family, const char *(*open)(int))
{
    static const int sizes[] = {0,    1,    2,    511,  512,   513,   1023,  1024, 1025,
                                1471, 1472, 1473, 8191, 16384, 32767, 65506, 65507};
    static const int rooms[] = {1, 512, 1024, 16384, 65506, 65507, 65535};

    MUST(open(family));
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (size_t r = 0; r < sizeof rooms / sizeof *rooms; r++) {
            int size = sizes[s], room = rooms[r], offset = 0;

            if (size / room > 200)
                continue;
            MUST(put(s * 10 + r, (size_t)size));
            do {
                int part = size - offset < room ? size - offset : room;

                MUST(get(s * 10 + r, (size_t)offset, room, (size_t)part, offset + part < size));
                offset += part;
            } while (offset < size);
        }
    }
    return is_empty();
}

static const char *sizes_ipv4(void)
{
    return sizes_of(V4, pair_open);
}

static const char *sizes_ipv6(void)
{
    return sizes_of(V6, pair_open);
}

static const char *sizes_connected_ipv4(void)
{
    return sizes_of(V4, pair_open_connected);
}

static const char *sizes_connected_ipv6(void)
{
    return sizes_of(V6, pair_open_connected);
}

static const char *flags_are_ignored(void)
{
    static const int values[] = {0, MSG_PEEK, MSG_OOB, MSG_PARTIAL, -1};

    MUST(pair_open(V4));
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        int flags = values[i];

        MUST(put(1, 10));
        EQUAL(WSARecvEx(pair.in, buffer, 100, &flags), 10);
        EQUAL(flags, 0);
    }
    return is_empty();
}

static const char *len_0(void)
{
    MUST(pair_open(V4));
    MUST(put(1, 10));
    MUST(put(2, 0));
    MUST(get(1, 0, 0, 0, TRUE));
    MUST(get(1, 0, 0, 0, TRUE));
    MUST(get(1, 0, 4, 4, TRUE));
    MUST(get(1, 4, 0, 0, TRUE));
    MUST(get(1, 4, 6, 6, FALSE));
    MUST(get(2, 0, 0, 0, FALSE));
    return is_empty();
}

static const char *bad_arguments(void)
{
    int flags;

    MUST(pair_open(V4));
    MUST(put(1, 10));
    MUST(fails(pair.in, buffer, -1, WSAEFAULT));
    MUST(fails(pair.in, buffer, (int)0x80000000, WSAEFAULT));
    MUST(fails(pair.in, NULL, 10, WSAEFAULT));
    EQUAL(WSARecvEx(pair.in, NULL, 0, &flags), 0);
    EQUAL(flags, MSG_PARTIAL);
    WSASetLastError(0);
    EQUAL(WSARecvEx(pair.in, buffer, 10, NULL), -1);
    EQUAL(WSAGetLastError(), WSAEFAULT);
    MUST(fails((SOCKET)0x12340, NULL, -1, WSAENOTSOCK));
    MUST(get(1, 0, 10, 10, FALSE));
    return is_empty();
}

static const char *stream(void)
{
    int flags = MSG_PEEK;

    MUST(pair_open_stream());
    MUST(put(1, 3000));
    EQUAL(WSARecvEx(pair.in, buffer, 1000, &flags), 1000);
    EQUAL(flags, 0);
    EQUAL(WSARecvEx(pair.in, buffer + 1000, 1500, &flags), 1500);
    EQUAL(flags, 0);
    EQUAL(recv(pair.in, buffer + 2500, 100, 0), 100);
    EQUAL(WSARecvEx(pair.in, buffer + 2600, 4000, &flags), 400);
    EQUAL(flags, 0);
    CHECK(is_pattern(buffer, 1, 0, 3000));
    set_blocking(pair.in, FALSE);
    MUST(fails(pair.in, buffer, 10, WSAEWOULDBLOCK));
    set_blocking(pair.in, TRUE);
    shutdown(pair.out, SD_SEND);
    EQUAL(WSARecvEx(pair.in, buffer, 10, &flags), 0);
    EQUAL(flags, 0);
    EQUAL(recv(pair.in, buffer, 10, 0), 0);
    return NULL;
}

static DWORD WINAPI send_later(void *unused)
{
    (void)unused;
    Sleep(300);
    put(9, 2500);
    return 0;
}

/* The receive is pended, and its buffers come back later. */
static const char *waits(void)
{
    HANDLE thread;
    DWORD before = GetTickCount();

    MUST(pair_open(V4));
    thread = CreateThread(NULL, 0, send_later, NULL, 0, NULL);
    MUST(get(9, 0, 1000, 1000, TRUE));
    CHECK(GetTickCount() - before >= 250);
    MUST(get(9, 1000, 1500, 1500, FALSE));
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
    return is_empty();
}

/* Winsock's rule for UDP, where nobody asks for anything else. */
static const char *plain_recv_drops(void)
{
    MUST(pair_open(V4));
    MUST(put(1, 3000));
    MUST(put(2, 10));
    MUST(get_plain(1, 0, 1000, 1000, WSAEMSGSIZE));
    MUST(get_plain(2, 0, 1000, 10, 0));
    return is_empty();
}

const struct scenario scenarios_basic[] = {
    {"fits", fits},
    {"parts", parts},
    {"loop", loop},
    {"sizes-ipv4", sizes_ipv4},
    {"sizes-ipv6", sizes_ipv6},
    {"sizes-connected-ipv4", sizes_connected_ipv4},
    {"sizes-connected-ipv6", sizes_connected_ipv6},
    {"flags-are-ignored", flags_are_ignored},
    {"len-0", len_0},
    {"bad-arguments", bad_arguments},
    {"stream", stream},
    {"waits", waits},
    {"plain-recv-drops", plain_recv_drops},
    {NULL, NULL},
};
