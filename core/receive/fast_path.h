/* SPDX-License-Identifier: MIT
 *
 * The fast path: an ordinary datagram, received by a plain call with one buffer.
 *
 * It costs the program's own system call, a copy from the bounce buffer, and a few reads of memory
 * that lies together. Everything else ends in receive_slow_path().
 */
#ifndef WSRX_RECEIVE_FAST_PATH_H
#define WSRX_RECEIVE_FAST_PATH_H

#include "base/compiler.h"
#include "base/sys.h"
#include "base/usdt.h"
#include "base/user_memory.h"
#include "fd/fd_class.h"
#include "receive/bounce_buffer.h"
#include "receive/fitting.h"
#include "receive/receive.h"
#include "table/held.h"
#include "trace/session.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

/* Whether a message may be in a socket's queue of which a part has been, or is being, handed out.
 * Then no message is taken without the table's mutex. */
static inline bool receive_peeks(void)
{
    return atomic_load_explicit(&state.peeks, memory_order_acquire) ||
           atomic_load_explicit(&state.table->full, memory_order_relaxed);
}

/* Whether a plain receive may take a message whole out of the kernel. */
static inline bool receive_bounces_with(const struct state *now, const struct table *table)
{
    return LIKELY(atomic_load_explicit(&now->bounces, memory_order_acquire)) &&
           LIKELY(!atomic_load_explicit(&table->full, memory_order_relaxed));
}

static inline bool receive_bounces(void)
{
    return receive_bounces_with(&state, state.table);
}

/* Whether nothing is held and nothing is being peeked, so that a receive which the mode leaves
 * alone is just the program's own call. */
static inline bool receive_nothing_held(void)
{
    return !state_is_active() || (table_idle(state.table) && !receive_peeks());
}

/* Whether a reporting call is the program's own, whatever it receives from. false means "not
 * known". */
static inline bool receive_leaves_reporting(void)
{
    const struct state *now = state_here();
    const struct table *table = now->table;

    return !LIKELY(atomic_load_explicit(&now->active, memory_order_acquire)) ||
           (LIKELY(!atomic_load_explicit(&now->minds_reporting, memory_order_acquire)) &&
            LIKELY(table_is_quiet(table)) &&
            LIKELY(!atomic_load_explicit(&table->full, memory_order_relaxed)) && !trace_on());
}

/* Whether the core leaves a receive of `len` bytes on a descriptor of this class alone. false means
 * "not known": the functions below must check. */
bool receive_passes_message(fd_class class, size_t len);

static inline bool receive_passes(fd_class class, size_t len)
{
    return fd_kind(class) == FD_OTHER || !state_is_active() || receive_passes_message(class, len);
}

/* The shortest room for an address that gets all of it: a later part is to have it, too. */
static inline socklen_t receive_least_name(fd_class class)
{
    return fd_kind(class) == FD_DATAGRAM ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_un);
}

/* Whether we may write to the caller's buffer: only if the kernel has done so before. Then the
 * program's own call takes the message whole into the bounce buffer, which is as fast as without
 * us. */
static inline bool receive_may_bounce(fd_class class, const void *buf, const struct sockaddr *name,
                                      const socklen_t *namelen)
{
    const struct user_memory *own = user_memory_own();

    return user_memory_known_to(own, buf) &&
           (!name ||
            (user_memory_known_to(own, namelen) && LIKELY(*namelen >= receive_least_name(class))));
}

/* The rest of receive_buffer(): everything but an ordinary datagram, and what to do after a bounce.
 * `room`: *namelen from before. `fits_not`: a moment ago the first message did not fit, or there was
 * none. */
__attribute__((noinline)) struct receive_result
receive_slow_path(int fd, void *buf, size_t len, int flags, struct sockaddr *name,
                  socklen_t *namelen, struct receive_site site, bool fits_not);
/* The same where a large message is expected, or no bounce buffer is at hand. */
__attribute__((noinline)) struct receive_result receive_large(int fd, void *buf, size_t len,
                                                              int flags, struct sockaddr *name,
                                                              socklen_t *namelen,
                                                              struct receive_site site);
__attribute__((noinline)) struct receive_result
receive_after_bounce(int fd, void *buf, size_t len, int flags, struct sockaddr *name,
                     socklen_t *namelen, struct bounce_buffer *bounce, ssize_t result,
                     socklen_t room, struct receive_site site);

/* Where the wrapper was called from: read where it is needed. */
#define RECEIVE_HERE(call) ((struct receive_site){(call), __builtin_return_address(0)})

/* Whether something may be held for a socket of this class; most often nothing is held at all, and the
 * cookie is not needed. */
static inline bool receive_may_be_held(const struct table *table, fd_class class)
{
    return !LIKELY(!atomic_load_explicit(&table->peeking, memory_order_acquire)) ||
           (!LIKELY(table_idle(table)) &&
            table_may_hold_for(table, fd_class_cookie(compiler_hide(class))));
}

/* For the trace and the statistics. */
static inline __attribute__((always_inline)) void
receive_note_fitting(int fd, fd_class class, enum record_call call, const void *buf, size_t len,
                     size_t result, const struct sockaddr *name, const socklen_t *namelen,
                     socklen_t room)
{
    uint64_t cookie = fd_class_cookie(compiler_hide(class));

    if (trace_counts() && trace_counted(fd, cookie, call, len, (uint32_t)result))
        return;
    trace_fitting(fd, cookie, call, len, (uint32_t)result, buf, __builtin_return_address(0), name,
                  name ? (*namelen < room ? *namelen : room) : 0);
}

/* recv(2), recvfrom(2) and read(2) on a socket. The path of an ordinary datagram is inline in the
 * wrapper: the return after a system call is often mispredicted, so there should be only one.
 * Leaves errno alone. */
static inline __attribute__((always_inline)) struct receive_result
receive_buffer(int fd, void *buf, size_t len, int flags, struct sockaddr *name, socklen_t *namelen,
               enum record_call call)
{
    fd_class class = fd_class_cached(fd);
    size_t longest = fd_class_longest(class);
    const struct state *now = state_here();
    const struct table *table = now->table;
    struct bounce_buffer *bounce;
    socklen_t room;
    ssize_t result;

    if (!(LIKELY(fd_class_is_message(class)) && LIKELY(len != 0) && LIKELY(len < longest) &&
          LIKELY(!(flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL))) &&
          LIKELY(receive_bounces_with(now, table)) && LIKELY(!receive_may_be_held(table, class)) &&
          LIKELY(receive_may_bounce(class, buf, name, namelen))))
        return receive_passes(class, len) ? receive_pass()
               : atomic_load_explicit(&now->peeks, memory_order_acquire)
                   ? fitting_receive(fd, buf, len, flags, name, namelen, RECEIVE_HERE(call))
                   : receive_slow_path(fd, buf, len, flags, name, namelen, RECEIVE_HERE(call),
                                       false);
    if (!(LIKELY(bounce_takes_small(fd, len)) &&
          LIKELY(bounce = bounce_acquire_own(longest, BOUNCE_STACK))))
        return receive_large(fd, buf, len, flags, name, namelen, RECEIVE_HERE(call));

    room = name ? *namelen : 0;
    bounce_align(bounce, buf);
    result = sys_recvfrom(fd, bounce->data, bounce->size, flags, name, namelen);
    /* One comparison says that it is above 0, too. */
    if (!(LIKELY((size_t)result - 1 < len) && LIKELY(result <= BOUNCE_SMALL) &&
          LIKELY(user_memory_still(buf, (size_t)result)) &&
          LIKELY(!receive_may_be_held(state.table, class)))) {
        struct receive_result after = receive_after_bounce(
            fd, buf, len, flags, name, namelen, bounce, result, room, RECEIVE_HERE(call));

        __asm__ volatile(""); /* no tail call: our frame says that the bounce buffer is in use */
        return after;
    }
    memcpy(buf, bounce->data, (size_t)result);
    bounce_release(bounce, USER_MEMORY_PAGE);
    USDT_PART(fd, result, len, result, 0);
    if (trace_on())
        receive_note_fitting(fd, class, call, buf, len, (size_t)result, name, namelen, room);
    return receive_done(result);
}

#endif
