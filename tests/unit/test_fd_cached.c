/* SPDX-License-Identifier: MIT */
/* The cached class of descriptors: as they are made, are duplicated and go. */
#define _GNU_SOURCE
#include "fd/fd_class.h"

#include "sockets.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(fd_class_cached, .init = socket_set_up, .timeout = 60);
TestSuite(fd_duplicated, .init = socket_set_up, .timeout = 60);

/* --- the cached class --------------------------------------------------------------------- */

Test(fd_class_cached, of_a_new_descriptor_is_nothing)
{
    cr_expect_eq(fd_class_cached(socket_udp()), 0);
    cr_expect_eq(fd_class_cached(-1), 0);
    cr_expect_eq(fd_class_cached(INT_MAX), 0);
}

Test(fd_class_cached, what_we_saw_made_is_known_without_a_question)
{
    int fd = socket_udp();

    fd_made(fd, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_expect_eq(fd_kind(fd_class_cached(fd)), FD_DATAGRAM);
    cr_expect_eq(fd_class_cookie(fd_class_cached(fd)), 0);
    cr_expect_eq(fd_class_get(fd), fd_class_cached(fd));
    cr_expect(fd_class_get(fd) & FD_DUPS_KNOWN);
    cr_expect_eq(fd_cookie(fd), socket_cookie(fd));
    cr_expect_eq(fd_class_cookie(fd_class_cached(fd)), socket_cookie(fd));
    cr_expect(fd_class_cached(fd) & FD_DUPS_KNOWN);
    fd_made(-1, AF_INET, SOCK_DGRAM, 0); /* a socket() that failed */
}

/* The same for each kind of socket as classifies above asks the kernel for. */
Test(fd_class_cached, what_is_made_is_what_the_kernel_says)
{
    static const int made[][3] = {
        {AF_INET, SOCK_DGRAM, 0},   {AF_INET6, SOCK_DGRAM, 0},    {AF_INET, SOCK_DGRAM, 17},
        {AF_INET, SOCK_DGRAM, 136}, {AF_INET, SOCK_STREAM, 0},    {AF_UNIX, SOCK_DGRAM, 0},
        {AF_UNIX, SOCK_STREAM, 0},  {AF_UNIX, SOCK_SEQPACKET, 0}, {AF_INET, SOCK_RAW, 1},
        {AF_NETLINK, SOCK_RAW, 0},  {AF_NETLINK, SOCK_DGRAM, 0},  {AF_PACKET, SOCK_DGRAM, 0},
        {AF_INET, SOCK_DGRAM, 1},
    };

    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        int fd = socket(made[i][0], made[i][1], made[i][2]);
        enum fd_kind kind;

        if (fd < 0)
            continue; /* not on this machine, or not for this user */
        fd_made(fd, made[i][0], made[i][1], made[i][2]);
        kind = fd_kind(fd_class_cached(fd));
        cr_expect_eq(fd_kind(fd_class_query(fd)), kind, "socket(%d, %d, %d)", made[i][0],
                     made[i][1], made[i][2]);
        close(fd);
    }
}

Test(fd_class_cached, a_connection_is_what_its_listener_is)
{
    int records = socket_open(AF_UNIX, SOCK_SEQPACKET, 0),
        stream = socket_open(AF_INET, SOCK_STREAM, 0);
    int one = open_pipe(), two = open_pipe(), three = open_pipe();

    fd_made(records, AF_UNIX, SOCK_SEQPACKET, 0);
    fd_made(stream, AF_INET, SOCK_STREAM, 0);
    fd_accepted(records, one);
    cr_expect_eq(fd_kind(fd_class_cached(one)), FD_LARGE);
    fd_accepted(stream, two);
    cr_expect_eq(fd_kind(fd_class_cached(two)), FD_OTHER);
    fd_accepted(200, three); /* a listener that nobody has seen */
    cr_expect_eq(fd_kind(fd_class_cached(three)), FD_OTHER);
    fd_accepted(records, -1);
}

Test(fd_class_cached, an_inherited_socket_is_asked_later)
{
    int fd = socket_udp(), no_socket = open_pipe();

    socket_set_up();
    cr_expect_eq(fd_kind(fd_class_cached(fd)), FD_SOCKET);
    cr_expect_eq(fd_class_cached(no_socket), 0);
    cr_expect_eq(fd_kind(fd_class_get(fd)), FD_DATAGRAM);
    cr_expect_eq(fd_class_cookie(fd_class_cached(fd)), socket_cookie(fd));
    cr_expect_not(fd_class_cached(fd) & FD_DUPS_KNOWN);
}

Test(fd_class_cached, of_a_high_number)
{
    struct rlimit limit;
    int fd = socket_udp(), high;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    high = dup2(fd, 2000);
    if (high < 0)
        cr_skip_test("no descriptors above 2000");
    fd_made(high, AF_INET, SOCK_DGRAM, 0);
    cr_expect_eq(fd_kind(fd_class_cached(high)), FD_DATAGRAM);
    fd_forget(high);
    cr_expect_eq(fd_class_cached(high), 0);
}

Test(fd_class_cached, what_came_from_elsewhere_is_not)
{
    int fd = socket_udp();

    cr_expect_eq(fd_kind(fd_class_get_any(fd)), FD_DATAGRAM);
    cr_expect_not(fd_class_get_any(fd) & FD_DUPS_KNOWN);
}

Test(fd_class_cached, is_forgotten)
{
    int fd = socket_udp();

    fd_class_get_any(fd);
    fd_forget(fd);
    cr_expect_eq(fd_class_cached(fd), 0);
    fd_forget(fd);
    fd_forget(-1);
    fd_forget(INT_MAX);
    cr_expect_eq(fd_class_cached(fd), 0);
}

Test(fd_class_cached, is_forgotten_over_a_range)
{
    int fds[6];

    for (unsigned i = 0; i < 6; i++) {
        fds[i] = dup2(socket_udp(), 200 + (int)i);
        cr_assert_eq(fds[i], 200 + (int)i);
        fd_class_get_any(fds[i]);
    }
    fd_forget_range((unsigned)fds[1], (unsigned)fds[3]);
    cr_expect_neq(fd_class_cached(fds[0]), 0);
    for (unsigned i = 1; i <= 3; i++)
        cr_expect_eq(fd_class_cached(fds[i]), 0);
    cr_expect_neq(fd_class_cached(fds[4]), 0);
    fd_forget_range((unsigned)fds[4], (unsigned)fds[3]); /* empty */
    cr_expect_neq(fd_class_cached(fds[4]), 0);
    fd_forget_range((unsigned)fds[5], ~0u); /* closefrom() */
    cr_expect_neq(fd_class_cached(fds[4]), 0);
    cr_expect_eq(fd_class_cached(fds[5]), 0);
    fd_forget_range(0, ~0u);
    cr_expect_eq(fd_class_cached(fds[0]), 0);
    cr_expect_eq(fd_class_cached(fds[4]), 0);
}

Test(fd_class_cached, of_a_stream_that_holds_bytes)
{
    int fd = socket_open(AF_UNIX, SOCK_STREAM, 0);

    fd_set_stream(fd, socket_cookie(fd));
    cr_expect_eq(fd_kind(fd_class_cached(fd)), FD_STREAM);
    cr_expect_eq(fd_class_cookie(fd_class_cached(fd)), socket_cookie(fd));
    cr_expect_not(fd_class_is_message(fd_class_cached(fd)));
    fd_set_stream(fd, 0);
    cr_expect_eq(fd_kind(fd_class_cached(fd)), FD_OTHER);
}

Test(fd_class_cached, of_the_librarys_own)
{
    int fd = open_eventfd();

    fd_set_internal(fd, true);
    cr_expect_eq(fd_kind(fd_class_cached(fd)), FD_INTERNAL);
    cr_expect_eq(fd_kind(fd_class_get_any(fd)), FD_INTERNAL);
    fd_set_internal(fd, false);
    cr_expect_eq(fd_class_cached(fd), 0);
}

/* --- duplicates --------------------------------------------------------------------------- */

/* As the library does on the program's dup(). */
static int duplicate(int fd)
{
    int copy = dup(fd);

    cr_assert_geq(copy, 0);
    fd_duplicated(fd, copy);
    return copy;
}

Test(fd_duplicated, is_the_same_socket)
{
    int fd = socket_udp(), copy;

    fd_made(fd, AF_INET, SOCK_DGRAM, 0);
    copy = duplicate(fd);
    cr_expect_eq(fd_cookie(fd), socket_cookie(fd));
    cr_expect_eq(fd_class_cookie(fd_class_cached(copy)), socket_cookie(fd));
    cr_expect_eq(fd_class_cached(copy), fd_class_cached(fd));
    cr_expect(fd_class_cached(copy) & FD_DUPS_KNOWN);
}

Test(fd_duplicated, the_last_one_is_known)
{
    int fd = socket_udp(), one, two;
    fd_class class;

    fd_made(fd, AF_INET, SOCK_DGRAM, 0);
    class = fd_class_get(fd);
    cr_expect(fd_is_last(fd, class));
    one = duplicate(fd);
    two = duplicate(one);
    fd_class_get_any(socket_udp());
    cr_expect_not(fd_is_last(fd, class));
    cr_expect_not(fd_is_last(one, class));
    cr_expect_not(fd_is_last(two, class));

    /* As the library does on close(): first forget, then ask. */
    fd_forget(fd);
    cr_expect_not(fd_is_last(fd, class));
    fd_forget(two);
    cr_expect_not(fd_is_last(two, class));
    fd_forget(one);
    cr_expect(fd_is_last(one, class));
}

Test(fd_duplicated, each_one_is_found_once)
{
    int fd = socket_udp(), other = socket_udp(), copies[4], at = -1, count = 0;
    uint64_t cookie = socket_cookie(fd);

    fd_class_get_any(fd);
    fd_class_get_any(other);
    cr_expect_eq(fd_next_duplicate(fd, -1, cookie), -1);
    for (unsigned i = 0; i < 4; i++)
        copies[i] = duplicate(fd);
    duplicate(other);
    while ((at = fd_next_duplicate(fd, at, cookie)) >= 0)
        cr_expect_eq(at, copies[count++]);
    cr_expect_eq(count, 4);
    cr_expect_eq(fd_next_duplicate(copies[1], -1, cookie), fd);
    cr_expect_eq(fd_next_duplicate(copies[1], copies[0], cookie), copies[2]);
    cr_expect_eq(fd_next_duplicate(fd, copies[3], cookie), -1);
}

Test(fd_duplicated, over_another_descriptor)
{
    int fd = socket_udp(), stream = socket_open(AF_INET, SOCK_STREAM, 0);

    cr_assert_eq(fd_kind(fd_class_get_any(stream)), FD_OTHER);
    cr_assert_eq(dup2(fd, stream), stream);
    fd_duplicated(fd, stream);
    cr_expect_eq(fd_kind(fd_class_get_any(stream)), FD_DATAGRAM);
    cr_expect_eq(fd_class_cookie(fd_class_get_any(stream)), socket_cookie(fd));
}

Test(fd_duplicated, of_what_is_no_socket)
{
    int fd = open_pipe(), copy = duplicate(fd);

    cr_expect_eq(fd_kind(fd_class_get_any(copy)), FD_OTHER);
}

/* WSRX_SOCKETS=fd=N is about the number: bash opens a socket as 3 and duplicates it to 0. */
Test(fd_duplicated, is_selected_by_its_own_number)
{
    int fd = socket_udp(), to = socket_udp();
    char value[32];

    snprintf(value, sizeof value, "fd=%d", to);
    socket_select(value);
    socket_bind(fd);
    cr_assert_not(fd_class_is_message(fd_class_get_any(fd)));
    cr_assert_eq(dup2(fd, to), to);
    fd_duplicated(fd, to);
    cr_expect(fd_class_is_message(fd_class_get_any(to)), "fd %d is not selected by %s", to, value);
    cr_expect_not(fd_class_is_message(fd_class_get_any(fd)));
}

/* What could not be said of the original yet cannot be said of the duplicate. */
Test(fd_duplicated, before_the_socket_has_its_port)
{
    int other = socket_udp(), fd = socket_udp(), copy;
    unsigned port = socket_bind(other);
    struct sockaddr_in name = socket_loopback(port);
    char value[32];

    close(other);
    snprintf(value, sizeof value, "port=%u", port);
    socket_select(value);
    copy = duplicate(fd);
    cr_assert_eq(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    cr_expect(fd_class_is_message(fd_class_get_any(fd)));
    cr_expect(fd_class_is_message(fd_class_get_any(copy)), "the duplicate is not selected by %s",
              value);
}
