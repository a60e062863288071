/* SPDX-License-Identifier: MIT
 *
 * One receive in progress: what the files of this folder have in common.
 */
#ifndef WSRX_RECEIVE_CONTEXT_H
#define WSRX_RECEIVE_CONTEXT_H

#include "base/compiler.h"
#include "base/libc.h"
#include "fd/fd_class.h"
#include "receive/bounce_buffer.h"
#include "receive/policy.h"
#include "receive/receive.h"
#include "table/part.h"
#include "table/table.h"

#include <errno.h>

/* From the call to its result. The iovec array and the msghdr are our copies; what they point to is
 * the caller's. */
struct receive {
    int fd;
    int flags;
    enum call_kind kind;
    const struct iovec *iov;
    size_t iovlen;
    size_t room; /* bytes in all of iov */

    /* Where the peer's address goes: by recvfrom's pair, or by the msghdr. */
    struct sockaddr *name;
    socklen_t *namelen;
    struct msghdr *msg;

    struct bounce_buffer *bounce; /* acquired, or NULL */
    size_t touched;               /* bytes of it */
    bool sure;                    /* the class has been queried, and is not stale */
    bool stale;                   /* it is stale: to be queried */
    bool fits_not;     /* a moment ago the first message did not fit, or there was none */
    bool held_before;  /* this part was the next one of a held message */
    bool tail_only;    /* takes nothing but the rest of a message: drop_tail.c */
    bool control_came; /* the msghdr already has the control data of a message behind it */
    struct receive_report report;
    struct receive_site site;
    uint64_t cookie;     /* what the socket has answered since its message came; 0: not asked */
    const void *stack;   /* BOUNCE_CALL of the function that has this structure */
    socklen_t name_room; /* for the peer's address; set if the receive is recorded */
};

/* A message in flight: taken from the kernel, nothing of it handed out yet. */
struct taken {
    size_t length;
    const struct iovec *iov; /* its bytes */
    size_t iovlen;
    bool delivered; /* the kernel has put the first part in place */
    int msg_flags;
    socklen_t peer_length;
    const struct sockaddr *peer; /* NULL: the call has no room for it */
    /* The caller's room, before the kernel or we wrote to the lengths. */
    socklen_t name_room;
    msghdr_room control_room;
    struct iovec whole; /* where `iov` may point to */
    /* What is put into the table, if it is held. The kernel may have written to its `peer`, and
     * `peer` points there: an address more would be an address more on the stack. */
    struct held held;
};

/* The receive's flags, as enum part_how. */
static inline unsigned receive_how(const struct receive *receive)
{
    return (receive->flags & MSG_PEEK ? PART_PEEK : 0u) |
           (receive->flags & MSG_TRUNC ? PART_TRUNC : 0u);
}

/* Makes a system call for a message that is held, again where it has to be. A pending ICMP error makes
 * a receive fail and leaves the message in the queue (seen). Such an error comes once, does not concern
 * this message, and is reported after it, if at all: it is `ret_error` then, or 0. An error that comes
 * each time is the result. */
#define RECEIVE_AGAIN_WHILE_IT_FAILS(result, ret_error, call)                 \
    do {                                                                      \
        enum { TRIES_ = 16 };                                                 \
        unsigned tries_ = 1;                                                  \
                                                                              \
        *(ret_error) = 0;                                                     \
        while (receive_fails((result) = (call)) && tries_++ < TRIES_)         \
            *(ret_error) = (int)-(result);                                    \
        if ((result) < 0 && (result) != -EAGAIN) /* the caller gets it now */ \
            *(ret_error) = 0;                                                 \
    } while (0)

static inline bool receive_fails(ssize_t result)
{
    return result < 0 && result != -EAGAIN && result != -EFAULT && result != -EBADF &&
           result != -ENOTSOCK;
}

/* Whether the core may have to act on a call of this kind, by the settings and what is held. */
bool receive_may_act(enum call_kind kind);

/* A receive with one buffer. */
static inline void receive_init(struct receive *receive, enum call_kind kind, int fd,
                                const struct iovec *one, int flags, struct sockaddr *name,
                                socklen_t *namelen, struct receive_site site)
{
    compiler_clear(receive, sizeof *receive);
    receive->fd = fd;
    receive->flags = flags;
    receive->kind = kind;
    receive->iov = one;
    receive->iovlen = 1;
    receive->room = one->iov_len;
    receive->name = name;
    receive->namelen = namelen;
    receive->site = site;
}

/* Makes the receive: done, or to be passed. */
struct receive_result receive_run(struct receive *receive);

/* After ENOTSOCK: the cached class was stale, and what was called is not what the program has called. */
static inline struct receive_result receive_pass_stale(const struct receive *receive)
{
    fd_class_query(receive->fd);
    return receive_pass();
}

#endif
