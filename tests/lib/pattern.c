/* SPDX-License-Identifier: MIT */
/* Makes and recognises message content. Knows nothing of sockets. */
#include "pattern.h"

#include <stdint.h>

/* A mixing step in the manner of splitmix64: neighbours and equal offsets look unrelated. */
unsigned char pattern_byte(unsigned message, size_t offset)
{
    uint64_t x = (message + 1) * UINT64_C(0x9E3779B97F4A7C15);

    x += (uint64_t)offset * UINT64_C(0xBF58476D1CE4E5B9);
    x ^= x >> 31;
    x *= UINT64_C(0x94D049BB133111EB);
    x ^= x >> 29;
    x &= 0xFF;
    return (unsigned char)(x == PATTERN_BLANK ? PATTERN_BLANK - 1 : x);
}

void pattern_fill(unsigned char *to, unsigned message, size_t offset, size_t length)
{
    for (size_t i = 0; i < length; i++)
        to[i] = pattern_byte(message, offset + i);
}

size_t pattern_match(const unsigned char *bytes, size_t length, unsigned message, size_t offset,
                     size_t message_length)
{
    size_t i = 0;

    while (i < length && offset + i < message_length &&
           bytes[i] == pattern_byte(message, offset + i))
        i++;
    return i;
}
