/* SPDX-License-Identifier: MIT
 *
 * One receive, msghdr-shaped: the engine of both faces.
 *
 * It owns the way of a message: whole out of the kernel into the caller's buffer and the spill
 * area, the first part to the caller, the tail to the fragment table, and later parts from there;
 * or, held in the kernel, peeked there part by part and taken with the last.
 * Results are those of the system call: a length, or a negative errno. RECEIVE_PASS says that the
 * receive is not ours: the face makes the program's own call.
 * Async-signal-safe; may change errno even on success (the face restores it). A cancellation point
 * where the system's receive is one, with nothing held at that point.
 */
#ifndef WSRX_RECEIVE_H
#define WSRX_RECEIVE_H

#include "engine.h"
#include "message.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#define RECEIVE_PASS ((ssize_t)INT_MIN)

/* What a cooperating program is told of the part it got. */
struct receive_report {
    bool ours; /* the socket is a message socket */
    size_t length, offset, left;
};

/* The quick look of the thin wrappers: whether a receive of `len` bytes has nothing to do with us.
 * A false answer is not a yes: the functions below look closer. */
static inline bool receive_passes(int fd, size_t len)
{
    socket_belief belief = socket_believe(fd);

    if (socket_kind(belief) == SOCKET_OTHER)
        return true;
    return len >= socket_longest(belief) && socket_is_message(belief) && engine_idle();
}

/* recv(2), recvfrom(2) and read(2) on a socket. */
ssize_t receive_buffer(int fd, void *buf, size_t len, int flags, struct sockaddr *name,
                       socklen_t *namelen);

/* readv(2) on a socket. */
ssize_t receive_vector(int fd, const struct iovec *iov, int iovcnt, int flags);

/* recvmsg(2). */
ssize_t receive_message(int fd, struct msghdr *msg, int flags);

/* recvmmsg(2). */
ssize_t receive_messages(int fd, struct mmsghdr *vec, unsigned vlen, int flags,
                         struct timespec *timeout);

/* wsrx_receive(): `name` and `namelen` are our own memory. */
ssize_t receive_part(int fd, void *buf, size_t len, int flags, struct sockaddr_storage *name,
                     socklen_t *namelen, struct receive_report *report);

#endif
