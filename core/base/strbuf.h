/* SPDX-License-Identifier: MIT
 *
 * Pieces of a line, put one behind the other into memory that is known to be large enough. Each
 * returns where the next one goes. Several times as fast as printf(3), and async-signal-safe.
 */
#ifndef WSRX_BASE_STRBUF_H
#define WSRX_BASE_STRBUF_H

#include <stdint.h>
#include <string.h>

static const char line_pairs[] = "00010203040506070809101112131415161718192021222324"
                                 "25262728293031323334353637383940414243444546474849"
                                 "50515253545556575859606162636465666768697071727374"
                                 "75767778798081828384858687888990919293949596979899";
static const char line_hex_digits[] = "0123456789abcdef";

static inline char *put(char *to, const char *text, size_t length)
{
    memcpy(to, text, length);
    return to + length;
}

/* For literals, whose length the compiler knows. */
#define PUT(to, literal) put((to), (literal), sizeof(literal) - 1)

static inline char *put_string(char *to, const char *text)
{
    return put(to, text, strlen(text));
}

/* `width` digits, with zeros in front; `width` is even. */
static inline char *put_digits(char *to, uint32_t number, unsigned width)
{
    for (unsigned at = width; at > 0; at -= 2, number /= 100)
        memcpy(to + at - 2, line_pairs + 2 * (number % 100), 2);
    return to + width;
}

static inline char *put_number(char *to, uint64_t number)
{
    if (number < 10) {
        *to = (char)('0' + number);
        return to + 1;
    }
    if (number < 100) {
        memcpy(to, line_pairs + 2 * number, 2);
        return to + 2;
    }
    if (number < 10000)
        return put_digits(put_number(to, number / 100), (uint32_t)(number % 100), 2);
    return put_digits(put_number(to, number / 10000), (uint32_t)(number % 10000), 4);
}

static inline char *put_signed(char *to, int64_t number)
{
    if (number < 0)
        *to++ = '-';
    return put_number(to, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

static inline char *put_hex(char *to, uint64_t number)
{
    unsigned digits = number ? (67 - (unsigned)__builtin_clzll(number)) / 4 : 1;

    for (unsigned at = digits; at > 0; at--, number >>= 4)
        to[at - 1] = line_hex_digits[number & 15];
    return to + digits;
}

#endif
