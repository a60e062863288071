/* SPDX-License-Identifier: MIT */
/* The receive contract of WSARecvEx: parts, sizes, flags, streams. */
#define _GNU_SOURCE
#include "case.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

static void parts(void)
{
    put(1, 3000);
    put(2, 100);
    get(1, 0, 1000, 1000, true);
    get(1, 1000, 1000, 1000, true);
    get(1, 2000, 1000, 1000, false);
    get(2, 0, 1000, 100, false);
    is_empty();
}

static void parts_udp(void)
{
    open_udp(AF_INET);
    parts();
}

static void parts_udp6(void)
{
    open_udp(AF_INET6);
    parts();
}

static void parts_unix(void)
{
    open_unix(SOCK_DGRAM);
    parts();
    open_unix(SOCK_SEQPACKET);
    parts();
}

/* Microsoft's own example speaks of a message of 1 MB. */
static void a_mebibyte(void)
{
    size_t size = 1 << 20, offset = 0;

    open_unix(SOCK_DGRAM);
    put(3, size);
    for (; offset < size; offset += 65536)
        get(3, offset, 65536, 65536, offset + 65536 < size);
    is_empty();
}

static void sizes(void)
{
    static const int lengths[] = {0, 1, 2, 511, 512, 513, 1024, 32768, LONGEST - 1, LONGEST};
    static const int rooms[] = {1, 512, 1024, LONGEST - 1, LONGEST, LONGEST + 100};

    open_udp(AF_INET);
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        for (size_t r = 0; r < sizeof rooms / sizeof *rooms; r++) {
            int length = lengths[l], offset = 0;

            if (length / rooms[r] > 600)
                continue;
            put((unsigned)(l + r), (size_t)length);
            do {
                int size = length - offset < rooms[r] ? length - offset : rooms[r];

                get((unsigned)(l + r), (size_t)offset, rooms[r], size, offset + size < length);
                offset += size;
            } while (offset < length);
        }
    }
    is_empty();
}

static void plain_recv_continues(void)
{
    struct pollfd readable;

    open_udp(AF_INET);
    put(1, 3000);
    get(1, 0, 1000, 1000, true);
    readable = (struct pollfd){in, POLLIN, 0};
    CHECK(poll(&readable, 1, 0) == 1);
    CHECK(recv(in, buffer, 1000, MSG_PEEK) == 1000 && is_part(1, 1000, 1000));
    CHECK(recv(in, buffer, 1000, 0) == 1000 && is_part(1, 1000, 1000));
    CHECK(read(in, buffer, 5000) == 1000 && is_part(1, 2000, 1000));
    is_empty();
}

static void len_0(void)
{
    open_udp(AF_INET);
    put(1, 10);
    put(2, 0);
    get(1, 0, 0, 0, true);
    get(1, 0, 4, 4, true);
    get(1, 4, 0, 0, true);
    get(1, 4, 100, 6, false);
    get(2, 0, 0, 0, false);
    is_empty();
}

static void bad_arguments(void)
{
    int flags;

    open_udp(AF_INET);
    put(1, 10);
    fails(in, buffer, -1, WSAEFAULT);
    fails(in, NULL, 10, WSAEFAULT);
    CHECK(WSARecvEx(in, NULL, 0, &flags) == 0 && flags == MSG_PARTIAL);
    WSASetLastError(0);
    CHECK(WSARecvEx(in, buffer, 10, NULL) == -1 && WSAGetLastError() == WSAEFAULT);
    fails(-1, NULL, -1, WSAENOTSOCK);
    get(1, 0, 10, 10, false);
    is_empty();
}

static void stream(void)
{
    int flags = MSG_PEEK;

    open_tcp();
    put(1, 3000);
    CHECK(WSARecvEx(in, buffer, 1000, &flags) == 1000 && flags == 0);
    CHECK(recv(in, buffer + 1000, 500, 0) == 500);
    CHECK(WSARecvEx(in, buffer + 1500, 9000, &flags) == 1500 && flags == 0);
    CHECK(is_part(1, 0, 3000));
    shutdown(out, SHUT_WR);
    CHECK(WSARecvEx(in, buffer, 10, &flags) == 0 && flags == 0);
}

static void end_of_records(void)
{
    int flags;

    open_unix(SOCK_SEQPACKET);
    put(1, 30);
    close(out);
    get(1, 0, 20, 20, true);
    get(1, 20, 20, 10, false);
    CHECK(WSARecvEx(in, buffer, 10, &flags) == 0 && flags == 0);
}

static void errno_is_untouched(void)
{
    int flags;

    open_udp(AF_INET);
    put(1, 10);
    errno = 4711;
    CHECK(WSARecvEx(in, buffer, 4, &flags) == 4 && errno == 4711);
    CHECK(WSARecvEx(in, buffer, 10, &flags) == 6 && errno == 4711);
    CHECK(WSARecvEx(-1, buffer, 10, &flags) == -1 && errno == 4711);
}

/* --- SCTP ---------------------------------------------------------------------------------- */

/* Where the kernel has no SCTP its part is played, on a stream: messages of 3,000 bytes of which
 * the last part has MSG_EOR. */
static int played = -1;
static size_t played_bytes;

__attribute__((visibility("default"))) int getsockopt(int fd, int level, int name, void *value,
                                                      socklen_t *length)
{
    if (fd >= 0 && fd == played && level == SOL_SOCKET && (name == SO_TYPE || name == SO_DOMAIN)) {
        *(int *)value = name == SO_TYPE ? SOCK_SEQPACKET : AF_INET;
        return 0;
    }
    return (int)syscall(SYS_getsockopt, fd, level, name, value, length);
}

__attribute__((visibility("default"))) ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
    ssize_t got = syscall(SYS_recvmsg, fd, msg, flags);

    if (fd == played && got > 0) {
        played_bytes += (size_t)got;
        msg->msg_flags |= played_bytes % 3000 == 0 ? MSG_EOR : 0;
    }
    return got;
}

static void open_sctp(void)
{
    struct sockaddr_storage name;
    socklen_t length = loopback(AF_INET, &name);

    in = socket(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP);
    if (in < 0) {
        open_unix(SOCK_STREAM);
        played = in;
        return;
    }
    out = socket(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP);
    CHECK(bind(in, (struct sockaddr *)&name, length) == 0 && listen(in, 1) == 0);
    CHECK(getsockname(in, (struct sockaddr *)&name, &length) == 0);
    CHECK(connect(out, (struct sockaddr *)&name, length) == 0);
}

/* It delivers a long message in parts by itself; the last one has MSG_EOR. */
static void sctp(void)
{
    open_sctp();
    put(1, 3000);
    get(1, 0, 1000, 1000, true);
    get(1, 1000, 1000, 1000, true);
    get(1, 2000, 1000, 1000, false);
}

/* --- threads, and 20,000 datagrams --------------------------------------------------------- */

static void *other_thread(void *unused)
{
    (void)unused;
    CHECK(WSAGetLastError() == 0);
    fails(-1, buffer, 1, WSAENOTSOCK);
    return NULL;
}

static void last_error_is_the_threads(void)
{
    pthread_t thread;

    WSASetLastError(12345);
    CHECK(pthread_create(&thread, NULL, other_thread, NULL) == 0);
    pthread_join(thread, NULL);
    CHECK(WSAGetLastError() == 12345);
}

static unsigned random_number(void)
{
    static unsigned state = 99;

    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

static void many(void)
{
    open_udp(AF_INET);
    for (unsigned number = 0; number < 20000; number++) {
        size_t length = random_number() % 5000, offset = 0;

        put(number, length);
        do {
            size_t room = 1 + random_number() % 2000, left = length - offset;
            size_t size = left < room ? left : room;

            if (random_number() % 2)
                get(number, offset, (int)room, (int)size, size < left);
            else
                CHECK(recv(in, buffer, room, 0) == (ssize_t)size && is_part(number, offset, size));
            offset += size;
        } while (offset < length);
    }
    is_empty();
}

const struct shim_case cases[] = {
    {"parts, UDP over IPv4", parts_udp},
    {"parts, UDP over IPv6", parts_udp6},
    {"parts, AF_UNIX", parts_unix},
    {"a message of 1 MiB", a_mebibyte},
    {"sizes 0 to 65,507", sizes},
    {"plain receives continue", plain_recv_continues},
    {"len 0", len_0},
    {"bad arguments", bad_arguments},
    {"a stream", stream},
    {"the end of a sequenced-packet socket", end_of_records},
    {"errno is untouched", errno_is_untouched},
    {"SCTP: no MSG_EOR is MSG_PARTIAL", sctp},
    {"the last error is the thread's", last_error_is_the_threads},
    {"20,000 datagrams", many},
};
const size_t case_count = sizeof cases / sizeof *cases;
