/* SPDX-License-Identifier: MIT */
/*
 * UDP over IPv4's loopback, and what the kernel says of its sockets. Fails the running Criterion
 * test where a socket cannot be had.
 */
#ifndef WSRX_TESTS_UDP_H
#define WSRX_TESTS_UDP_H

#include <stdbool.h>

struct udp_socket {
    unsigned queued;     /* bytes, as SO_RCVBUF counts them */
    unsigned long drops; /* messages for which there was no room */
};

/* Bound to a port that nobody had. */
int udp_bind(unsigned *ret_port);

/* A port that nobody has, for a program that listens. */
unsigned udp_free_port(void);

/* Connects fd, or a socket of its own where that is -1, to the port. */
int udp_connect(int fd, unsigned port);

/* The first socket that has the port, in any of this machine's addresses. False: nobody has it, or
 * it was passed over, as the kernel may do while others open and close sockets: look again. */
bool udp_look(unsigned port, struct udp_socket *ret_socket);

/* Waits until no more than so many bytes are queued. False: that takes longer than so long. */
bool udp_await_room(unsigned port, unsigned queued_most, unsigned patience_ms,
                    unsigned long *ret_drops);

#endif
