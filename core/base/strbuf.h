/* SPDX-License-Identifier: MIT
 *
 * Text, put together piece by piece: the only place that turns numbers into digits, and back.
 *
 * struct strbuf is bounded: what does not fit is cut, and `cut` reports it. It is for messages,
 * names and tables. The put_…() functions write into memory that is known to be large enough, and
 * return where the next piece goes: several times as fast as printf(3), for the lines of records.
 * All are async-signal-safe.
 */
#ifndef WSRX_BASE_STRBUF_H
#define WSRX_BASE_STRBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* --- unbounded, for the lines of records ------------------------------------------------- */

static const char line_pairs[] = "00010203040506070809101112131415161718192021222324"
                                 "25262728293031323334353637383940414243444546474849"
                                 "50515253545556575859606162636465666768697071727374"
                                 "75767778798081828384858687888990919293949596979899";
static const char line_hex_digits[] = "0123456789abcdef";

/* Bytes that the longest number needs. */
enum { STRBUF_NUMBER = 20 };

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

/* The other way round: a whole number in decimal that is all of `text`, and at most `max`. */
static inline bool read_number(const char *text, size_t length, uint64_t max, uint64_t *ret_number)
{
    uint64_t result = 0;

    for (size_t i = 0; i < length; i++) {
        uint64_t digit = (uint64_t)(text[i] - '0');

        if (digit > 9 || result > (UINT64_MAX - 9) / 10)
            return false;
        result = result * 10 + digit;
        if (result > max)
            return false;
    }
    *ret_number = result;
    return length > 0;
}

/* --- bounded ----------------------------------------------------------------------------- */

struct strbuf {
    char *to; /* terminated */
    size_t size, length;
    bool cut;
};

/* `size` is at least 1. */
static inline struct strbuf strbuf_in(char *to, size_t size)
{
    *to = '\0';
    return (struct strbuf){.to = to, .size = size};
}

/* Goes on behind the string that is in `to`. */
static inline struct strbuf strbuf_behind(char *to, size_t size)
{
    return (struct strbuf){.to = to, .size = size, .length = strlen(to)};
}

static inline void strbuf_add_bytes(struct strbuf *text, const char *bytes, size_t length)
{
    size_t room = text->size - 1 - text->length;

    if (length > room) {
        length = room;
        text->cut = true;
    }
    *put(text->to + text->length, bytes, length) = '\0';
    text->length += length;
}

static inline void strbuf_add(struct strbuf *text, const char *string)
{
    strbuf_add_bytes(text, string, strlen(string));
}

static inline void strbuf_add_char(struct strbuf *text, char c)
{
    strbuf_add_bytes(text, &c, 1);
}

static inline void strbuf_add_number(struct strbuf *text, uint64_t number)
{
    char digits[STRBUF_NUMBER];
    size_t length = (size_t)(put_number(digits, number) - digits);

    strbuf_add_bytes(text, digits, length);
}

/* Takes back what is behind `length`. */
static inline void strbuf_cut(struct strbuf *text, size_t length)
{
    text->length = length;
    text->to[length] = '\0';
}

#endif
