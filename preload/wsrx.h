/* SPDX-License-Identifier: MIT
 *
 * libwsrx: receive a datagram part by part, with nothing lost.
 *
 * Link with `pkg-config --cflags --libs wsrx`. The library then also does for the whole program
 * what it does under LD_PRELOAD; see libwsrx(7) for its settings.
 */
#ifndef WSRX_H
#define WSRX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bits of struct wsrx_part's flags. */
#define WSRX_PARTIAL 1u /* more of this message follows with the next receive */
#define WSRX_LAST    2u /* this part ends its message (a message that fits is one part) */

/* What wsrx_receive() tells of the part that it returned. Sizes in bytes. */
struct wsrx_part {
    unsigned flags;        /* WSRX_PARTIAL or WSRX_LAST; 0 on a stream socket */
    size_t message_length; /* of the whole message; on a stream socket that of the part */
    size_t offset;         /* of this part in its message */
    size_t left;           /* of the message after this part */
    socklen_t peer_length; /* 0: not known */
    struct sockaddr_storage peer;
};

/* Receives from a socket; of a message longer than `len` it returns the first part, and keeps the
 * rest for the next receive on that socket by any call. It does so whatever WSRX_MODE says.
 * Memory behind `buf` of `len` bytes and `part` (may be NULL) is the caller's.
 * `flags`: those of recv(2). On a stream socket it is recv().
 * Returns the number of bytes, or -1 and errno as recv(2) does.
 * Thread-safe, async-signal-safe and a cancellation point, as recv(2). */
ssize_t wsrx_receive(int fd, void *buf, size_t len, int flags, struct wsrx_part *part);

/* Where a tail is held. */
enum wsrx_hold {
    WSRX_HOLD_NONE,    /* there is none */
    WSRX_HOLD_PROCESS, /* in the process: the kernel does not know of it */
    WSRX_HOLD_KERNEL,  /* in the kernel: the message is still in the socket's queue */
};

/* The kind of hold of the tail that the next receive on `fd` would get, or -1 and errno: EBADF,
 * ENOTSOCK. `left` (may be NULL) gets the bytes that remain of the message; 0 where none is held.
 * Thread-safe and async-signal-safe. */
int wsrx_hold(int fd, size_t *left);

/* What has happened since the program started, in it and in the children it forked. */
struct wsrx_counters {
    uint64_t messages_held; /* messages that were longer than a receive's buffer, and held */
    uint64_t parts;         /* parts handed out of held messages, after the first */
    uint64_t bytes_saved;   /* bytes handed out that Linux would have dropped */
    uint64_t messages_lost; /* messages that lost bytes: by WSRX_MODE, or closed while held */
    uint64_t bytes_lost;
    uint64_t held_now; /* messages held at this moment */
};

/* Fills the first `size` bytes of `counters` (sizeof *counters; a newer library with more of them
 * fills what an older program knows). Thread-safe and async-signal-safe. */
void wsrx_counters(struct wsrx_counters *counters, size_t size);

/* The library's version, "MAJOR.MINOR.PATCH". Static; never NULL. */
const char *wsrx_version(void);

#ifdef __cplusplus
}
#endif

#endif
