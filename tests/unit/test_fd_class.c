/* SPDX-License-Identifier: MIT
 *
 * What a descriptor is, which ones are selected, and what is known of them as they come, are
 * duplicated and go.
 */
#define _GNU_SOURCE
#include "fd/fd_class.h"

#include "rows.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

/* --- fixture ----------------------------------------------------------------------------- */

static struct settings settings;

static void set_up(void)
{
    memset(&settings, 0, sizeof settings);
    fd_class_start(&settings, false);
}

TestSuite(fd_class_query, .init = set_up, .timeout = 60);
TestSuite(fd_identify, .init = set_up, .timeout = 60);
TestSuite(socket_select, .init = set_up, .timeout = 60);
TestSuite(fd_class_cached, .init = set_up, .timeout = 60);
TestSuite(fd_duplicated, .init = set_up, .timeout = 60);

/* --- helpers ----------------------------------------------------------------------------- */

static int opened(int domain, int type, int protocol)
{
    int fd = socket(domain, type, protocol);

    cr_assert_geq(fd, 0, "socket(%d, %d, %d): %s", domain, type, protocol, strerror(errno));
    return fd;
}

static int udp(void)
{
    return opened(AF_INET, SOCK_DGRAM, 0);
}

static struct sockaddr_in loopback(unsigned port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* Binds a socket to any port of the loopback; the port. */
static unsigned bind_any(int fd)
{
    struct sockaddr_in name = loopback(0);
    socklen_t length = sizeof name;

    cr_assert_eq(bind(fd, (struct sockaddr *)&name, length), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&name, &length), 0);
    return ntohs(name.sin_port);
}

static void connect_to(int fd, unsigned port)
{
    struct sockaddr_in name = loopback(port);

    cr_assert_eq(connect(fd, (struct sockaddr *)&name, sizeof name), 0);
}

/* A path in a directory of the test's own. */
static const char *own_path(const char *name)
{
    static char directory[] = "/tmp/wsrx-unit-XXXXXX", path[4][100];
    static unsigned which;
    static bool made;

    if (!made && !mkdtemp(directory))
        cr_assert_fail("mkdtemp: %s", strerror(errno));
    made = true;
    which = (which + 1) % 4;
    snprintf(path[which], sizeof path[which], "%s/%s", directory, name);
    return path[which];
}

static void remove_own(const char *name)
{
    unlink(own_path(name));
    rmdir(own_path(""));
}

static struct sockaddr_un at_path(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};

    snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    return name;
}

static void bind_path(int fd, const char *path)
{
    struct sockaddr_un name = at_path(path);

    cr_assert_eq(bind(fd, (struct sockaddr *)&name, sizeof name), 0, "bind %s: %s", path,
                 strerror(errno));
}

static uint64_t cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t length = sizeof cookie;

    cr_assert_eq(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length), 0);
    return cookie;
}

/* WSRX_SOCKETS, by the parser that the library uses. */
static void select_sockets(const char *value)
{
    static char entry[256];
    char *environment[] = {entry, NULL};

    snprintf(entry, sizeof entry, "WSRX_SOCKETS=%s", value);
    cr_assert_eq(settings_read(&settings, environment), 0, "%s", entry);
}

/* --- fd_class_query: classification ---------------------------------------------------------- */

static int open_pipe(void)
{
    int ends[2];

    return pipe(ends) == 0 ? ends[0] : -1;
}

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

static int open_eventfd(void)
{
    return eventfd(0, 0);
}

static int open_listening(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    return fd >= 0 && listen(fd, 1) == 0 ? fd : -1;
}

static int open_pair(void)
{
    int ends[2];

    return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0 ? ends[0] : -1;
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
    cr_expect_eq(fd_class_cookie(class), ours ? cookie_of(fd) : 0, "%s", sort->what);
    cr_expect_eq(fd_class_cached(fd), class, "%s: not kept", sort->what);
    cr_expect_eq(fd_class_query(fd), class, "%s: asked again", sort->what);
    cr_expect_eq(fd_class_get_any(fd), class, "%s: known", sort->what);
}

Test(fd_class_query, of_no_descriptor_is_unknown)
{
    int closed = udp();

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
    int large = opened(AF_UNIX, SOCK_DGRAM, 0);

    cr_expect_geq(fd_class_longest(fd_class_query(udp())), 65507);
    cr_expect_geq(fd_class_longest(fd_class_query(large)), 1 << 20);
}

/* The number was closed behind our back and is something else now. */
Test(fd_class_query, tells_the_number_from_the_socket)
{
    int fd = udp();
    fd_class before = fd_class_get_any(fd), after;

    syscall(SYS_close, fd);
    cr_assert_eq(udp(), fd);
    cr_assert_eq(fd_class_get_any(fd), before, "a class may be stale");
    after = fd_class_query(fd);
    cr_assert_eq(fd_kind(after), FD_DATAGRAM);
    cr_assert_neq(fd_class_cookie(after), fd_class_cookie(before));
    cr_assert_eq(fd_class_get_any(fd), after);

    syscall(SYS_close, fd);
    cr_assert_eq(opened(AF_INET, SOCK_STREAM, 0), fd);
    cr_assert_eq(fd_kind(fd_class_query(fd)), FD_OTHER);
    syscall(SYS_close, fd);
    cr_assert_eq(fd_kind(fd_class_query(fd)), FD_UNKNOWN);
}

/* --- fd_identify, fd_query_cookie -------------------------------------------------- */

Test(fd_identify, tells_the_cookie_and_a_stream)
{
    static const int types[] = {SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM};

    for (size_t i = 0; i < 3; i++) {
        int fd = opened(AF_UNIX, types[i], 0), copy = dup(fd);
        uint64_t cookie = 0;
        bool stream = types[i] != SOCK_STREAM;

        cr_assert_eq(fd_identify(fd, &cookie, &stream), 0);
        cr_expect_eq(cookie, cookie_of(fd));
        cr_expect_eq(stream, types[i] == SOCK_STREAM);
        cr_expect_eq(fd_query_cookie(fd), cookie);
        cr_expect_eq(fd_query_cookie(copy), cookie, "a dup is the same socket");
        cr_expect_neq(fd_query_cookie(opened(AF_UNIX, types[i], 0)), cookie);
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

/* --- selectors --------------------------------------------------------------------------- */

enum { SERVER, CLIENT, ELSEWHERE, SIX, BOUND, JOINED, UNNAMED, ABSTRACT, SOCKETS };

static const char *const socket_names[SOCKETS] = {
    "UDP at the port",   "UDP that is connected to it",
    "UDP elsewhere",     "UDP over IPv6",
    "unix at the path",  "unix that is connected to it",
    "unix without name", "unix with an abstract name"};

#define BIT(which) (1u << (which))
#define UDPS       (BIT(SERVER) | BIT(CLIENT) | BIT(ELSEWHERE) | BIT(SIX))
#define UNIXES     (BIT(BOUND) | BIT(JOINED) | BIT(UNNAMED) | BIT(ABSTRACT))

/* %P is the server's port, %F the server's descriptor, %S the path. */
struct choice {
    const char *value;
    unsigned selected;
};

static const struct choice choices[] = {
    {"udp", UDPS},
    {"unix", UNIXES},
    {"vsock", 0},
    {"udp,unix", UDPS | UNIXES},
    {"!udp", UNIXES},
    {"!unix", UDPS},
    {"!vsock", UDPS | UNIXES},
    {"!udp,!unix", 0},
    {"port=%P", BIT(SERVER) | BIT(CLIENT)},
    {"!port=%P", (UDPS | UNIXES) & ~(BIT(SERVER) | BIT(CLIENT))},
    {"udp,!port=%P", BIT(ELSEWHERE) | BIT(SIX)},
    {"!port=%P,udp", BIT(ELSEWHERE) | BIT(SIX)},
    {"port=%P,!udp", 0},
    {"port=1", 0},
    {"port=1,unix", UNIXES},
    {"fd=%F", BIT(SERVER)},
    {"!fd=%F", (UDPS | UNIXES) & ~BIT(SERVER)},
    {"fd=%F,path=%S", BIT(SERVER) | BIT(BOUND) | BIT(JOINED)},
    {"path=%S", BIT(BOUND) | BIT(JOINED)},
    {"!path=%S", (UDPS | UNIXES) & ~(BIT(BOUND) | BIT(JOINED))},
    {"unix,!path=%S", BIT(UNNAMED) | BIT(ABSTRACT)},
    {"path=%Sx", 0},
    {"path=/", 0},
    {"path=@wsrx-unit", 0},
    {"udp,!udp", 0},
};

static int bound_abstract(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = opened(AF_UNIX, SOCK_DGRAM, 0);

    snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "wsrx-unit-%d", (int)getpid());
    cr_assert_eq(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    return fd;
}

/* Opens one of each; the server's port. */
static unsigned open_all(int *fds)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_un path = at_path(own_path("bound"));
    unsigned port;

    fds[SERVER] = udp();
    port = bind_any(fds[SERVER]);
    fds[CLIENT] = udp();
    connect_to(fds[CLIENT], port);
    fds[ELSEWHERE] = udp();
    bind_any(fds[ELSEWHERE]);
    fds[SIX] = socket(AF_INET6, SOCK_DGRAM, 0);
    if (fds[SIX] >= 0 && bind(fds[SIX], (struct sockaddr *)&six, sizeof six) != 0) {
        close(fds[SIX]);
        fds[SIX] = -1; /* no IPv6 on this machine's loopback */
    }
    fds[BOUND] = opened(AF_UNIX, SOCK_DGRAM, 0);
    bind_path(fds[BOUND], path.sun_path);
    fds[JOINED] = opened(AF_UNIX, SOCK_DGRAM, 0);
    cr_assert_eq(connect(fds[JOINED], (struct sockaddr *)&path, sizeof path), 0);
    fds[UNNAMED] = open_pair();
    fds[ABSTRACT] = bound_abstract();
    return port;
}

ROWS(socket_select, by_what_a_person_knows, ROWS_OF(choices))
{
    const struct choice *choice = &choices[*row];
    char value[256] = "";
    int fds[SOCKETS];
    unsigned port = open_all(fds);

    for (const char *at = choice->value; *at; at++) {
        size_t length = strlen(value);

        if (*at != '%')
            snprintf(value + length, sizeof value - length, "%c", *at);
        else if (*++at == 'P')
            snprintf(value + length, sizeof value - length, "%u", port);
        else if (*at == 'F')
            snprintf(value + length, sizeof value - length, "%d", fds[SERVER]);
        else
            snprintf(value + length, sizeof value - length, "%s", own_path("bound"));
    }
    select_sockets(value);
    for (unsigned i = 0; i < SOCKETS; i++)
        if (fds[i] >= 0)
            cr_expect_eq(fd_class_is_message(fd_class_get_any(fds[i])), choice->selected >> i & 1,
                         "%s: %s", value, socket_names[i]);
    remove_own("bound");
}

Test(socket_select, without_selectors_all_message_sockets)
{
    int fds[SOCKETS];

    open_all(fds);
    for (unsigned i = 0; i < SOCKETS; i++)
        if (fds[i] >= 0)
            cr_expect(fd_class_is_message(fd_class_get_any(fds[i])), "%s", socket_names[i]);
    remove_own("bound");
}

/* What has messages and was not taken up by name is not taken up by selectors either. */
Test(socket_select, never_what_is_no_message_socket)
{
    int stream = opened(AF_INET, SOCK_STREAM, 0), netlink = opened(AF_NETLINK, SOCK_DGRAM, 0);
    char value[100];

    snprintf(value, sizeof value, "udp,unix,vsock,fd=%d,fd=%d", stream, netlink);
    select_sockets(value);
    cr_expect_eq(fd_kind(fd_class_get_any(stream)), FD_OTHER);
    cr_expect_eq(fd_kind(fd_class_get_any(netlink)), FD_OTHER);
}

/* A socket is asked about before it has the name by which it is selected. */
Test(socket_select, a_socket_that_gets_its_port_later)
{
    int other = udp(), fd = udp();
    unsigned port = bind_any(other);
    char value[100];
    struct sockaddr_in name = loopback(port);

    close(other);
    snprintf(value, sizeof value, "port=%u", port);
    select_sockets(value);
    cr_assert_not(fd_class_is_message(fd_class_get_any(fd)));
    cr_assert_eq(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    cr_assert(fd_class_is_message(fd_class_get_any(fd)));
}

Test(socket_select, a_socket_that_gets_its_path_later)
{
    int fd = opened(AF_UNIX, SOCK_DGRAM, 0);
    char value[150];

    snprintf(value, sizeof value, "path=%s", own_path("later"));
    select_sockets(value);
    cr_assert_not(fd_class_is_message(fd_class_get_any(fd)));
    bind_path(fd, own_path("later"));
    remove_own("later");
    cr_assert(fd_class_is_message(fd_class_get_any(fd)));
}

/* --- classes ----------------------------------------------------------------------------- */

Test(fd_class_cached, of_a_new_descriptor_is_nothing)
{
    cr_expect_eq(fd_class_cached(udp()), 0);
    cr_expect_eq(fd_class_cached(-1), 0);
    cr_expect_eq(fd_class_cached(INT_MAX), 0);
}

Test(fd_class_cached, what_we_saw_made_is_known_without_a_question)
{
    int fd = udp();

    fd_made(fd, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_expect_eq(fd_kind(fd_class_cached(fd)), FD_DATAGRAM);
    cr_expect_eq(fd_class_cookie(fd_class_cached(fd)), 0);
    cr_expect_eq(fd_class_get(fd), fd_class_cached(fd));
    cr_expect(fd_class_get(fd) & FD_DUPS_KNOWN);
    cr_expect_eq(fd_cookie(fd), cookie_of(fd));
    cr_expect_eq(fd_class_cookie(fd_class_cached(fd)), cookie_of(fd));
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
    int records = opened(AF_UNIX, SOCK_SEQPACKET, 0), stream = opened(AF_INET, SOCK_STREAM, 0);
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
    int fd = udp(), no_socket = open_pipe();

    fd_class_start(&settings, false);
    cr_expect_eq(fd_kind(fd_class_cached(fd)), FD_SOCKET);
    cr_expect_eq(fd_class_cached(no_socket), 0);
    cr_expect_eq(fd_kind(fd_class_get(fd)), FD_DATAGRAM);
    cr_expect_eq(fd_class_cookie(fd_class_cached(fd)), cookie_of(fd));
    cr_expect_not(fd_class_cached(fd) & FD_DUPS_KNOWN);
}

Test(fd_class_cached, of_a_high_number)
{
    int fd = udp(), high = dup2(fd, 2000);

    if (high < 0)
        cr_skip_test("no descriptors above 2000");
    fd_made(high, AF_INET, SOCK_DGRAM, 0);
    cr_expect_eq(fd_kind(fd_class_cached(high)), FD_DATAGRAM);
    fd_forget(high);
    cr_expect_eq(fd_class_cached(high), 0);
}

Test(fd_class_cached, what_came_from_elsewhere_is_not)
{
    int fd = udp();

    cr_expect_eq(fd_kind(fd_class_get_any(fd)), FD_DATAGRAM);
    cr_expect_not(fd_class_get_any(fd) & FD_DUPS_KNOWN);
}

Test(fd_class_cached, is_forgotten)
{
    int fd = udp();

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
        fds[i] = dup2(udp(), 200 + (int)i);
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
    int fd = opened(AF_UNIX, SOCK_STREAM, 0);

    fd_set_stream(fd, cookie_of(fd));
    cr_expect_eq(fd_kind(fd_class_cached(fd)), FD_STREAM);
    cr_expect_eq(fd_class_cookie(fd_class_cached(fd)), cookie_of(fd));
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

/* --- duplicates -------------------------------------------------------------------------- */

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
    int fd = udp(), copy;

    fd_made(fd, AF_INET, SOCK_DGRAM, 0);
    copy = duplicate(fd);
    cr_expect_eq(fd_cookie(fd), cookie_of(fd));
    cr_expect_eq(fd_class_cookie(fd_class_cached(copy)), cookie_of(fd));
    cr_expect_eq(fd_class_cached(copy), fd_class_cached(fd));
    cr_expect(fd_class_cached(copy) & FD_DUPS_KNOWN);
}

Test(fd_duplicated, the_last_one_is_known)
{
    int fd = udp(), one, two;
    fd_class class;

    fd_made(fd, AF_INET, SOCK_DGRAM, 0);
    class = fd_class_get(fd);
    cr_expect(fd_is_last(fd, class));
    one = duplicate(fd);
    two = duplicate(one);
    fd_class_get_any(udp());
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
    int fd = udp(), other = udp(), copies[4], at = -1, count = 0;
    uint64_t cookie = cookie_of(fd);

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
    int fd = udp(), stream = opened(AF_INET, SOCK_STREAM, 0);

    cr_assert_eq(fd_kind(fd_class_get_any(stream)), FD_OTHER);
    cr_assert_eq(dup2(fd, stream), stream);
    fd_duplicated(fd, stream);
    cr_expect_eq(fd_kind(fd_class_get_any(stream)), FD_DATAGRAM);
    cr_expect_eq(fd_class_cookie(fd_class_get_any(stream)), cookie_of(fd));
}

Test(fd_duplicated, of_what_is_no_socket)
{
    int fd = open_pipe(), copy = duplicate(fd);

    cr_expect_eq(fd_kind(fd_class_get_any(copy)), FD_OTHER);
}

/* WSRX_SOCKETS=fd=N is about the number: bash opens a socket as 3 and duplicates it to 0. */
Test(fd_duplicated, is_selected_by_its_own_number)
{
    int fd = udp(), to = udp();
    char value[32];

    snprintf(value, sizeof value, "fd=%d", to);
    select_sockets(value);
    bind_any(fd);
    cr_assert_not(fd_class_is_message(fd_class_get_any(fd)));
    cr_assert_eq(dup2(fd, to), to);
    fd_duplicated(fd, to);
    cr_expect(fd_class_is_message(fd_class_get_any(to)), "fd %d is not selected by %s", to, value);
    cr_expect_not(fd_class_is_message(fd_class_get_any(fd)));
}

/* What could not be said of the original yet cannot be said of the duplicate. */
Test(fd_duplicated, before_the_socket_has_its_port)
{
    int other = udp(), fd = udp(), copy;
    unsigned port = bind_any(other);
    struct sockaddr_in name = loopback(port);
    char value[32];

    close(other);
    snprintf(value, sizeof value, "port=%u", port);
    select_sockets(value);
    copy = duplicate(fd);
    cr_assert_eq(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    cr_expect(fd_class_is_message(fd_class_get_any(fd)));
    cr_expect(fd_class_is_message(fd_class_get_any(copy)), "the duplicate is not selected by %s",
              value);
}
