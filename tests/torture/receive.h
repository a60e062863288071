/* SPDX-License-Identifier: MIT
 *
 * One receive by a call of the plan's choice, and what came of it, as parts.
 *
 * It must not check what came: that is for those who know what was sent (crowd.c, ledger.c). It does see
 * that nothing is written outside of the buffers. Async-signal-safe; changes errno.
 */
#ifndef WSRX_TORTURE_RECEIVE_H
#define WSRX_TORTURE_RECEIVE_H

#include "plan.h"

#include <sys/socket.h>
#include <sys/uio.h>

enum call {
    CALL_RECV,
    CALL_RECVFROM,
    CALL_READ,
    CALL_READV,
    CALL_PREADV2,
    CALL_SYSCALL, /* recvfrom(2) by libc's syscall() */
    CALL_RECVMSG,
    CALL_RECVMMSG,
};
enum { CALLS = CALL_RECVMMSG + 1, SLOTS = 4, PIECES = 48 };

/* What one receive, or one slot of recvmmsg(2), gave. */
struct part {
    unsigned char *at; /* in the hands' buffer */
    size_t room;
    size_t length; /* as reported: past the room with MSG_TRUNC */
    int msg_flags;
    bool has_peer; /* the call asked for it */
    socklen_t peer_length;
    struct sockaddr_storage peer;
};

/* A flow's buffers, one set for each depth: a signal handler has hands of its own. */
struct hands {
    size_t size;
    unsigned char *buffer;   /* [size] */
    unsigned char *expected; /* [size], for who checks */
    enum call call;
    int flags;
    bool ask;
    unsigned parts;
    struct part part[SLOTS];
    struct iovec iov[PIECES];
    struct mmsghdr slot[SLOTS];
};

struct hands *hands_make(void);
void hands_free(struct hands *hands);

const char *call_name(enum call call);

/* It reports truncation by itself, so that by default it loses a tail. */
static inline bool call_reports(enum call call)
{
    return call == CALL_RECVMSG || call == CALL_RECVMMSG;
}

/* It takes no flags. */
static inline bool call_reads(enum call call)
{
    return call == CALL_READ || call == CALL_READV || call == CALL_PREADV2;
}

/* Chooses the call: any, or where `socket` is false any that works on a pipe. */
void receive_choose(struct hands *hands, struct plan *plan, bool socket);

/* Whether this thread may be cancelled, and then in the call alone. */
extern __thread bool receive_cancellable;

/* Makes the call that `hands` names, with `room` bytes of buffer (each slot of recvmmsg has that).
 * 0: hands->part[0 .. parts-1] tell; or a negative errno. */
int receive(struct hands *hands, struct plan *plan, int fd, size_t room, unsigned slots);

#endif
