/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "sockets.h"

#include "fd/fd_class.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static struct settings settings;

void socket_set_up(void)
{
    memset(&settings, 0, sizeof settings);
    fd_class_start(&settings, false);
}

int socket_open(int domain, int type, int protocol)
{
    int fd = socket(domain, type, protocol);

    cr_assert_geq(fd, 0, "socket(%d, %d, %d): %s", domain, type, protocol, strerror(errno));
    return fd;
}

int socket_udp(void)
{
    return socket_open(AF_INET, SOCK_DGRAM, 0);
}

struct sockaddr_in socket_loopback(unsigned port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

unsigned socket_bind(int fd)
{
    struct sockaddr_in name = socket_loopback(0);
    socklen_t length = sizeof name;

    cr_assert_eq(bind(fd, (struct sockaddr *)&name, length), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&name, &length), 0);
    return ntohs(name.sin_port);
}

void socket_connect(int fd, unsigned port)
{
    struct sockaddr_in name = socket_loopback(port);

    cr_assert_eq(connect(fd, (struct sockaddr *)&name, sizeof name), 0);
}

uint64_t socket_cookie(int fd)
{
    uint64_t cookie = 0;
    socklen_t length = sizeof cookie;

    cr_assert_eq(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length), 0);
    return cookie;
}

void socket_select(const char *value)
{
    static char entry[256];
    char *environment[] = {entry, NULL};

    snprintf(entry, sizeof entry, "WSRX_SOCKETS=%s", value);
    cr_assert_eq(settings_read(&settings, environment), 0, "%s", entry);
}

int open_pipe(void)
{
    int ends[2];

    return pipe(ends) == 0 ? ends[0] : -1;
}

int open_eventfd(void)
{
    return eventfd(0, 0);
}

int open_pair(void)
{
    int ends[2];

    return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0 ? ends[0] : -1;
}
