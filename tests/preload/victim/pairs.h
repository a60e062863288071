/* SPDX-License-Identifier: MIT */
/* Pairs of a receiver and a sender, of every kind that a transcript can name. */
#ifndef WSRX_TESTS_PAIRS_H
#define WSRX_TESTS_PAIRS_H

#include <stdbool.h>
#include <sys/socket.h>

struct op;

struct address {
    struct sockaddr_storage storage;
    socklen_t length;
};

struct pair {
    int receiver, sender;
};

/* False: there is no such kind. */
bool pair_make(const struct op *op, const char *kind, struct pair *ret_pair);
bool pair_is_udp(const char *kind);
bool pair_is_written(const char *kind); /* by write(2): its sender is no socket */

struct address address_inet(int family, unsigned port); /* on loopback */
struct address address_packet(void);
struct address address_own(int fd);

int socket_make(int family, int type, int protocol, const char *what);

#endif
