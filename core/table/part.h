/* SPDX-License-Identifier: MIT
 *
 * One message and its parts: the receive contract as pure arithmetic.
 *
 * This file owns the answer to "what does a receive of this size get, and what is left?".
 * It must never lock, allocate, make a system call or look at a setting by itself.
 */
#ifndef WSRX_TABLE_PART_H
#define WSRX_TABLE_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* How a receive asks, from its MSG_* flags and the kind of its socket. */
enum part_how {
    PART_PEEK = 1 << 0,   /* MSG_PEEK: nothing is consumed */
    PART_TRUNC = 1 << 1,  /* MSG_TRUNC: report the real length, and drop what does not fit */
    PART_STREAM = 1 << 2, /* the bytes are a stream's: no message ends, nothing to drop */
    PART_TAIL = 1 << 3,   /* only of a message of which a part has been handed out */
};

/* What one receive does to what remains of a message. All sizes in bytes. */
struct part {
    size_t given;  /* copied to the caller */
    size_t result; /* what the call returns */
    size_t left;   /* remains for the next receive */
};

/* The part of `remaining` bytes that a receive with `room` bytes of buffer gets. */
struct part part_next(size_t remaining, size_t room, unsigned how);

/* A number by which a message of `length` bytes, in the pieces of `iov`, is known again. Two
 * messages with the same bytes have the same one, and are as good as each other. */
uint64_t message_fingerprint(const struct iovec *iov, size_t iovlen, size_t length);

#endif
