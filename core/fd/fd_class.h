/* SPDX-License-Identifier: MIT
 *
 * What a descriptor is: a message socket that is selected, or anything else.
 *
 * That is learnt when the descriptor is made, received or duplicated, and for inherited ones at
 * start-up; a receive makes no query. The class is one atomic word for each descriptor. It may be
 * stale (a descriptor closed or made behind our back), and acting on it must be harmless then:
 * before anything is held or handed out, fd_identify() queries the kernel. This file must never
 * receive.
 */
#ifndef WSRX_FD_FD_CLASS_H
#define WSRX_FD_FD_CLASS_H

#include "base/compiler.h"
#include "settings.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fd_kind {
    FD_UNKNOWN,  /* not made by a call that we saw: left alone */
    FD_OTHER,    /* left alone: every receive is the program's own call */
    FD_INTERNAL, /* made by the library; the program does not know it */
    FD_SOCKET,   /* a socket, maybe a message socket: its first receive queries (fd_class_get()) */
    FD_DATAGRAM, /* UDP: a message has at most 65,535 bytes */
    FD_LARGE,    /* AF_UNIX, AF_VSOCK: longer ones too */
    FD_STREAM,   /* a stream of which we hold bytes (it was taken for a message socket) */
};

/* The kind in bits 56 to 61, the identity of the socket in the lower 56, and two flags. The
 * identity is the socket's cookie (SO_COOKIE), or until that is needed a number of our own. */
typedef uint64_t fd_class;

#define FD_IDENTITY_MASK ((UINT64_C(1) << 56) - 1)
#define FD_UNNAMED       (UINT64_C(1) << 62) /* the identity is a number of our own */
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

/* The most bytes that a message can have: a buffer of this size loses nothing. */
static inline size_t fd_class_longest(fd_class class)
{
    return fd_kind(class) == FD_DATAGRAM ? (size_t)65535 : (size_t)8 << 20;
}

/* The classes by descriptor, private to the process. The first ones are here, the others in chunks
 * that are mapped when they are needed. */
enum { FD_FIRST = 512 };
extern _Atomic fd_class fd_classes_first[FD_FIRST];
fd_class fd_class_cached_above(int fd);

/* The class, as far as it is known; no query. */
static inline fd_class fd_class_cached(int fd)
{
    if (!LIKELY((unsigned)fd < FD_FIRST))
        return fd_class_cached_above(fd);
    return atomic_load_explicit(&fd_classes_first[fd], memory_order_relaxed);
}

/* The calling thread has a table of descriptors of its own (unshare(2)): nothing is known of them.
 * Looked at only while state_is_sandboxed(). */
extern __thread bool fd_own_descriptors;

/* Finds the sockets that the program was started with. `ask`: every socket is asked what it is at
 * its first receive, for the settings select by name, or records want its cookie. */
void fd_class_start(const struct settings *settings, bool ask);

/* The class; that of an FD_SOCKET is queried now. Async-signal-safe. */
fd_class fd_class_get(int fd);
/* The class of any descriptor, with its cookie: asked for where it is not known. For when something
 * is held, and under Wine. Async-signal-safe. */
fd_class fd_class_get_any(int fd);

/* What the kernel says of `fd` now, by our measure: a class of kind OTHER, DATAGRAM or LARGE, kept
 * for the next time, with its cookie. 0: not a descriptor. Async-signal-safe. */
fd_class fd_class_query(int fd);

/* The cookie of the socket whose class is cached; asked for at its first need. 0: it has none. */
uint64_t fd_cookie(int fd);

/* Asks only for the cookie and whether it is a stream: what must be known before bytes are held.
 * 0, or a negative errno. Async-signal-safe. */
int fd_identify(int fd, uint64_t *ret_cookie, bool *ret_stream);

/* Whether it is a stream now. */
bool fd_is_stream_now(int fd);

/* Only the cookie, from the kernel: 0 if there is none. */
uint64_t fd_query_cookie(int fd);

/* Whether `fd` is still the socket with this cookie. Where the question itself is forbidden it is
 * taken to be so: a tail that nobody sees any more would be lost. */
bool fd_has_cookie(int fd, uint64_t cookie);

/* The program made, closed or duplicated a descriptor. No system call, but for a number that makes
 * a chunk necessary. */
void fd_made(int fd, int domain, int type, int protocol);
void fd_accepted(int listener, int fd);
void fd_forget(int fd);
void fd_duplicated(int old, int new);
void fd_forget_range(unsigned first, unsigned last);
/* It came by SCM_RIGHTS: what it is has to be asked, and it may be a dup of one that we know. */
void fd_received(int fd);
/* It went by SCM_RIGHTS: there is a dup that we do not know. */
void fd_sent(int fd);

/* We hold bytes of a stream for it, or no longer do. */
void fd_set_stream(int fd, uint64_t cookie);

/* The library made this descriptor, or is about to close it. */
void fd_set_internal(int fd, bool internal);

static inline bool fd_is_internal(int fd)
{
    return fd_kind(fd_class_cached(fd)) == FD_INTERNAL;
}

/* Whether any descriptor is a message socket, as far as is known; an FD_SOCKET is asked. */
bool fd_any_message(void);

/* The highest descriptor of which something is known. */
unsigned fd_highest(void);

/* The next descriptor after `after` (-1: the first) that is known to be a dup of the socket with
 * this class, and is not `fd`; -1: no more. */
int fd_next_duplicate(int fd, int after, fd_class class);

/* Whether no other descriptor of this process is known to be the same socket. Complete only for a
 * class with FD_DUPS_KNOWN. */
bool fd_is_last(int fd, fd_class class);

#endif
