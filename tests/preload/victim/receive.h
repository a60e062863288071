/* SPDX-License-Identifier: MIT */
/* A receive of the victim: how it was made (receive.c), and what it shows (receive_result.c). */
#ifndef WSRX_TESTS_RECEIVE_H
#define WSRX_TESTS_RECEIVE_H

#include "victim.h"

#include <sys/socket.h>
#include <sys/uio.h>

enum {
    GUARD = 64,       /* bytes watched after each buffer */
    SENTINEL = 12345, /* what errno holds before each call */
    SLOTS = 64,
    PARTS = 1100, /* one iovec more than the kernel takes, and then some */
    CONTROL = 1024,
    ALARM_MS = 20,
};

/* Everything about one call. Static: a signal handler's stack may be small. */
struct receive {
    const struct op *op;
    const struct variable *variable; /* or NULL: a bare number */
    const char *call;
    int fd;
    unsigned char *base;
    bool own_buffer; /* the arena: known to be good, and guarded */
    size_t length;   /* what is passed to the call */
    size_t room;     /* how much of it may be looked at */
    int flags;
    int slots;
    struct iovec iov[PARTS];
    size_t iov_count;
    struct mmsghdr message[SLOTS];
    struct sockaddr_storage name[SLOTS];
    socklen_t name_length;
    union {
        struct cmsghdr align;
        char room[CONTROL];
    } control[SLOTS];
    long long ret;
    int error;
    long long took_ms;
};

bool receive_takes_many(const struct receive *r);
bool receive_takes_message(const struct receive *r);

/* All that the caller can see afterwards. */
void receive_describe(struct receive *r, struct line *line);

#endif
