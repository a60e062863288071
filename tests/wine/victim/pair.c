/* SPDX-License-Identifier: MIT */
#include "victim.h"

struct pair pair = {INVALID_SOCKET, INVALID_SOCKET};
char buffer[LONGEST + 4096];

static const char *bind_to_loopback(SOCKET socket, int family, struct sockaddr_storage *name,
                                    int *length)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)name;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)name;

    memset(name, 0, sizeof *name);
    name->ss_family = (ADDRESS_FAMILY)family;
    *length = family == V4 ? sizeof *v4 : sizeof *v6;
    if (family == V4)
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        v6->sin6_addr = in6addr_loopback;
    EQUAL(bind(socket, (struct sockaddr *)name, *length), 0);
    EQUAL(getsockname(socket, (struct sockaddr *)name, length), 0);
    return NULL;
}

const char *pair_open(int family)
{
    struct sockaddr_storage name, sender;
    int length, room = 1 << 20;

    pair_close();
    pair.in = socket(family, SOCK_DGRAM, 0);
    pair.out = socket(family, SOCK_DGRAM, 0);
    CHECK(pair.in != INVALID_SOCKET && pair.out != INVALID_SOCKET);
    setsockopt(pair.in, SOL_SOCKET, SO_RCVBUF, (char *)&room, sizeof room);
    MUST(bind_to_loopback(pair.in, family, &name, &length));
    MUST(bind_to_loopback(pair.out, family, &sender, &length));
    EQUAL(connect(pair.out, (struct sockaddr *)&name, length), 0);
    return NULL;
}

const char *pair_open_connected(int family)
{
    struct sockaddr_storage name;
    int length = sizeof name;

    MUST(pair_open(family));
    EQUAL(getsockname(pair.out, (struct sockaddr *)&name, &length), 0);
    EQUAL(connect(pair.in, (struct sockaddr *)&name, length), 0);
    return NULL;
}

const char *pair_open_stream(void)
{
    SOCKET listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_storage name;
    int length;

    pair_close();
    MUST(bind_to_loopback(listener, V4, &name, &length));
    EQUAL(listen(listener, 1), 0);
    pair.out = socket(AF_INET, SOCK_STREAM, 0);
    EQUAL(connect(pair.out, (struct sockaddr *)&name, length), 0);
    pair.in = accept(listener, NULL, NULL);
    CHECK(pair.in != INVALID_SOCKET);
    closesocket(listener);
    return NULL;
}

void pair_close(void)
{
    if (pair.in != INVALID_SOCKET)
        closesocket(pair.in);
    if (pair.out != INVALID_SOCKET)
        closesocket(pair.out);
    pair.in = pair.out = INVALID_SOCKET;
}

void set_blocking(SOCKET socket, BOOL blocking)
{
    u_long value = !blocking;

    ioctlsocket(socket, FIONBIO, &value);
}

void set_timeout(SOCKET socket, DWORD milliseconds)
{
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, (char *)&milliseconds, sizeof milliseconds);
}

/* Words that name the message and the place, so that two threads know what they got. */
static unsigned char byte_of(unsigned number, size_t at)
{
    unsigned word = number * 2654435761u + (unsigned)(at / 4) * 40503u + number;

    return (unsigned char)(word >> at % 4 * 8);
}

void pattern(char *to, unsigned number, size_t offset, size_t size)
{
    for (size_t i = 0; i < size; i++)
        to[i] = (char)byte_of(number, offset + i);
}

BOOL is_pattern(const char *found, unsigned number, size_t offset, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)found[i] != byte_of(number, offset + i))
            return FALSE;
    return TRUE;
}

const char *put(unsigned number, size_t size)
{
    static char message[LONGEST];

    progress();
    pattern(message, number, 0, size);
    EQUAL(send(pair.out, message, (int)size, 0), size);
    return NULL;
}

enum { CANARY = 0x5a };

const char *get(unsigned number, size_t offset, int room, size_t size, BOOL partial)
{
    int flags = 0x1234, got;

    memset(buffer, CANARY, (size_t)room + 16);
    got = WSARecvEx(pair.in, buffer, room, &flags);
    EQUAL(got, size);
    EQUAL(flags, partial ? MSG_PARTIAL : 0);
    CHECK(is_pattern(buffer, number, offset, size));
    for (int i = room; i < room + 16; i++)
        EQUAL(buffer[i], CANARY);
    return NULL;
}

const char *get_plain(unsigned number, size_t offset, int room, size_t size, int error)
{
    int got;

    memset(buffer, CANARY, (size_t)room + 16);
    got = recv(pair.in, buffer, room, 0);
    if (error) {
        EQUAL(got, -1);
        EQUAL(WSAGetLastError(), error);
    } else {
        EQUAL(got, size);
    }
    CHECK(is_pattern(buffer, number, offset, size));
    EQUAL(buffer[room], CANARY);
    return NULL;
}

const char *put_partial(void)
{
    MUST(pair_open(V4));
    MUST(put(1, 3000));
    return get(1, 0, 1000, 1000, TRUE);
}

const char *fails(SOCKET socket, char *buf, int len, int error)
{
    int flags = MSG_PARTIAL;

    WSASetLastError(0);
    EQUAL(WSARecvEx(socket, buf, len, &flags), -1);
    EQUAL(WSAGetLastError(), error);
    EQUAL(flags, 0);
    return NULL;
}

const char *is_empty(void)
{
    set_blocking(pair.in, FALSE);
    EQUAL(recv(pair.in, buffer, 1000, 0), -1);
    EQUAL(WSAGetLastError(), WSAEWOULDBLOCK);
    set_blocking(pair.in, TRUE);
    return NULL;
}
