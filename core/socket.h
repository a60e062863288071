/* SPDX-License-Identifier: MIT
 *
 * What a descriptor is: a message socket that is selected, or anything else.
 *
 * The belief about a descriptor is one atomic word, kept from the first receive on it. It may be
 * stale (a descriptor closed behind our back), and whoever acts on it must stay harmless then:
 * before anything is held or handed out, socket_ask() asks the kernel again.
 * This file must never receive.
 */
#ifndef WSRX_SOCKET_H
#define WSRX_SOCKET_H

#include "hot.h"
#include "settings.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A belief: the cookie in the lower 56 bits, the kind above it. */
enum socket_kind {
    SOCKET_UNKNOWN,
    SOCKET_FRESH,    /* unknown, but made by a call that we saw: all its dups are known */
    SOCKET_OTHER,    /* not ours: every receive goes straight to the system */
    SOCKET_OURS,     /* made by the library: the program does not know of it */
    SOCKET_DATAGRAM, /* UDP: a message has at most 65,535 bytes */
    SOCKET_LARGE,    /* AF_UNIX, AF_VSOCK: longer ones too */
    SOCKET_STREAM,   /* a stream of which we hold bytes (it was taken for a message socket) */
};

typedef uint64_t socket_belief;

#define SOCKET_COOKIE_MASK ((UINT64_C(1) << 56) - 1)
#define SOCKET_OWN_BIT (UINT64_C(1) << 63) /* was fresh, never sent: all its dups are known */

static inline enum socket_kind socket_kind(socket_belief belief)
{
    return (enum socket_kind)(belief >> 56 & 0x7f);
}

static inline uint64_t socket_cookie(socket_belief belief)
{
    return belief & SOCKET_COOKIE_MASK;
}

static inline bool socket_is_message(socket_belief belief)
{
    return socket_kind(belief) - SOCKET_DATAGRAM <= SOCKET_LARGE - SOCKET_DATAGRAM;
}

/* The most bytes that a message can have: a buffer of this size loses nothing. */
static inline size_t socket_longest(socket_belief belief)
{
    return socket_kind(belief) == SOCKET_DATAGRAM ? (size_t)65535 : (size_t)8 << 20;
}

/* The beliefs by descriptor; private to the process. Above `count` nothing is kept. */
extern _Atomic socket_belief *socket_beliefs;
extern unsigned socket_beliefs_count;

static inline socket_belief socket_believe(int fd)
{
    if (!LIKELY((unsigned)fd < socket_beliefs_count))
        return 0;
    return atomic_load_explicit(&socket_beliefs[fd], memory_order_relaxed);
}

/* Prepares the beliefs. 0, or a negative errno. */
int socket_start(const struct settings *settings);

/* What the kernel says of `fd` now, by our measure: a belief of kind OTHER, DATAGRAM or LARGE.
 * Kept for the next time. UNKNOWN: not a descriptor. Async-signal-safe; may change errno. */
socket_belief socket_ask(int fd);

/* The belief, asked for where there is none. */
socket_belief socket_know(int fd);

/* Asks only for the cookie and whether it is a stream: what must be known before bytes are held.
 * 0, or a negative errno. Async-signal-safe; may change errno. */
int socket_identify(int fd, uint64_t *ret_cookie, bool *ret_stream);

/* Whether it is a stream by now. */
bool socket_is_stream(int fd);

/* The cookie alone: 0 where there is none. */
uint64_t socket_ask_cookie(int fd);

/* The program made, closed or duplicated a descriptor. */
void socket_made(int fd);
void socket_forget(int fd);
void socket_duplicated(int old, int new);
/* It came by SCM_RIGHTS: it may be a dup of one that we know. */
void socket_received(int fd);
/* It went by SCM_RIGHTS: there is a dup that we do not know. */
void socket_sent(int fd);
void socket_forget_range(unsigned first, unsigned last);

/* We hold bytes of a stream for it, or no longer do. */
void socket_set_stream(int fd, uint64_t cookie);

/* The library made this descriptor, or is about to close it. */
void socket_set_ours(int fd, bool ours);

/* The highest descriptor of which something is believed. */
unsigned socket_highest(void);

/* The next descriptor after `after` (-1: the first) that is known to be a dup of `fd`'s socket;
 * -1: no more. */
int socket_next_duplicate(int fd, int after, uint64_t cookie);

/* Whether no other descriptor of this process is known to be the same socket. Complete only for a
 * belief with SOCKET_OWN_BIT. */
bool socket_is_last(int fd, socket_belief belief);

#endif
