/* SPDX-License-Identifier: MIT */
/* Sockets, and the settings that select them, for the tests of what a descriptor is. */
#ifndef WSRX_TESTS_SOCKETS_H
#define WSRX_TESTS_SOCKETS_H

#include <netinet/in.h>
#include <stdint.h>

/* Starts the library's part that classifies descriptors, with no selectors. */
void socket_set_up(void);

/* WSRX_SOCKETS, by the parser that the library uses. */
void socket_select(const char *value);

int socket_open(int domain, int type, int protocol);
int socket_udp(void);
struct sockaddr_in socket_loopback(unsigned port);
unsigned socket_bind(int fd); /* to any port of the loopback; the port */
void socket_connect(int fd, unsigned port);
uint64_t socket_cookie(int fd);

/* One end each. */
int open_pair(void);
int open_pipe(void);
int open_eventfd(void);

#endif
