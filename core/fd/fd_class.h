/* SPDX-License-Identifier: MIT
 *
 * What a descriptor is: a message socket that is selected, or anything else.
 *
 * The belief about a descriptor is one atomic word, kept from the first receive on it. It may be
 * stale (a descriptor closed behind our back), and whoever acts on it must stay harmless then:
 * before anything is held or handed out, fd_class_query() asks the kernel again.
 * This file must never receive.
 */
#ifndef WSRX_FD_FD_CLASS_H
#define WSRX_FD_FD_CLASS_H

#include "base/compiler.h"
#include "settings.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A belief: the cookie in the lower 56 bits, the kind above it. */
enum fd_kind {
    FD_UNKNOWN,
    FD_NEW,      /* unknown, but made by a call that we saw: all its dups are known */
    FD_OTHER,    /* not ours: every receive goes straight to the system */
    FD_INTERNAL, /* made by the library: the program does not know of it */
    FD_DATAGRAM, /* UDP: a message has at most 65,535 bytes */
    FD_LARGE,    /* AF_UNIX, AF_VSOCK: longer ones too */
    FD_STREAM,   /* a stream of which we hold bytes (it was taken for a message socket) */
};

typedef uint64_t fd_class;

#define FD_COOKIE_MASK ((UINT64_C(1) << 56) - 1)
#define FD_DUPS_KNOWN  (UINT64_C(1) << 63) /* was fresh, never sent: all its dups are known */

static inline enum fd_kind fd_kind(fd_class class)
{
    return (enum fd_kind)(class >> 56 & 0x7f);
}

static inline uint64_t fd_class_cookie(fd_class class)
{
    return class & FD_COOKIE_MASK;
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

/* The beliefs by descriptor; private to the process. Above `count` nothing is kept. */
extern _Atomic fd_class *fd_classes;
extern unsigned fd_classes_count;

static inline fd_class fd_class_cached(int fd)
{
    if (!LIKELY((unsigned)fd < fd_classes_count))
        return 0;
    return atomic_load_explicit(&fd_classes[fd], memory_order_relaxed);
}

/* Prepares the beliefs. 0, or a negative errno. */
int fd_class_start(const struct settings *settings);

/* What the kernel says of `fd` now, by our measure: a belief of kind OTHER, DATAGRAM or LARGE.
 * Kept for the next time. UNKNOWN: not a descriptor. Async-signal-safe; may change errno. */
fd_class fd_class_query(int fd);

/* The belief, asked for where there is none. */
fd_class fd_class_get(int fd);

/* Asks only for the cookie and whether it is a stream: what must be known before bytes are held.
 * 0, or a negative errno. Async-signal-safe; may change errno. */
int fd_identify(int fd, uint64_t *ret_cookie, bool *ret_stream);

/* Whether it is a stream by now. */
bool fd_is_stream_now(int fd);

/* The cookie alone: 0 where there is none. */
uint64_t fd_query_cookie(int fd);

/* The program made, closed or duplicated a descriptor. */
void fd_made(int fd);
void fd_forget(int fd);
void fd_duplicated(int old, int new);
/* It came by SCM_RIGHTS: it may be a dup of one that we know. */
void fd_received(int fd);
/* It went by SCM_RIGHTS: there is a dup that we do not know. */
void fd_sent(int fd);
void fd_forget_range(unsigned first, unsigned last);

/* We hold bytes of a stream for it, or no longer do. */
void fd_set_stream(int fd, uint64_t cookie);

/* The library made this descriptor, or is about to close it. */
void fd_set_internal(int fd, bool ours);

/* The highest descriptor of which something is believed. */
unsigned fd_highest(void);

/* The next descriptor after `after` (-1: the first) that is known to be a dup of `fd`'s socket;
 * -1: no more. */
int fd_next_duplicate(int fd, int after, uint64_t cookie);

/* Whether no other descriptor of this process is known to be the same socket. Complete only for a
 * belief with FD_DUPS_KNOWN. */
bool fd_is_last(int fd, fd_class class);

#endif
