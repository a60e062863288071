/* SPDX-License-Identifier: MIT */
/* WSRX_SOCKETS: which sockets are selected. */
#define _GNU_SOURCE
#include "fd/fd_class.h"

#include "rows.h"
#include "sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

TestSuite(socket_select, .init = socket_set_up, .timeout = 60);

/* --- sockets with a path ------------------------------------------------------------------ */

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

/* --- selectors ---------------------------------------------------------------------------- */

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
    int fd = socket_open(AF_UNIX, SOCK_DGRAM, 0);

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

    fds[SERVER] = socket_udp();
    port = socket_bind(fds[SERVER]);
    fds[CLIENT] = socket_udp();
    socket_connect(fds[CLIENT], port);
    fds[ELSEWHERE] = socket_udp();
    socket_bind(fds[ELSEWHERE]);
    fds[SIX] = socket(AF_INET6, SOCK_DGRAM, 0);
    if (fds[SIX] >= 0 && bind(fds[SIX], (struct sockaddr *)&six, sizeof six) != 0) {
        close(fds[SIX]);
        fds[SIX] = -1; /* no IPv6 on this machine's loopback */
    }
    fds[BOUND] = socket_open(AF_UNIX, SOCK_DGRAM, 0);
    bind_path(fds[BOUND], path.sun_path);
    fds[JOINED] = socket_open(AF_UNIX, SOCK_DGRAM, 0);
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
    socket_select(value);
    for (unsigned i = 0; i < SOCKETS; i++)
        if (fds[i] >= 0)
            cr_expect_eq(fd_class_is_message(fd_class_get_any(fds[i])), choice->selected >> i & 1,
                         "%s: %s", value, socket_names[i]);
    remove_own("bound");
}

/* A name with bytes that no setting can have, and one that looks like an escape sequence; each is
 * written as in a trace (settings.h). */
struct escaped {
    const char *path;
    bool selected;
};

static const struct escaped escaped[] = {
    {"\\\\\\\"\\n\\r\\t\\x01\\xfe\\q\\x4", true},   {"\\\"\\n\\r\\t\\x01\\xfe\\q\\x4", false},
    {"\\\\\\\"\\n\\r\\t\\x01\\xff\\q\\x4", false},  {"\\\\\\\"\\n\\r\\n\\x01\\xfe\\q\\x4", false},
    {"\\\\\\\"\\n\\r\\t\\x01\\xfe\\q\\xg4", false}, {"\\\\\\\"\\n\\r\\t\\x01\\xfe\\q\\x4g", false},
    {"\\\\\\\"\\n\\r\\t\\x01\\xfe\\q\\", false},
};

ROWS(socket_select, by_an_escaped_name, ROWS_OF(escaped))
{
    static const char bytes[] = "\\\"\n\r\t\x01\xfe\\q\\x4";
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t before = offsetof(struct sockaddr_un, sun_path) + 1;
    int fd = socket_open(AF_UNIX, SOCK_DGRAM, 0);
    char value[100];

    before += (size_t)snprintf(name.sun_path + 1, 20, "%d", (int)getpid());
    memcpy((char *)&name + before, bytes, sizeof bytes - 1);
    cr_assert_eq(bind(fd, (struct sockaddr *)&name, (socklen_t)(before + sizeof bytes - 1)), 0);
    snprintf(value, sizeof value, "path=@%d%s", (int)getpid(), escaped[*row].path);
    socket_select(value);
    cr_expect_eq(fd_class_is_message(fd_class_get_any(fd)), escaped[*row].selected, "%s", value);
    close(fd);
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
    int stream = socket_open(AF_INET, SOCK_STREAM, 0),
        netlink = socket_open(AF_NETLINK, SOCK_DGRAM, 0);
    char value[100];

    snprintf(value, sizeof value, "udp,unix,vsock,fd=%d,fd=%d", stream, netlink);
    socket_select(value);
    cr_expect_eq(fd_kind(fd_class_get_any(stream)), FD_OTHER);
    cr_expect_eq(fd_kind(fd_class_get_any(netlink)), FD_OTHER);
}

/* A socket is asked about before it has the name by which it is selected. */
Test(socket_select, a_socket_that_gets_its_port_later)
{
    int other = socket_udp(), fd = socket_udp();
    unsigned port = socket_bind(other);
    char value[100];
    struct sockaddr_in name = socket_loopback(port);

    close(other);
    snprintf(value, sizeof value, "port=%u", port);
    socket_select(value);
    cr_assert_not(fd_class_is_message(fd_class_get_any(fd)));
    cr_assert_eq(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    cr_assert(fd_class_is_message(fd_class_get_any(fd)));
}

Test(socket_select, a_socket_that_gets_its_path_later)
{
    int fd = socket_open(AF_UNIX, SOCK_DGRAM, 0);
    char value[150];

    snprintf(value, sizeof value, "path=%s", own_path("later"));
    socket_select(value);
    cr_assert_not(fd_class_is_message(fd_class_get_any(fd)));
    bind_path(fd, own_path("later"));
    remove_own("later");
    cr_assert(fd_class_is_message(fd_class_get_any(fd)));
}
