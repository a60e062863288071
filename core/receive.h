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
#include "probe.h"
#include "trace.h"
#include "spill.h"
#include "user_memory.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#define RECEIVE_PASS ((ssize_t)INT_MIN)

/* What a cooperating program, or a record, is told of the part it got. */
struct receive_report {
    bool ours; /* the socket is a message socket */
    size_t length, offset, given, left;
    size_t lost; /* dropped with this receive, by the mode or at the caller's wish */
};

/* Where a receive comes from, for its record; looked at only while somebody wants records. */
struct receive_site {
    enum record_call call;
    const void *caller; /* the address that the call returns to */
};

#define RECEIVE_SITE(call) ((struct receive_site){(call), __builtin_return_address(0)})

/* The quick look of the thin wrappers: whether a receive of `len` bytes has nothing to do with us.
 * A false answer is not a yes: the functions below look closer. */
static inline bool receive_passes(int fd, size_t len)
{
    socket_belief belief = socket_believe(fd);

    if (socket_kind(belief) == SOCKET_OTHER)
        return true;
    return ((len >= socket_longest(belief) && socket_is_message(belief)) ||
            !atomic_load_explicit(&engine.bounces, memory_order_relaxed)) &&
           engine_rests() && !trace_on();
}

/* A buffer that the kernel has written to before may be filled by us: then the message goes whole
 * into the spill area by the program's own call, which is as fast as without us. */
static inline bool receive_may_bounce(const void *buf, const struct sockaddr *name,
                                      const socklen_t *namelen)
{
    return user_memory_known(buf) && (!name || user_memory_known(namelen));
}

/* The rest of receive_buffer(): all but the ordinary datagram, and what came of a bounce.
 * `room`: what *namelen was before. */
ssize_t receive_slowly(int fd, void *buf, size_t len, int flags, struct sockaddr *name,
                       socklen_t *namelen, struct receive_site site);
ssize_t receive_bounced(int fd, void *buf, size_t len, int flags, struct sockaddr *name,
                        socklen_t *namelen, struct spill *spill, ssize_t result, socklen_t room,
                        struct receive_site site);

/* The record of an ordinary datagram. */
void receive_note(int fd, const void *buf, size_t len, const struct sockaddr *name,
                  const socklen_t *namelen, ssize_t result, socklen_t room,
                  struct receive_site site);

/* recv(2), recvfrom(2) and read(2) on a socket. The way of an ordinary datagram stands here, in
 * the wrapper itself: on its way back from the kernel a processor may predict no return. */
static inline __attribute__((always_inline)) ssize_t
receive_buffer(int fd, void *buf, size_t len, int flags, struct sockaddr *name,
               socklen_t *namelen, struct receive_site site)
{
    socket_belief belief = socket_believe(fd);
    struct spill *spill;
    socklen_t room;
    ssize_t result;

    if (!socket_is_message(belief) || len == 0 || len >= socket_longest(belief) ||
        (flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL)) ||
        !atomic_load_explicit(&engine.bounces, memory_order_acquire) ||
        atomic_load_explicit(&engine.table->full, memory_order_relaxed) ||
        table_may_hold(engine.table, socket_cookie(belief)) ||
        !receive_may_bounce(buf, name, namelen) ||
        !(spill = spill_acquire(socket_longest(belief))))
        return receive_slowly(fd, buf, len, flags, name, namelen, site);

    room = name ? *namelen : 0;
    result = engine.system.recvfrom(fd, spill->data, spill->size, flags, name, namelen);
    if (result <= 0 || (size_t)result > len || (size_t)result > USER_MEMORY_PAGE ||
        !user_memory_known((char *)buf + result - 1) ||
        table_may_hold(engine.table, socket_cookie(belief)))
        return receive_bounced(fd, buf, len, flags, name, namelen, spill,
                               result < 0 ? -errno : result, room, site);
    memcpy(buf, spill->data, (size_t)result);
    spill_release(spill, (size_t)result);
    PROBE_PART(fd, result, len, result, 0);
    if (trace_on())
        receive_note(fd, buf, len, name, namelen, result, room, site);
    return result;
}

/* readv(2) on a socket. */
ssize_t receive_vector(int fd, const struct iovec *iov, int iovcnt, int flags,
                       struct receive_site site);

/* recvmsg(2). */
ssize_t receive_message(int fd, struct msghdr *msg, int flags, struct receive_site site);

/* recvmmsg(2). */
ssize_t receive_messages(int fd, struct mmsghdr *vec, unsigned vlen, int flags,
                         struct timespec *timeout, struct receive_site site);

/* wsrx_receive(): `name` and `namelen` are our own memory. */
ssize_t receive_part(int fd, void *buf, size_t len, int flags, struct sockaddr_storage *name,
                     socklen_t *namelen, struct receive_report *report, struct receive_site site);

#endif
