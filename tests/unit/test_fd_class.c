/* SPDX-License-Identifier: MIT */
/* What a descriptor is, asked of the kernel. */
#define _GNU_SOURCE
#include "fd/fd_class.h"

#include "rows.h"
#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

TestSuite(fd_class_query, .init = socket_set_up, .timeout = 60);
TestSuite(fd_identify, .init = socket_set_up, .timeout = 60);

/* --- classification ----------------------------------------------------------------------- */

static int open_file(void)
{
    return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
}

static int open_directory(void)
{
    return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int open_epoll(void)
{
    return epoll_create1(0);
}

static int open_listening(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    return fd >= 0 && listen(fd, 1) == 0 ? fd : -1;
}

/* Where nobody may use ping sockets, root may say so for a network of the test's own (icmp(7)). */
static int open_ping(int domain, int protocol)
{
    int fd = socket(domain, SOCK_DGRAM, protocol), groups;

    if (fd >= 0 || errno != EACCES || unshare(CLONE_NEWNET) != 0)
        return fd;
    groups = open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY | O_CLOEXEC);
    if (groups < 0 || write(groups, "0 0", 3) != 3)
        return -1;
    close(groups);
    return socket(domain, SOCK_DGRAM, protocol);
}

static int open_icmp(void)
{
    return open_ping(AF_INET, IPPROTO_ICMP);
}

static int open_icmp6(void)
{
    return open_ping(AF_INET6, IPPROTO_ICMPV6);
}

#ifndef IPPROTO_SCTP
#define IPPROTO_SCTP 132
#endif

struct sort {
    const char *what;
    int (*open)(void); /* or a socket of: */
    int domain, type, protocol;
    enum fd_kind kind;
};

static const struct sort sorts[] = {
    {"UDP", NULL, AF_INET, SOCK_DGRAM, 0, FD_DATAGRAM},
    {"UDP, by number", NULL, AF_INET, SOCK_DGRAM, IPPROTO_UDP, FD_DATAGRAM},
    {"UDP, non-blocking", NULL, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0, FD_DATAGRAM},
    {"UDP over IPv6", NULL, AF_INET6, SOCK_DGRAM, 0, FD_DATAGRAM},
    {"UDP-Lite", NULL, AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, FD_DATAGRAM},
    {"unix datagram", NULL, AF_UNIX, SOCK_DGRAM, 0, FD_LARGE},
    {"unix sequenced packet", NULL, AF_UNIX, SOCK_SEQPACKET, 0, FD_LARGE},
    {"unix pair", open_pair, 0, 0, 0, FD_LARGE},
    {"vsock datagram", NULL, AF_VSOCK, SOCK_DGRAM, 0, FD_LARGE},
    {"vsock sequenced packet", NULL, AF_VSOCK, SOCK_SEQPACKET, 0, FD_LARGE},

    {"TCP", NULL, AF_INET, SOCK_STREAM, 0, FD_OTHER},
    {"TCP, listening", open_listening, 0, 0, 0, FD_OTHER},
    {"TCP over IPv6", NULL, AF_INET6, SOCK_STREAM, 0, FD_OTHER},
    {"unix stream", NULL, AF_UNIX, SOCK_STREAM, 0, FD_OTHER},
    {"vsock stream", NULL, AF_VSOCK, SOCK_STREAM, 0, FD_OTHER},
    {"ICMP", open_icmp, 0, 0, 0, FD_OTHER},
    {"ICMPv6", open_icmp6, 0, 0, 0, FD_OTHER},
    {"raw", NULL, AF_INET, SOCK_RAW, IPPROTO_UDP, FD_OTHER},
    {"raw IPv6", NULL, AF_INET6, SOCK_RAW, IPPROTO_UDP, FD_OTHER},
    {"SCTP, one to many", NULL, AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP, FD_OTHER},
    {"TIPC", NULL, AF_TIPC, SOCK_SEQPACKET, 0, FD_OTHER},
    {"netlink", NULL, AF_NETLINK, SOCK_RAW, 0, FD_OTHER},
    {"netlink, as datagram", NULL, AF_NETLINK, SOCK_DGRAM, 0, FD_OTHER},
    {"packet", NULL, AF_PACKET, SOCK_DGRAM, 0, FD_OTHER},
    {"pipe", open_pipe, 0, 0, 0, FD_OTHER},
    {"file", open_file, 0, 0, 0, FD_OTHER},
    {"directory", open_directory, 0, 0, 0, FD_OTHER},
    {"epoll", open_epoll, 0, 0, 0, FD_OTHER},
    {"eventfd", open_eventfd, 0, 0, 0, FD_OTHER},
};

ROWS(fd_class_query, classifies, ROWS_OF(sorts))
{
    const struct sort *sort = &sorts[*row];
    int fd = sort->open ? sort->open() : socket(sort->domain, sort->type, sort->protocol);
    bool ours = sort->kind != FD_OTHER;
    fd_class class;

    if (fd < 0)
        cr_skip_test("%s: not on this machine: %s", sort->what, strerror(errno));
    class = fd_class_get_any(fd);
    cr_expect_eq(fd_kind(class), sort->kind, "%s: kind %d", sort->what, fd_kind(class));
    cr_expect_eq(fd_class_is_message(class), ours, "%s", sort->what);
    cr_expect_eq(fd_class_cookie(class), ours ? socket_cookie(fd) : 0, "%s", sort->what);
    cr_expect_eq(fd_class_cached(fd), class, "%s: not kept", sort->what);
    cr_expect_eq(fd_class_query(fd), class, "%s: asked again", sort->what);
    cr_expect_eq(fd_class_get_any(fd), class, "%s: known", sort->what);
}

Test(fd_class_query, of_no_descriptor_is_unknown)
{
    int closed = socket_udp();

    close(closed);
    cr_expect_eq(fd_kind(fd_class_query(closed)), FD_UNKNOWN);
    cr_expect_eq(fd_kind(fd_class_get_any(closed)), FD_UNKNOWN);
    cr_expect_eq(fd_class_cached(closed), 0);
    cr_expect_eq(fd_kind(fd_class_get_any(-1)), FD_UNKNOWN);
    cr_expect_eq(fd_kind(fd_class_get_any(INT_MAX)), FD_UNKNOWN);
    cr_expect_eq(fd_kind(fd_class_get_any(INT_MIN)), FD_UNKNOWN);
}

Test(fd_class_query, a_datagram_is_never_longer_than_it_says)
{
    int large = socket_open(AF_UNIX, SOCK_DGRAM, 0);

    cr_expect_geq(fd_class_longest(fd_class_query(socket_udp())), 65507);
    cr_expect_geq(fd_class_longest(fd_class_query(large)), 1 << 20);
}

/* The number was closed behind our back and is something else now. */
Test(fd_class_query, tells_the_number_from_the_socket)
{
    int fd = socket_udp();
    fd_class before = fd_class_get_any(fd), after;

    syscall(SYS_close, fd);
    cr_assert_eq(socket_udp(), fd);
    cr_assert_eq(fd_class_get_any(fd), before, "a class may be stale");
    after = fd_class_query(fd);
    cr_assert_eq(fd_kind(after), FD_DATAGRAM);
    cr_assert_neq(fd_class_cookie(after), fd_class_cookie(before));
    cr_assert_eq(fd_class_get_any(fd), after);

    syscall(SYS_close, fd);
    cr_assert_eq(socket_open(AF_INET, SOCK_STREAM, 0), fd);
    cr_assert_eq(fd_kind(fd_class_query(fd)), FD_OTHER);
    syscall(SYS_close, fd);
    cr_assert_eq(fd_kind(fd_class_query(fd)), FD_UNKNOWN);
}

/* --- fd_identify, fd_query_cookie --------------------------------------------------------- */

Test(fd_identify, tells_the_cookie_and_a_stream)
{
    static const int types[] = {SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM};

    for (size_t i = 0; i < 3; i++) {
        int fd = socket_open(AF_UNIX, types[i], 0), copy = dup(fd);
        uint64_t cookie = 0;
        bool stream = types[i] != SOCK_STREAM;

        cr_assert_eq(fd_identify(fd, &cookie, &stream), 0);
        cr_expect_eq(cookie, socket_cookie(fd));
        cr_expect_eq(stream, types[i] == SOCK_STREAM);
        cr_expect_eq(fd_query_cookie(fd), cookie);
        cr_expect_eq(fd_query_cookie(copy), cookie, "a dup is the same socket");
        cr_expect_neq(fd_query_cookie(socket_open(AF_UNIX, types[i], 0)), cookie);
    }
}

Test(fd_identify, of_what_is_no_socket)
{
    uint64_t cookie;
    bool stream;

    cr_expect_eq(fd_identify(open_pipe(), &cookie, &stream), -ENOTSOCK);
    cr_expect_eq(fd_identify(-1, &cookie, &stream), -EBADF);
    cr_expect_eq(fd_query_cookie(open_pipe()), 0);
    cr_expect_eq(fd_query_cookie(-1), 0);
}
