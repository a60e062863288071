/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "program.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

char message[MESSAGE], room[ROOM];

struct pair udp(int family)
{
    struct pair pair = {socket(family, SOCK_DGRAM, 0), socket(family, SOCK_DGRAM, 0)};
    struct sockaddr_storage name = {.ss_family = (sa_family_t)family};
    socklen_t length = sizeof name;

    if (family == AF_INET)
        ((struct sockaddr_in *)&name)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        ((struct sockaddr_in6 *)&name)->sin6_addr = in6addr_loopback;
    MUST(bind(pair.receiver, (struct sockaddr *)&name,
              family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)) == 0);
    MUST(getsockname(pair.receiver, (struct sockaddr *)&name, &length) == 0);
    MUST(connect(pair.sender, (struct sockaddr *)&name, length) == 0);
    return pair;
}

struct pair local(int type)
{
    int fds[2];

    MUST(socketpair(AF_UNIX, type, 0, fds) == 0);
    return (struct pair){fds[0], fds[1]};
}

struct pair accepted(int family, int type)
{
    struct pair pair;
    struct sockaddr_storage name = {.ss_family = (sa_family_t)family};
    socklen_t length = sizeof name;
    int listener = socket(family, type | SOCK_CLOEXEC, 0);
    socklen_t bound = family == AF_UNIX ? sizeof(sa_family_t) : sizeof(struct sockaddr_in);

    MUST(listener >= 0 && bind(listener, (struct sockaddr *)&name, bound) == 0);
    MUST(listen(listener, 5) == 0);
    MUST(getsockname(listener, (struct sockaddr *)&name, &length) == 0);
    pair.sender = socket(family, type, 0);
    MUST(connect(pair.sender, (struct sockaddr *)&name, length) == 0);
    pair.receiver = family == AF_UNIX ? accept(listener, NULL, NULL)
                                      : accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    MUST(pair.receiver >= 0 && close(listener) == 0);
    return pair;
}

void give(struct pair pair)
{
    MUST(send(pair.sender, message, MESSAGE, 0) == MESSAGE);
}

void take(struct pair pair)
{
    give(pair);
    MUST(recv(pair.receiver, room, ROOM, 0) == MESSAGE);
}
