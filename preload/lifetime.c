/* SPDX-License-Identifier: MIT
 *
 * The interposed calls that make, duplicate and end descriptors.
 *
 * A descriptor is forgotten before it is really closed, since afterwards another thread may have
 * the number. In a vfork child each call is the program's own, because what is known is its
 * parent's.
 */
#define _GNU_SOURCE
#include "lifecycle.h"
#include "passing.h"
#include "real.h"
#include "receive/drop_tail.h"
#include "state.h"
#include "wait/epoll_ctl.h"
#include "wait/sigio.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdarg.h>

INTERPOSED int socket(int domain, int type, int protocol)
{
    int fd = REAL(socket)(domain, type, protocol);

    if (state_is_own_as_seen())
        fd_made(fd, domain, type, protocol);
    return fd;
}

INTERPOSED int socketpair(int domain, int type, int protocol, int fds[2])
{
    int result = REAL(socketpair)(domain, type, protocol, fds);

    if (result == 0 && state_is_own_as_seen()) {
        fd_made(fds[0], domain, type, protocol);
        fd_made(fds[1], domain, type, protocol);
    }
    return result;
}

INTERPOSED int accept(int fd, struct sockaddr *name, socklen_t *namelen)
{
    int accepted = REAL(accept)(fd, name, namelen);

    if (state_is_own_as_seen())
        fd_accepted(fd, accepted);
    return accepted;
}

INTERPOSED int accept4(int fd, struct sockaddr *name, socklen_t *namelen, int flags)
{
    int accepted = REAL(accept4)(fd, name, namelen, flags);

    if (state_is_own_as_seen())
        fd_accepted(fd, accepted);
    return accepted;
}

/* --- the end ----------------------------------------------------------------------------- */

INTERPOSED int close(int fd)
{
    int saved = errno, result;
    fd_class class;

    if (!state_is_own_as_seen())
        return REAL(close)(fd);
    if (fd_is_internal(fd)) {
        errno = EBADF;
        return -1;
    }
    class = lifecycle_closing(fd);
    errno = saved;
    result = REAL(close)(fd);
    saved = errno;
    lifecycle_closed(fd, class);
    errno = saved;
    return result;
}

INTERPOSED int __close(int fd)
{
    return close(fd);
}

INTERPOSED int close_range(unsigned first, unsigned last, int flags)
{
    int saved = errno, result;
    bool unshares = (flags & (int)CLOSE_RANGE_UNSHARE) && !sys_is_single_threaded();
    bool closes =
        first <= last && !(flags & (int)CLOSE_RANGE_CLOEXEC) && !unshares && state_is_own_as_seen();

    if (closes)
        lifecycle_closing_range(first, last);
    errno = saved;
    result = REAL(close_range)(first, last, flags);
    saved = errno;
    if (closes)
        epoll_ctl_refresh();
    else if (unshares && result == 0) /* what is closed stays open in the other threads */
        lifecycle_own_descriptors();
    errno = saved;
    return result;
}

INTERPOSED void closefrom(int first)
{
    int saved = errno;
    bool own = state_is_own_as_seen();

    if (own)
        lifecycle_closing_range(first < 0 ? 0 : (unsigned)first, ~0u);
    REAL(closefrom)(first);
    if (own)
        epoll_ctl_refresh();
    errno = saved;
}

/* stdio does not call our close(). */
INTERPOSED int fclose(FILE *stream)
{
    int saved = errno, fd, result;
    fd_class class;

    if (!state_is_own_as_seen())
        return REAL(fclose)(stream);
    fd = fileno(stream);
    class = lifecycle_closing(fd);
    errno = saved;
    result = REAL(fclose)(stream);
    saved = errno;
    lifecycle_closed(fd, class);
    errno = saved;
    return result;
}

/* --- duplicates -------------------------------------------------------------------------- */

static int duplicated(int fd, int new)
{
    int saved = errno;

    if (new >= 0 && state_is_own_as_seen()) {
        fd_duplicated(fd, new);
        epoll_ctl_duplicated(fd, new);
    }
    errno = saved;
    return new;
}

INTERPOSED int dup(int fd)
{
    return duplicated(fd, REAL(dup)(fd));
}

/* dup2(2) and dup3(2): the descriptor `to` is closed, unless it is `fd` itself. */
static int duplicate_over(int fd, int to, int (*call)(int fd, int to, int flags), int flags)
{
    bool ours = fd != to && fd_is_internal(to);
    fd_class class = 0;
    int saved = errno, result;

    if (!state_is_own_as_seen())
        return call(fd, to, flags);
    if (ours) /* the program gets the number, so our descriptor moves to another one */
        epoll_ctl_forget_range((unsigned)to, (unsigned)to);
    else if (fd != to)
        class = lifecycle_closing(to);
    errno = saved;
    result = call(fd, to, flags);
    saved = errno;
    if (ours)
        epoll_ctl_refresh();
    if (result >= 0 && fd != to) {
        lifecycle_closed(to, class);
        duplicated(fd, to);
    }
    errno = saved;
    return result;
}

static int call_dup2(int fd, int to, int flags)
{
    (void)flags;
    return REAL(dup2)(fd, to);
}

static int call_dup3(int fd, int to, int flags)
{
    return REAL(dup3)(fd, to, flags);
}

INTERPOSED int dup2(int fd, int to)
{
    return duplicate_over(fd, to, call_dup2, 0);
}

INTERPOSED int __dup2(int fd, int to)
{
    return dup2(fd, to);
}

INTERPOSED int dup3(int fd, int to, int flags)
{
    return duplicate_over(fd, to, call_dup3, flags);
}

static int control(int (*call)(int fd, int command, ...), int fd, int command, void *argument)
{
    int result;

    if (command == F_SETFL && ((long)argument & O_ASYNC))
        atomic_store_explicit(&sigio_is_used, true, memory_order_relaxed);
    result = call(fd, command, argument);
    if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
        return duplicated(fd, result);
    return result;
}

/* The optional argument of fcntl(2) is an int or a pointer; both are passed in the same way. */
INTERPOSED int fcntl(int fd, int command, ...)
{
    va_list list;
    void *argument;

    va_start(list, command);
    argument = va_arg(list, void *);
    va_end(list);
    return control(REAL(fcntl), fd, command, argument);
}

INTERPOSED int fcntl64(int fd, int command, ...) __attribute__((alias("fcntl")));
INTERPOSED int __fcntl(int fd, int command, ...) __attribute__((alias("fcntl")));

/* A message that carries a descriptor is a duplicate of it, until it is received. */
static void note_passing(const struct msghdr *msg)
{
    if (msg->msg_controllen > 0)
        passing_each(msg, passing_note_sent);
}

INTERPOSED ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
    ssize_t result;

    receive_before_send(fd, __builtin_return_address(0));
    result = REAL(sendmsg)(fd, msg, flags);

    if (result >= 0)
        note_passing(msg);
    return result;
}

INTERPOSED int sendmmsg(int fd, struct mmsghdr *vec, unsigned vlen, mmsghdr_flags flags)
{
    int result;

    receive_before_send(fd, __builtin_return_address(0));
    result = REAL(sendmmsg)(fd, vec, vlen, flags);

    for (int i = 0; i < result; i++)
        note_passing(&vec[i].msg_hdr);
    return result;
}

/* --- with times of 64 bits (time64.h) ---------------------------------------------------- */

#if WSRX_HAVE_TIME64

INTERPOSED int __fcntl_time64(int fd, int command, ...)
{
    va_list list;
    void *argument;

    va_start(list, command);
    argument = va_arg(list, void *);
    va_end(list);
    return control(REAL(__fcntl_time64), fd, command, argument);
}

INTERPOSED ssize_t __sendmsg64(int fd, const struct msghdr *msg, int flags)
{
    ssize_t result;

    receive_before_send(fd, __builtin_return_address(0));
    result = REAL(__sendmsg64)(fd, msg, flags);

    if (result >= 0)
        note_passing(msg);
    return result;
}

INTERPOSED int __sendmmsg64(int fd, struct mmsghdr *vec, unsigned vlen, int flags)
{
    int result;

    receive_before_send(fd, __builtin_return_address(0));
    result = REAL(__sendmmsg64)(fd, vec, vlen, flags);

    for (int i = 0; i < result; i++)
        note_passing(&vec[i].msg_hdr);
    return result;
}

#endif
