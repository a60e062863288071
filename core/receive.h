/* SPDX-License-Identifier: MIT
 *
 * One receive, msghdr-shaped: the engine of both faces.
 *
 * It owns the way of a message: whole out of the kernel into the caller's buffer and the spill
 * area, the first part to the caller, the tail to the fragment table, and later parts from there;
 * or, held in the kernel, peeked there part by part and taken with the last.
 * Results are those of the system call: a length, or a negative errno. RECEIVE_PASS says that the
 * receive is not ours: the face makes the program's own call.
 * Async-signal-safe; may change errno even on success (the face restores it), but for
 * receive_buffer(). A cancellation point where the system's receive is one, with nothing held at
 * that point.
 */
#ifndef WSRX_RECEIVE_H
#define WSRX_RECEIVE_H

#include "engine.h"
#include "hot.h"
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
    unsigned long call; /* enum record_call, without a gap behind it that would be copied too */
    const void *caller; /* the address that the call returns to */
};

#define RECEIVE_SITE(call) ((struct receive_site){(call), __builtin_return_address(0)})

/* Whether a receive of `len` bytes on what is believed to be so has nothing to do with us. A false
 * answer is not a yes: the functions below look closer. */
bool receive_passes_message(socket_belief belief, size_t len);

static inline bool receive_passes(socket_belief belief, size_t len)
{
    return socket_kind(belief) == SOCKET_OTHER || receive_passes_message(belief, len);
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
RARE ssize_t receive_slowly(int fd, void *buf, size_t len, int flags, struct sockaddr *name,
                            socklen_t *namelen, struct receive_site site);
RARE ssize_t receive_bounced(int fd, void *buf, size_t len, int flags, struct sockaddr *name,
                             socklen_t *namelen, struct spill *spill, ssize_t result,
                             socklen_t room, struct receive_site site);

/* recv(2), recvfrom(2) and read(2) on a socket. The way of an ordinary datagram stands here, in
 * the wrapper itself: on its way back from the kernel a processor may predict no return. This one
 * leaves errno as it was. */
static inline __attribute__((always_inline)) ssize_t
receive_buffer(int fd, void *buf, size_t len, int flags, struct sockaddr *name,
               socklen_t *namelen, struct receive_site site)
{
    socket_belief belief = socket_believe(fd);
    struct spill *spill;
    socklen_t room;
    ssize_t result;

    if (!(LIKELY(socket_is_message(belief)) &&
          LIKELY(len - 1 < socket_longest(belief) - 1) &&
          LIKELY(!(flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL))) && LIKELY(engine_bounces()) &&
          LIKELY(!table_may_hold(engine.table, socket_cookie(belief))) &&
          LIKELY(receive_may_bounce(buf, name, namelen)) &&
          LIKELY(spill = spill_acquire_own(socket_longest(belief)))))
        return receive_passes(belief, len)
                   ? RECEIVE_PASS
                   : receive_slowly(fd, buf, len, flags, name, namelen, site);

    room = name ? *namelen : 0;
    spill_face(spill, buf);
    result = engine_recvfrom(fd, spill->data, spill->size, flags, name, namelen);
    if (!(LIKELY(result > 0) && LIKELY((size_t)result <= len) &&
          LIKELY(user_memory_still(buf, (size_t)result)) &&
          LIKELY(!table_may_hold(engine.table, socket_cookie(belief)))))
        return receive_bounced(fd, buf, len, flags, name, namelen, spill, result, room, site);
    memcpy(buf, spill->data, (size_t)result);
    spill_release(spill, USER_MEMORY_PAGE);
    PROBE_PART(fd, result, len, result, 0);
    if (trace_on() &&
        !(trace_counts() && trace_counted(fd, socket_cookie(belief), (enum record_call)site.call,
                                          len, (uint32_t)result)))
        trace_fitting(fd, socket_cookie(belief), (enum record_call)site.call, len,
                      (uint32_t)result, buf, site.caller, name,
                      name ? (*namelen < room ? *namelen : room) : 0);
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
