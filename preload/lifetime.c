/* SPDX-License-Identifier: MIT
 *
 * The interposed calls that make, duplicate and end descriptors, or change what memory is there.
 *
 * A descriptor is forgotten before it is really closed: afterwards another thread may have the
 * number already.
 */
#define _GNU_SOURCE
#include "engine.h"
#include "real.h"
#include "user_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdarg.h>
#include <sys/mman.h>

INTERPOSED int socket(int domain, int type, int protocol)
{
    int fd = REAL(socket)(domain, type, protocol);

    socket_made(fd);
    return fd;
}

INTERPOSED int socketpair(int domain, int type, int protocol, int fds[2])
{
    int result = REAL(socketpair)(domain, type, protocol, fds);

    if (result == 0) {
        socket_made(fds[0]);
        socket_made(fds[1]);
    }
    return result;
}

INTERPOSED int accept(int fd, struct sockaddr *name, socklen_t *namelen)
{
    int accepted = REAL(accept)(fd, name, namelen);

    socket_made(accepted);
    return accepted;
}

INTERPOSED int accept4(int fd, struct sockaddr *name, socklen_t *namelen, int flags)
{
    int accepted = REAL(accept4)(fd, name, namelen, flags);

    socket_made(accepted);
    return accepted;
}

/* --- the end ----------------------------------------------------------------------------- */

INTERPOSED int close(int fd)
{
    socket_belief belief = engine_closing(fd);
    int result = REAL(close)(fd);
    int saved = errno;

    engine_closed(fd, belief);
    errno = saved;
    return result;
}

INTERPOSED int __close(int fd)
{
    return close(fd);
}

INTERPOSED int close_range(unsigned first, unsigned last, int flags)
{
    int saved = errno;

    if (first <= last && !(flags & (int)CLOSE_RANGE_CLOEXEC))
        engine_closed_range(first, last);
    errno = saved;
    return REAL(close_range)(first, last, flags);
}

INTERPOSED void closefrom(int first)
{
    int saved = errno;

    engine_closed_range(first < 0 ? 0 : (unsigned)first, ~0u);
    errno = saved;
    REAL(closefrom)(first);
}

/* stdio closes by a call of its own. */
INTERPOSED int fclose(FILE *stream)
{
    int saved = errno;
    int fd = fileno(stream);
    socket_belief belief = engine_closing(fd);
    int result;

    errno = saved;
    result = REAL(fclose)(stream);
    saved = errno;
    engine_closed(fd, belief);
    errno = saved;
    return result;
}

/* --- duplicates -------------------------------------------------------------------------- */

static int duplicated(int fd, int new)
{
    int saved = errno;

    if (new >= 0)
        socket_duplicated(fd, new);
    errno = saved;
    return new;
}

INTERPOSED int dup(int fd)
{
    return duplicated(fd, REAL(dup)(fd));
}

/* What was at `to` ends, unless it stays what it was or the call fails. */
static int duplicated_over(int fd, int to, socket_belief belief, int result)
{
    int saved = errno;

    if (fd == to)
        return result;
    if (result >= 0)
        engine_closed(to, belief);
    errno = saved;
    return duplicated(fd, result);
}

INTERPOSED int dup2(int fd, int to)
{
    socket_belief belief = fd == to ? 0 : engine_closing(to);

    return duplicated_over(fd, to, belief, REAL(dup2)(fd, to));
}

INTERPOSED int __dup2(int fd, int to)
{
    return dup2(fd, to);
}

INTERPOSED int dup3(int fd, int to, int flags)
{
    socket_belief belief = fd == to ? 0 : engine_closing(to);

    return duplicated_over(fd, to, belief, REAL(dup3)(fd, to, flags));
}

/* The one optional argument of fcntl(2): an int or a pointer, which travel alike. */
INTERPOSED int fcntl(int fd, int command, ...)
{
    va_list list;
    void *argument;
    int result;

    va_start(list, command);
    argument = va_arg(list, void *);
    va_end(list);
    result = REAL(fcntl)(fd, command, argument);
    if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
        return duplicated(fd, result);
    return result;
}

INTERPOSED int fcntl64(int fd, int command, ...)
{
    va_list list;
    void *argument;

    va_start(list, command);
    argument = va_arg(list, void *);
    va_end(list);
    return fcntl(fd, command, argument);
}

INTERPOSED int __fcntl(int fd, int command, ...)
{
    va_list list;
    void *argument;

    va_start(list, command);
    argument = va_arg(list, void *);
    va_end(list);
    return fcntl(fd, command, argument);
}

/* --- memory ------------------------------------------------------------------------------ */

INTERPOSED int munmap(void *at, size_t length)
{
    user_memory_forget();
    return REAL(munmap)(at, length);
}

INTERPOSED int mprotect(void *at, size_t length, int protection)
{
    user_memory_forget();
    return REAL(mprotect)(at, length, protection);
}

INTERPOSED void *mremap(void *at, size_t length, size_t new_length, int flags, ...)
{
    va_list list;
    void *to;

    va_start(list, flags);
    to = va_arg(list, void *);
    va_end(list);
    user_memory_forget();
    return REAL(mremap)(at, length, new_length, flags, to);
}
