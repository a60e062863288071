/* SPDX-License-Identifier: MIT
 *
 * What a descriptor is, which ones are selected, and what is believed of them as they come, are
 * duplicated and go.
 */
#define _GNU_SOURCE
#include "socket.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
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
    cr_assert_eq(socket_start(&settings), 0);
}

TestSuite(socket_ask, .init = set_up, .timeout = 60);
TestSuite(socket_identify, .init = set_up, .timeout = 60);
TestSuite(socket_select, .init = set_up, .timeout = 60);
TestSuite(socket_believe, .init = set_up, .timeout = 60);
TestSuite(socket_duplicated, .init = set_up, .timeout = 60);

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

/* --- socket_ask: classification ---------------------------------------------------------- */

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
    enum socket_kind kind;
};

static const struct sort sorts[] = {
    {"UDP", NULL, AF_INET, SOCK_DGRAM, 0, SOCKET_DATAGRAM},
    {"UDP, by number", NULL, AF_INET, SOCK_DGRAM, IPPROTO_UDP, SOCKET_DATAGRAM},
    {"UDP, non-blocking", NULL, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0, SOCKET_DATAGRAM},
    {"UDP over IPv6", NULL, AF_INET6, SOCK_DGRAM, 0, SOCKET_DATAGRAM},
    {"UDP-Lite", NULL, AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, SOCKET_DATAGRAM},
    {"unix datagram", NULL, AF_UNIX, SOCK_DGRAM, 0, SOCKET_LARGE},
    {"unix sequenced packet", NULL, AF_UNIX, SOCK_SEQPACKET, 0, SOCKET_LARGE},
    {"unix pair", open_pair, 0, 0, 0, SOCKET_LARGE},
    {"vsock datagram", NULL, AF_VSOCK, SOCK_DGRAM, 0, SOCKET_LARGE},
    {"vsock sequenced packet", NULL, AF_VSOCK, SOCK_SEQPACKET, 0, SOCKET_LARGE},

    {"TCP", NULL, AF_INET, SOCK_STREAM, 0, SOCKET_OTHER},
    {"TCP, listening", open_listening, 0, 0, 0, SOCKET_OTHER},
    {"TCP over IPv6", NULL, AF_INET6, SOCK_STREAM, 0, SOCKET_OTHER},
    {"unix stream", NULL, AF_UNIX, SOCK_STREAM, 0, SOCKET_OTHER},
    {"vsock stream", NULL, AF_VSOCK, SOCK_STREAM, 0, SOCKET_OTHER},
    {"ICMP", open_icmp, 0, 0, 0, SOCKET_OTHER},
    {"ICMPv6", open_icmp6, 0, 0, 0, SOCKET_OTHER},
    {"raw", NULL, AF_INET, SOCK_RAW, IPPROTO_UDP, SOCKET_OTHER},
    {"raw IPv6", NULL, AF_INET6, SOCK_RAW, IPPROTO_UDP, SOCKET_OTHER},
    {"SCTP, one to many", NULL, AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP, SOCKET_OTHER},
    {"TIPC", NULL, AF_TIPC, SOCK_SEQPACKET, 0, SOCKET_OTHER},
    {"netlink", NULL, AF_NETLINK, SOCK_RAW, 0, SOCKET_OTHER},
    {"netlink, as datagram", NULL, AF_NETLINK, SOCK_DGRAM, 0, SOCKET_OTHER},
    {"packet", NULL, AF_PACKET, SOCK_DGRAM, 0, SOCKET_OTHER},
    {"pipe", open_pipe, 0, 0, 0, SOCKET_OTHER},
    {"file", open_file, 0, 0, 0, SOCKET_OTHER},
    {"directory", open_directory, 0, 0, 0, SOCKET_OTHER},
    {"epoll", open_epoll, 0, 0, 0, SOCKET_OTHER},
    {"eventfd", open_eventfd, 0, 0, 0, SOCKET_OTHER},
};

enum { SORTS = sizeof sorts / sizeof *sorts };

ParameterizedTestParameters(socket_ask, classifies)
{
    static int indices[SORTS];

    for (int i = 0; i < SORTS; i++)
        indices[i] = i;
    return cr_make_param_array(int, indices, SORTS);
}

ParameterizedTest(int *index, socket_ask, classifies)
{
    const struct sort *sort = &sorts[*index];
    int fd = sort->open ? sort->open() : socket(sort->domain, sort->type, sort->protocol);
    bool ours = sort->kind != SOCKET_OTHER;
    socket_belief belief;

    if (fd < 0)
        cr_skip_test("%s: not on this machine: %s", sort->what, strerror(errno));
    belief = socket_know(fd);
    cr_expect_eq(socket_kind(belief), sort->kind, "%s: kind %d", sort->what, socket_kind(belief));
    cr_expect_eq(socket_is_message(belief), ours, "%s", sort->what);
    cr_expect_eq(socket_cookie(belief), ours ? cookie_of(fd) : 0, "%s", sort->what);
    cr_expect_eq(socket_believe(fd), belief, "%s: not kept", sort->what);
    cr_expect_eq(socket_ask(fd), belief, "%s: asked again", sort->what);
    cr_expect_eq(socket_know(fd), belief, "%s: known", sort->what);
}

Test(socket_ask, of_no_descriptor_is_unknown)
{
    int closed = udp();

    close(closed);
    cr_expect_eq(socket_kind(socket_ask(closed)), SOCKET_UNKNOWN);
    cr_expect_eq(socket_kind(socket_know(closed)), SOCKET_UNKNOWN);
    cr_expect_eq(socket_believe(closed), 0);
    cr_expect_eq(socket_kind(socket_know(-1)), SOCKET_UNKNOWN);
    cr_expect_eq(socket_kind(socket_know(INT_MAX)), SOCKET_UNKNOWN);
    cr_expect_eq(socket_kind(socket_know(INT_MIN)), SOCKET_UNKNOWN);
}

Test(socket_ask, a_datagram_is_never_longer_than_it_says)
{
    int large = opened(AF_UNIX, SOCK_DGRAM, 0);

    cr_expect_geq(socket_longest(socket_ask(udp())), 65507);
    cr_expect_geq(socket_longest(socket_ask(large)), 1 << 20);
}

/* The number was closed behind our back and is something else now. */
Test(socket_ask, tells_the_number_from_the_socket)
{
    int fd = udp();
    socket_belief before = socket_know(fd), after;

    syscall(SYS_close, fd);
    cr_assert_eq(udp(), fd);
    cr_assert_eq(socket_know(fd), before, "a belief may be stale");
    after = socket_ask(fd);
    cr_assert_eq(socket_kind(after), SOCKET_DATAGRAM);
    cr_assert_neq(socket_cookie(after), socket_cookie(before));
    cr_assert_eq(socket_know(fd), after);

    syscall(SYS_close, fd);
    cr_assert_eq(opened(AF_INET, SOCK_STREAM, 0), fd);
    cr_assert_eq(socket_kind(socket_ask(fd)), SOCKET_OTHER);
    syscall(SYS_close, fd);
    cr_assert_eq(socket_kind(socket_ask(fd)), SOCKET_UNKNOWN);
}

/* --- socket_identify, socket_ask_cookie -------------------------------------------------- */

Test(socket_identify, tells_the_cookie_and_a_stream)
{
    static const int types[] = {SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM};

    for (size_t i = 0; i < 3; i++) {
        int fd = opened(AF_UNIX, types[i], 0), copy = dup(fd);
        uint64_t cookie = 0;
        bool stream = types[i] != SOCK_STREAM;

        cr_assert_eq(socket_identify(fd, &cookie, &stream), 0);
        cr_expect_eq(cookie, cookie_of(fd));
        cr_expect_eq(stream, types[i] == SOCK_STREAM);
        cr_expect_eq(socket_ask_cookie(fd), cookie);
        cr_expect_eq(socket_ask_cookie(copy), cookie, "a dup is the same socket");
        cr_expect_neq(socket_ask_cookie(opened(AF_UNIX, types[i], 0)), cookie);
    }
}

Test(socket_identify, of_what_is_no_socket)
{
    uint64_t cookie;
    bool stream;

    cr_expect_eq(socket_identify(open_pipe(), &cookie, &stream), -ENOTSOCK);
    cr_expect_eq(socket_identify(-1, &cookie, &stream), -EBADF);
    cr_expect_eq(socket_ask_cookie(open_pipe()), 0);
    cr_expect_eq(socket_ask_cookie(-1), 0);
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

enum { CHOICES = sizeof choices / sizeof *choices };

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

ParameterizedTestParameters(socket_select, by_what_a_person_knows)
{
    static int indices[CHOICES];

    for (int i = 0; i < CHOICES; i++)
        indices[i] = i;
    return cr_make_param_array(int, indices, CHOICES);
}

ParameterizedTest(int *index, socket_select, by_what_a_person_knows)
{
    const struct choice *choice = &choices[*index];
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
            cr_expect_eq(socket_is_message(socket_know(fds[i])), choice->selected >> i & 1,
                         "%s: %s", value, socket_names[i]);
    remove_own("bound");
}

Test(socket_select, without_selectors_all_message_sockets)
{
    int fds[SOCKETS];

    open_all(fds);
    for (unsigned i = 0; i < SOCKETS; i++)
        if (fds[i] >= 0)
            cr_expect(socket_is_message(socket_know(fds[i])), "%s", socket_names[i]);
    remove_own("bound");
}

/* What has messages and was not taken up by name is not taken up by selectors either. */
Test(socket_select, never_what_is_no_message_socket)
{
    int stream = opened(AF_INET, SOCK_STREAM, 0), netlink = opened(AF_NETLINK, SOCK_DGRAM, 0);
    char value[100];

    snprintf(value, sizeof value, "udp,unix,vsock,fd=%d,fd=%d", stream, netlink);
    select_sockets(value);
    cr_expect_eq(socket_kind(socket_know(stream)), SOCKET_OTHER);
    cr_expect_eq(socket_kind(socket_know(netlink)), SOCKET_OTHER);
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
    cr_assert_not(socket_is_message(socket_know(fd)));
    cr_assert_eq(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    cr_assert(socket_is_message(socket_know(fd)));
}

Test(socket_select, a_socket_that_gets_its_path_later)
{
    int fd = opened(AF_UNIX, SOCK_DGRAM, 0);
    char value[150];

    snprintf(value, sizeof value, "path=%s", own_path("later"));
    select_sockets(value);
    cr_assert_not(socket_is_message(socket_know(fd)));
    bind_path(fd, own_path("later"));
    remove_own("later");
    cr_assert(socket_is_message(socket_know(fd)));
}

/* --- beliefs ----------------------------------------------------------------------------- */

Test(socket_believe, of_a_new_descriptor_is_nothing)
{
    cr_expect_eq(socket_believe(udp()), 0);
    cr_expect_eq(socket_believe(-1), 0);
    cr_expect_eq(socket_believe(INT_MAX), 0);
}

Test(socket_believe, what_we_saw_made_is_our_own)
{
    int fd = udp();

    socket_made(fd);
    cr_expect_eq(socket_kind(socket_believe(fd)), SOCKET_FRESH);
    cr_expect_not(socket_is_message(socket_believe(fd)));
    cr_expect_eq(socket_kind(socket_know(fd)), SOCKET_DATAGRAM);
    cr_expect(socket_know(fd) & SOCKET_OWN_BIT);
    socket_made(-1); /* a socket() that failed */
}

Test(socket_believe, what_came_from_elsewhere_is_not)
{
    int fd = udp();

    cr_expect_eq(socket_kind(socket_know(fd)), SOCKET_DATAGRAM);
    cr_expect_not(socket_know(fd) & SOCKET_OWN_BIT);
}

Test(socket_believe, is_forgotten)
{
    int fd = udp();

    socket_know(fd);
    socket_forget(fd);
    cr_expect_eq(socket_believe(fd), 0);
    socket_forget(fd);
    socket_forget(-1);
    socket_forget(INT_MAX);
    cr_expect_eq(socket_believe(fd), 0);
}

Test(socket_believe, is_forgotten_over_a_range)
{
    int fds[6];

    for (unsigned i = 0; i < 6; i++) {
        fds[i] = dup2(udp(), 200 + (int)i);
        cr_assert_eq(fds[i], 200 + (int)i);
        socket_know(fds[i]);
    }
    socket_forget_range((unsigned)fds[1], (unsigned)fds[3]);
    cr_expect_neq(socket_believe(fds[0]), 0);
    for (unsigned i = 1; i <= 3; i++)
        cr_expect_eq(socket_believe(fds[i]), 0);
    cr_expect_neq(socket_believe(fds[4]), 0);
    socket_forget_range((unsigned)fds[4], (unsigned)fds[3]); /* empty */
    cr_expect_neq(socket_believe(fds[4]), 0);
    socket_forget_range((unsigned)fds[5], ~0u); /* closefrom() */
    cr_expect_neq(socket_believe(fds[4]), 0);
    cr_expect_eq(socket_believe(fds[5]), 0);
    socket_forget_range(0, ~0u);
    cr_expect_eq(socket_believe(fds[0]), 0);
    cr_expect_eq(socket_believe(fds[4]), 0);
}

Test(socket_believe, of_a_stream_that_holds_bytes)
{
    int fd = opened(AF_UNIX, SOCK_STREAM, 0);

    socket_set_stream(fd, cookie_of(fd));
    cr_expect_eq(socket_kind(socket_believe(fd)), SOCKET_STREAM);
    cr_expect_eq(socket_cookie(socket_believe(fd)), cookie_of(fd));
    cr_expect_not(socket_is_message(socket_believe(fd)));
    socket_set_stream(fd, 0);
    cr_expect_eq(socket_kind(socket_believe(fd)), SOCKET_OTHER);
}

Test(socket_believe, of_the_librarys_own)
{
    int fd = open_eventfd();

    socket_set_ours(fd, true);
    cr_expect_eq(socket_kind(socket_believe(fd)), SOCKET_OURS);
    cr_expect_eq(socket_kind(socket_know(fd)), SOCKET_OURS);
    socket_set_ours(fd, false);
    cr_expect_eq(socket_believe(fd), 0);
}

/* --- duplicates -------------------------------------------------------------------------- */

/* As the library does on the program's dup(). */
static int duplicate(int fd)
{
    int copy = dup(fd);

    cr_assert_geq(copy, 0);
    socket_duplicated(fd, copy);
    return copy;
}

Test(socket_duplicated, is_the_same_socket)
{
    int fd = udp(), copy;

    socket_made(fd);
    copy = duplicate(fd);
    cr_expect_eq(socket_cookie(socket_believe(copy)), cookie_of(fd));
    cr_expect_eq(socket_believe(copy), socket_believe(fd));
    cr_expect(socket_believe(copy) & SOCKET_OWN_BIT);
}

Test(socket_duplicated, the_last_one_is_known)
{
    int fd = udp(), one, two;
    socket_belief belief;

    socket_made(fd);
    belief = socket_know(fd);
    cr_expect(socket_is_last(fd, belief));
    one = duplicate(fd);
    two = duplicate(one);
    socket_know(udp());
    cr_expect_not(socket_is_last(fd, belief));
    cr_expect_not(socket_is_last(one, belief));
    cr_expect_not(socket_is_last(two, belief));

    /* As the library does on close(): first forget, then ask. */
    socket_forget(fd);
    cr_expect_not(socket_is_last(fd, belief));
    socket_forget(two);
    cr_expect_not(socket_is_last(two, belief));
    socket_forget(one);
    cr_expect(socket_is_last(one, belief));
}

Test(socket_duplicated, each_one_is_found_once)
{
    int fd = udp(), other = udp(), copies[4], at = -1, count = 0;
    uint64_t cookie = cookie_of(fd);

    socket_know(fd);
    socket_know(other);
    cr_expect_eq(socket_next_duplicate(fd, -1, cookie), -1);
    for (unsigned i = 0; i < 4; i++)
        copies[i] = duplicate(fd);
    duplicate(other);
    while ((at = socket_next_duplicate(fd, at, cookie)) >= 0)
        cr_expect_eq(at, copies[count++]);
    cr_expect_eq(count, 4);
    cr_expect_eq(socket_next_duplicate(copies[1], -1, cookie), fd);
    cr_expect_eq(socket_next_duplicate(copies[1], copies[0], cookie), copies[2]);
    cr_expect_eq(socket_next_duplicate(fd, copies[3], cookie), -1);
}

Test(socket_duplicated, over_another_descriptor)
{
    int fd = udp(), stream = opened(AF_INET, SOCK_STREAM, 0);

    cr_assert_eq(socket_kind(socket_know(stream)), SOCKET_OTHER);
    cr_assert_eq(dup2(fd, stream), stream);
    socket_duplicated(fd, stream);
    cr_expect_eq(socket_kind(socket_know(stream)), SOCKET_DATAGRAM);
    cr_expect_eq(socket_cookie(socket_know(stream)), cookie_of(fd));
}

Test(socket_duplicated, of_what_is_no_socket)
{
    int fd = open_pipe(), copy = duplicate(fd);

    cr_expect_eq(socket_kind(socket_know(copy)), SOCKET_OTHER);
}

/* WSRX_SOCKETS=fd=N is about the number: bash opens a socket as 3 and duplicates it to 0. */
Test(socket_duplicated, is_selected_by_its_own_number)
{
    int fd = udp(), to = udp();
    char value[32];

    snprintf(value, sizeof value, "fd=%d", to);
    select_sockets(value);
    bind_any(fd);
    cr_assert_not(socket_is_message(socket_know(fd)));
    cr_assert_eq(dup2(fd, to), to);
    socket_duplicated(fd, to);
    cr_expect(socket_is_message(socket_know(to)), "fd %d is not selected by %s", to, value);
    cr_expect_not(socket_is_message(socket_know(fd)));
}

/* What could not be said of the original yet cannot be said of the duplicate. */
Test(socket_duplicated, before_the_socket_has_its_port)
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
    cr_expect(socket_is_message(socket_know(fd)));
    cr_expect(socket_is_message(socket_know(copy)), "the duplicate is not selected by %s", value);
}
