/* SPDX-License-Identifier: MIT
 *
 * A link: one receiving descriptor of a kind, and those that send to it.
 */
#ifndef WSRX_TORTURE_LINK_H
#define WSRX_TORTURE_LINK_H

#include "plan.h"

#include <netinet/in.h>
#include <sys/socket.h>

enum kind {
    KIND_UDP4,
    KIND_UDP6,
    KIND_UNIX,      /* datagrams */
    KIND_SEQPACKET, /* AF_UNIX */
    KIND_STREAM,    /* AF_UNIX: a control, left alone by whoever looks for messages */
    KIND_PIPE,      /* likewise */
};
enum { MESSAGE_KINDS = KIND_STREAM, KINDS = KIND_PIPE + 1 };

enum { LINK_SENDERS = 3 };

struct link {
    enum kind kind;
    int fd;
    bool connected; /* the receiver is: only from[0] can send to it */
    unsigned senders;
    int from[LINK_SENDERS];
    struct sockaddr_storage name[LINK_SENDERS]; /* of each sender */
    socklen_t name_length[LINK_SENDERS];        /* 0: it has none */
    struct sockaddr_storage to;
    socklen_t to_length;
    size_t longest; /* message that it takes */
    size_t in_flight_max;
};

const char *kind_name(enum kind kind);

/* This run's own address, for IPv4: what another program sends to a port that it takes for
 * closed, or for its own, does not come here. */
in_addr_t link_loopback(void);

/* Opens a link, as the plan says. 0, or a negative errno. */
int link_open(struct link *link, enum kind kind, struct plan *plan);
void link_close(struct link *link);

/* Bounds the receiver's blocking receives. */
void link_timeout(struct link *link, unsigned milliseconds);

/* Sends one message; does not block. 0, or a negative errno (-EAGAIN: no room). */
int link_send(struct link *link, unsigned sender, const void *bytes, size_t size);

/* What a message of this size takes of in_flight_max. */
size_t link_weight(const struct link *link, size_t size);

/* Whether an address that a receive reported is the sender's. */
bool link_is_peer(const struct link *link, unsigned sender, const struct sockaddr_storage *peer,
                  socklen_t length);

#endif
