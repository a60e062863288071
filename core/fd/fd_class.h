/* SPDX-License-Identifier: MIT
 *
 * What a descriptor is: a message socket that is selected, or anything else.
 *
 * This is learned when a descriptor is made, received or duplicated, and for inherited ones at
 * start-up. A receive makes no query. The class is one atomic word for each descriptor. It may be
 * stale, if a descriptor was closed or made without a call that we saw. To use a stale class must
 * be harmless: before anything is held or handed out, fd_identify() queries the kernel. This file
 * must never receive.
 */
#ifndef WSRX_FD_FD_CLASS_H
#define WSRX_FD_FD_CLASS_H

#include "base/compiler.h"
#include "base/sys.h"
#include "settings.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fd_kind {
    FD_UNKNOWN,  /* unknown: not made by a call that we saw; left alone */
    FD_OTHER,    /* left alone: every receive is the program's own call */
    FD_INTERNAL, /* made by the library; the program does not know it */
    FD_SOCKET,   /* a socket of unknown kind: its first receive queries it (fd_class_get()) */
    FD_DATAGRAM, /* UDP: a message has at most 65,535 bytes */
    FD_LARGE,    /* AF_UNIX, AF_VSOCK: longer ones too */
    FD_STREAM,   /* a stream of which bytes are held, since it was taken for a message socket */
};

/* The kind in bits 56 to 61, the identity of the socket in the lower 56, and two flags. The
 * identity is the socket's cookie (SO_COOKIE) or, until that is needed, a number that the library
 * gives it. */
typedef uint64_t fd_class;

#define FD_IDENTITY_MASK ((UINT64_C(1) << 56) - 1)
#define FD_UNNAMED       (UINT64_C(1) << 62) /* the identity is not the cookie */
#define FD_DUPS_KNOWN    (UINT64_C(1) << 63) /* made by a call that we saw, and never sent */

static inline enum fd_kind fd_kind(fd_class class)
{
    return (enum fd_kind)(class >> 56 & 0x3f);
}

/* The socket's cookie, or 0 if it has not been needed yet: see fd_cookie(). */
static inline uint64_t fd_class_cookie(fd_class class)
{
    return class & FD_UNNAMED ? 0 : class & FD_IDENTITY_MASK;
}

static inline bool fd_class_is_message(fd_class class)
{
    return fd_kind(class) - FD_DATAGRAM <= FD_LARGE - FD_DATAGRAM;
}

/* The length of the longest possible message: with a buffer of this size nothing is lost. */
static inline size_t fd_class_longest(fd_class class)
{
    return fd_kind(class) == FD_DATAGRAM ? (size_t)65535 : (size_t)8 << 20;
}

/* The classes by descriptor, private to the process. Those of the first descriptors are here, the
 * others in chunks that are mapped when they are needed. */
enum { FD_FIRST = 512 };
extern _Atomic fd_class fd_classes_first[FD_FIRST];
fd_class fd_class_cached_above(int fd);

/* The cached class. Makes no query. */
static inline fd_class fd_class_cached(int fd)
{
    if (!LIKELY((unsigned)fd < FD_FIRST))
        return fd_class_cached_above(fd);
    return atomic_load_explicit(&fd_classes_first[fd], memory_order_relaxed);
}

/* The calling thread has its own table of descriptors (unshare(2)), of which nothing is known. Read
 * only while sys_is_sandboxed(). */
extern __thread bool fd_own_descriptors;

/* Finds the sockets that the program was started with. `query_all`: each socket is queried at its
 * first receive, since WSRX_SOCKETS selects by name, or records need its cookie. */
void fd_class_start(const struct settings *settings, bool query_all);

/* The class. An FD_SOCKET is queried now. Async-signal-safe. */
fd_class fd_class_get(int fd);
/* The class of any descriptor, with its cookie, which is queried if it is unknown. For when
 * something is held, and under Wine. Async-signal-safe. */
fd_class fd_class_get_any(int fd);

/* Queries the kernel. A class of kind OTHER, DATAGRAM or LARGE, with its cookie, which is cached.
 * 0: not a descriptor. Async-signal-safe. */
fd_class fd_class_query(int fd);

/* The cookie of the socket, which is queried when it is first needed. 0: it has none. */
uint64_t fd_cookie(int fd);

/* Queries only the cookie, and whether it is a stream: both must be known before bytes are held. 0,
 * or a negative errno. Async-signal-safe. */
int fd_identify(int fd, uint64_t *ret_cookie, bool *ret_stream);

/* Whether it is a stream now. */
bool fd_is_stream_now(int fd);

/* Queries only the cookie; 0: there is none. */
static inline uint64_t fd_query_cookie(int fd)
{
    uint64_t cookie = 0;
    socklen_t length = sizeof cookie;

    if (sys_getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) != 0)
        return 0;
    return cookie & FD_IDENTITY_MASK;
}

/* Whether `fd` is still the socket with this cookie. If the query itself is forbidden, true:
 * otherwise the tail would be lost. */
static inline bool fd_has_cookie(int fd, uint64_t cookie)
{
    uint64_t now = 0;
    socklen_t length = sizeof now;
    int error = sys_getsockopt(fd, SOL_SOCKET, SO_COOKIE, &now, &length);

    if (error)
        return error != -EBADF && error != -ENOTSOCK;
    return (now & FD_IDENTITY_MASK) == cookie;
}

/* The program has made, closed or duplicated a descriptor. Makes no system call, except to map a
 * chunk. */
void fd_made(int fd, int domain, int type, int protocol);
void fd_accepted(int listener, int fd);
void fd_forget(int fd);
void fd_duplicated(int old, int new);
void fd_forget_range(unsigned first, unsigned last);
/* It came by SCM_RIGHTS: it must be queried, and may be a duplicate of a known one. */
void fd_received(int fd);
/* It went by SCM_RIGHTS: there is an unknown duplicate. */
void fd_sent(int fd);

/* Bytes of a stream are held for it (`cookie`: not 0), or no longer. */
void fd_set_stream(int fd, uint64_t cookie);

/* The library made this descriptor, or is about to close it. */
void fd_set_internal(int fd, bool internal);

static inline bool fd_is_internal(int fd)
{
    return fd_kind(fd_class_cached(fd)) == FD_INTERNAL;
}

/* Whether any known descriptor is a message socket. An FD_SOCKET is queried. */
bool fd_any_message(void);

/* The highest descriptor whose class is known. */
unsigned fd_highest(void);

/* The next descriptor after `after` (-1: the first) that is known to be a duplicate of the socket
 * with this class, and is not `fd`; -1: no more. */
int fd_next_duplicate(int fd, int after, fd_class class);

/* Whether no other descriptor of this process is known to be the same socket. Certain only with
 * FD_DUPS_KNOWN. */
bool fd_is_last(int fd, fd_class class);

#endif
