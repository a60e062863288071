/* SPDX-License-Identifier: MIT
 *
 * A message and its parts: the receive contract, as arithmetic only.
 *
 * It answers "what does a receive of this size get, and what is left?". It must never lock,
 * allocate, make a system call or read a setting.
 */
#ifndef WSRX_TABLE_PART_H
#define WSRX_TABLE_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* How a receive takes, by its MSG_* flags and the kind of its socket. */
enum part_how {
    PART_PEEK = 1 << 0,   /* MSG_PEEK: nothing is consumed */
    PART_TRUNC = 1 << 1,  /* MSG_TRUNC: report the real length, and drop what does not fit */
    PART_STREAM = 1 << 2, /* bytes of a stream: no message ends, and nothing is dropped */
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

/* A number by which a message of `length` bytes, in the pieces of `iov`, is recognized. Messages
 * with the same bytes have the same number; which of them it is makes no difference. */
uint64_t message_fingerprint(const struct iovec *iov, size_t iovlen, size_t length);

#endif
