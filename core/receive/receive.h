/* SPDX-License-Identifier: MIT
 *
 * One receive, for preload/ and shim/: recvmsg(2), recvmmsg(2), readv(2) and wsrx_receive(). The
 * plain calls with one buffer are in fast_path.h.
 *
 * A message is taken whole out of the kernel, into the caller's buffer and the bounce buffer. The
 * first part goes to the caller, the tail to the fragment table, and later parts come from there. A
 * message that is held in the kernel is peeked there part by part, and taken with the last part.
 * RECEIVE_PASS: the core leaves the receive alone, and the caller makes the program's own call.
 * Async-signal-safe; may change errno even on success (the caller restores it). A cancellation
 * point if the system's receive is one, with no lock held there.
 */
#ifndef WSRX_RECEIVE_RECEIVE_H
#define WSRX_RECEIVE_RECEIVE_H

#include "base/time64.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

/* How a receive ended. */
enum receive_outcome {
    RECEIVE_DONE,  /* `value` is what the call returns: a length, or a negative errno */
    RECEIVE_PASS,  /* the core leaves it alone: make the program's own call */
    RECEIVE_AGAIN, /* what was held has changed meanwhile: plan again. Only inside receive/, and of
                    * receive_message_now() */
};

struct receive_result {
    ssize_t value;
    enum receive_outcome outcome;
};

static inline struct receive_result receive_done(ssize_t value)
{
    return (struct receive_result){value, RECEIVE_DONE};
}

static inline struct receive_result receive_pass(void)
{
    return (struct receive_result){0, RECEIVE_PASS};
}

static inline struct receive_result receive_again(void)
{
    return (struct receive_result){0, RECEIVE_AGAIN};
}

/* What a cooperating program, or a record, gets to know about the part. */
struct receive_report {
    bool ours; /* the socket is a message socket */
    size_t length, offset, given, left;
    size_t lost; /* dropped with this receive, by the mode or because the caller asked for it */
};

/* Where a receive comes from, for its record; looked at only while somebody wants records. */
struct receive_site {
    unsigned long call; /* enum record_call; long, so that no gap behind it is copied too */
    const void *caller; /* the address that the call returns to */
};

#define RECEIVE_SITE(call) ((struct receive_site){(call), __builtin_return_address(0)})

/* The program has set SO_PEEK_OFF on a socket: its own peeks move on from then on, and ours would
 * move it, so that a message of such a socket is not held in the kernel. Async-signal-safe. */
void receive_note_peek_offset(void);

/* readv(2) on a socket. */
struct receive_result receive_vector(int fd, const struct iovec *iov, int iovcnt, int flags,
                                     struct receive_site site);

/* recvmsg(2) with WSRX_CALLS=all, first: a message that fits, on a socket for which nothing is held.
 * Leaves errno alone. RECEIVE_AGAIN: nothing has been taken, and it is for receive_message(). */
struct receive_result receive_message_now(int fd, struct msghdr *msg, int flags,
                                          struct receive_site site);

/* recvmsg(2). */
struct receive_result receive_message(int fd, struct msghdr *msg, int flags,
                                      struct receive_site site);

/* recvmmsg(2). Its timeout is of one kind or the other (base/time64.h); both NULL: none. */
struct receive_timeout {
    struct timespec *at;
    struct timespec64 *at64;
};

struct receive_result receive_messages(int fd, struct mmsghdr *vec, unsigned vlen, int flags,
                                       struct receive_timeout timeout, struct receive_site site);

/* wsrx_receive(): `name` and `namelen` are our own memory. */
struct receive_result receive_part(int fd, void *buf, size_t len, int flags,
                                   struct sockaddr_storage *name, socklen_t *namelen,
                                   struct receive_report *report, struct receive_site site);

#endif
