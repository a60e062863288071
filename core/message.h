/* SPDX-License-Identifier: MIT
 *
 * One message and its parts: the receive contract as pure arithmetic.
 *
 * This file owns the answer to "what does a receive of this size get, and what is left?".
 * It must never lock, allocate, make a system call or look at a setting by itself.
 */
#ifndef WSRX_MESSAGE_H
#define WSRX_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* How a receive asks, from its MSG_* flags and the kind of its socket. */
enum message_how {
    MESSAGE_PEEK = 1 << 0,   /* MSG_PEEK: nothing is consumed */
    MESSAGE_TRUNC = 1 << 1,  /* MSG_TRUNC: report the real length, and drop what does not fit */
    MESSAGE_STREAM = 1 << 2, /* the bytes are a stream's: no message ends, nothing to drop */
};

/* What one receive does to what remains of a message. All sizes in bytes. */
struct part {
    size_t given;  /* copied to the caller */
    size_t result; /* what the call returns */
    size_t left;   /* remains for the next receive */
};

/* The part of `remaining` bytes that a receive with `room` bytes of buffer gets. */
struct part message_part(size_t remaining, size_t room, unsigned how);

/* A number by which a message of `length` bytes, in the pieces of `iov`, is known again. Two
 * messages with the same bytes have the same one, and are as good as each other. */
uint64_t message_fingerprint(const struct iovec *iov, size_t iovlen, size_t length);

enum mode { MODE_CONTINUE, MODE_ERROR, MODE_DISCARD, MODE_OBSERVE, MODE_OFF };

/* What kind of call receives: a plain call cannot report truncation, a reporting call can
 * (msg_flags), a cooperating one is our own wsrx_receive(). */
enum call_kind { CALL_PLAIN, CALL_REPORTING, CALL_COOPERATING };

/* What a mode makes of a receive that is shorter than its message. */
struct policy {
    bool hold;     /* keep the tail for the next receive */
    bool emsgsize; /* fill the buffer and fail with EMSGSIZE */
};

/* `calls_all` is WSRX_CALLS=all. */
struct policy message_policy(enum mode mode, enum call_kind kind, bool calls_all);

#endif
