/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "link.h"

#include "message.h"
#include "torture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

const char *kind_name(enum kind kind)
{
    static const char *const names[] = {"udp4", "udp6", "unix", "seqpacket", "stream", "pipe"};

    return names[kind];
}

in_addr_t link_loopback(void)
{
    enum { NET = 0x7f400000 }; /* 127.64.0.0/10: there are fewer than 2^22 processes */

    return htonl(NET | (unsigned)atomic_load(&common->place[0].pid));
}

/* Loopback addresses with a port of the kernel's choice. */
static socklen_t loopback(enum kind kind, struct sockaddr_storage *ret_name)
{
    memset(ret_name, 0, sizeof *ret_name);
    if (kind == KIND_UDP4) {
        struct sockaddr_in *in = (struct sockaddr_in *)ret_name;

        in->sin_family = AF_INET;
        in->sin_addr.s_addr = link_loopback();
        return sizeof *in;
    }
    if (kind == KIND_UDP6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret_name;

        in6->sin6_family = AF_INET6;
        in6->sin6_addr = in6addr_loopback;
        return sizeof *in6;
    }
    /* unix(7), autobind: the family alone. */
    ret_name->ss_family = AF_UNIX;
    return sizeof(sa_family_t);
}

static int family(enum kind kind)
{
    return kind == KIND_UDP4 ? AF_INET : kind == KIND_UDP6 ? AF_INET6 : AF_UNIX;
}

static int bound_socket(enum kind kind, struct sockaddr_storage *ret_name, socklen_t *ret_length)
{
    int fd = socket(family(kind), SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t length = loopback(kind, ret_name);
    int error;

    if (fd < 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)ret_name, length) == 0) {
        *ret_length = sizeof *ret_name;
        if (getsockname(fd, (struct sockaddr *)ret_name, ret_length) == 0)
            return fd;
    }
    error = errno;
    close(fd);
    return -error;
}

/* As large as we may. Returns what it is now, as the kernel counts (twice what was asked). */
static size_t enlarge(int fd, int forced, int usual)
{
    int size = 4 << 20;
    socklen_t length = sizeof size;

    if (setsockopt(fd, SOL_SOCKET, forced, &size, sizeof size) != 0)
        setsockopt(fd, SOL_SOCKET, usual, &size, sizeof size);
    getsockopt(fd, SOL_SOCKET, usual, &size, &length);
    return (size_t)size;
}

static int open_named(struct link *link, struct plan *plan)
{
    unsigned senders = 1 + plan_below(plan, LINK_SENDERS);

    link->fd = bound_socket(link->kind, &link->to, &link->to_length);
    if (link->fd < 0)
        return link->fd;
    for (unsigned i = 0; i < senders; i++) {
        int fd;

        if (link->kind == KIND_UNIX && plan_percent(plan, 30)) {
            fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* a sender without a name */
            link->name_length[i] = 0;
        } else {
            fd = bound_socket(link->kind, &link->name[i], &link->name_length[i]);
        }
        if (fd < 0)
            return fd == -1 ? -errno : fd;
        link->from[link->senders++] = fd;
    }
    link->connected = senders == 1 && link->name_length[0] > 0 && plan_percent(plan, 50);
    if (link->connected &&
        connect(link->fd, (struct sockaddr *)&link->name[0], link->name_length[0]) != 0)
        return -errno;
    return 0;
}

static int open_pair(struct link *link)
{
    int type = link->kind == KIND_UNIX        ? SOCK_DGRAM
               : link->kind == KIND_SEQPACKET ? SOCK_SEQPACKET
                                              : SOCK_STREAM;
    int pair[2];
    int result = link->kind == KIND_PIPE ? pipe2(pair, O_CLOEXEC | O_NONBLOCK)
                                         : socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair);

    if (result != 0)
        return -errno;
    link->fd = pair[0];
    link->from[0] = pair[1];
    link->senders = 1;
    link->connected = true;
    return 0;
}

/* A seqpacket connection as servers have it: the receiver comes out of accept(). */
static int open_accepted(struct link *link)
{
    struct sockaddr_storage name;
    socklen_t length = loopback(KIND_UNIX, &name);
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    int sender = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    int error = 0;

    if (listener < 0 || sender < 0 || bind(listener, (struct sockaddr *)&name, length) != 0 ||
        listen(listener, 1) != 0)
        error = -errno;
    length = sizeof name;
    if (!error && (getsockname(listener, (struct sockaddr *)&name, &length) != 0 ||
                   connect(sender, (struct sockaddr *)&name, length) != 0 ||
                   (link->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0))
        error = -errno;
    if (listener >= 0)
        close(listener);
    link->from[0] = sender;
    link->senders = sender >= 0;
    link->connected = true;
    return error;
}

static int open_some(struct link *link, struct plan *plan)
{
    switch (link->kind) {
    case KIND_UDP4:
    case KIND_UDP6:
        return open_named(link, plan);
    case KIND_UNIX:
        return plan_percent(plan, 50) ? open_named(link, plan) : open_pair(link);
    case KIND_SEQPACKET:
        return plan_percent(plan, 30) ? open_accepted(link) : open_pair(link);
    default:
        return open_pair(link);
    }
}

int link_open(struct link *link, enum kind kind, struct plan *plan)
{
    int error;

    memset(link, 0, sizeof *link);
    link->kind = kind;
    link->fd = -1;
    error = open_some(link, plan);
    if (error) {
        link_close(link);
        return error;
    }

    link->longest = MESSAGE_LONGEST;
    link->in_flight_max = (size_t)8 << 20;
    if (kind == KIND_UDP4 || kind == KIND_UDP6) {
        /* Past its buffer UDP drops in silence; the kernel may hold a quarter of it back after a
         * receive, and a large datagram may take twice its size. See link_weight(). */
        link->in_flight_max = enlarge(link->fd, SO_RCVBUFFORCE, SO_RCVBUF) / 4;
        link->longest = 65507;
    }
    for (unsigned i = 0; i < link->senders && kind != KIND_PIPE; i++) {
        size_t room = enlarge(link->from[i], SO_SNDBUFFORCE, SO_SNDBUF);

        if (kind >= KIND_UNIX && link->longest > room / 2 - 4096)
            link->longest = room / 2 - 4096;
    }
    while (link_weight(link, link->longest) > link->in_flight_max)
        link->longest /= 2;
    link_timeout(link, 5000);
    return 0;
}

void link_close(struct link *link)
{
    if (link->fd >= 0)
        close(link->fd);
    link->fd = -1;
    for (unsigned i = 0; i < link->senders; i++)
        if (link->from[i] >= 0)
            close(link->from[i]);
    link->senders = 0;
}

void link_timeout(struct link *link, unsigned milliseconds)
{
    struct timeval limit = {milliseconds / 1000, milliseconds % 1000 * 1000};

    setsockopt(link->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

int link_send(struct link *link, unsigned sender, const void *bytes, size_t size)
{
    int fd = link->from[sender];
    ssize_t sent;

    do {
        if (link->kind == KIND_PIPE)
            sent = write(fd, bytes, size);
        else if (link->to_length > 0)
            sent = sendto(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL,
                          (struct sockaddr *)&link->to, link->to_length);
        else
            sent = send(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return -errno;
    return (size_t)sent == size ? 0 : (int)sent;
}

size_t link_weight(const struct link *link, size_t size)
{
    return link->kind == KIND_UDP4 || link->kind == KIND_UDP6 ? 2 * size + 4096 : size + 1024;
}

bool link_is_peer(const struct link *link, unsigned sender, const struct sockaddr_storage *peer,
                  socklen_t length)
{
    const struct sockaddr_storage *name = &link->name[sender];

    if (length != link->name_length[sender])
        return false;
    if (link->kind == KIND_UDP6) { /* the flow label and the scope are the receive's matter */
        const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)name;
        const struct sockaddr_in6 *b = (const struct sockaddr_in6 *)peer;

        return b->sin6_family == AF_INET6 && a->sin6_port == b->sin6_port &&
               memcmp(&a->sin6_addr, &b->sin6_addr, sizeof a->sin6_addr) == 0;
    }
    return memcmp(name, peer, length) == 0;
}
