/* SPDX-License-Identifier: MIT */
/*
 * The content of the messages that tests send: every byte follows from the message's number and
 * from the byte's offset in it, so that whoever has some bytes knows which bytes they are.
 */
#ifndef WSRX_TESTS_PATTERN_H
#define WSRX_TESTS_PATTERN_H

#include <stddef.h>

/* No message contains this byte: buffers are filled with it to see what a receive has written. */
enum { PATTERN_BLANK = 0xEE };

unsigned char pattern_byte(unsigned message, size_t offset);
void pattern_fill(unsigned char *to, unsigned message, size_t offset, size_t length);

/* How many of the length bytes are those that follow offset in the message. */
size_t pattern_match(const unsigned char *bytes, size_t length, unsigned message, size_t offset,
                     size_t message_length);

#endif
