/* SPDX-License-Identifier: MIT
 *
 * libwsrx: receive a datagram part by part, with nothing lost.
 *
 * Link with `pkg-config --cflags --libs wsrx`. The library then works for the whole program as it
 * does under LD_PRELOAD; see libwsrx(7) for its settings.
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

/* What wsrx_receive() reports about the part that it returned. Sizes in bytes. */
struct wsrx_part {
    unsigned flags;        /* WSRX_PARTIAL or WSRX_LAST; 0 on a stream socket */
    size_t message_length; /* of the whole message; on a stream socket, of the part */
    size_t offset;         /* of this part in its message */
    size_t left;           /* of the message after this part */
    socklen_t peer_length; /* 0: unknown */
    struct sockaddr_storage peer;
};

/* Receives from a socket. If the message is longer than `len`, it returns the first part and holds
 * the rest for the next receive on that socket, by any function, whatever WSRX_MODE is.
 * `buf` (of `len` bytes) and `part` (may be NULL) are the caller's. `flags`: those of recv(2). On
 * a stream socket it is recv().
 * Returns the number of bytes, or -1 and errno as recv(2) does. Thread-safe, async-signal-safe and
 * a cancellation point, as recv(2). */
ssize_t wsrx_receive(int fd, void *buf, size_t len, int flags, struct wsrx_part *part);

/* Where a tail is held. */
enum wsrx_hold {
    WSRX_HOLD_NONE,    /* there is none */
    WSRX_HOLD_PROCESS, /* in the process: the kernel does not know it */
    WSRX_HOLD_KERNEL,  /* in the kernel: the message is still in the socket's queue */
};

/* Where the tail that the next receive on `fd` would get is held; or -1 and errno: EBADF, ENOTSOCK.
 * Sets `*left` (may be NULL) to the bytes that remain of the message, 0 if none is held.
 * Thread-safe and async-signal-safe. */
int wsrx_hold(int fd, size_t *left);

/* Totals since the program started, for it and the children that it forked. */
struct wsrx_counters {
    uint64_t messages_held; /* messages that were longer than a receive's buffer, and held */
    uint64_t parts;         /* parts handed out of held messages, after the first */
    uint64_t bytes_saved;   /* bytes handed out that Linux would have dropped */
    uint64_t messages_lost; /* messages that lost bytes: by WSRX_MODE, or closed while held */
    uint64_t bytes_lost;
    uint64_t held_now; /* messages held at this moment */
};

/* Fills the first `size` bytes of `counters`. `size`: sizeof *counters, so that a newer library
 * with more counters fills those that the program knows. Thread-safe and async-signal-safe. */
void wsrx_counters(struct wsrx_counters *counters, size_t size);

/* The library's version, "MAJOR.MINOR.PATCH". Static; never NULL. */
const char *wsrx_version(void);

#ifdef __cplusplus
}
#endif

#endif
