/* SPDX-License-Identifier: MIT */
#include "table/part.h"

#include <string.h>

struct part part_next(size_t remaining, size_t room, unsigned how)
{
    struct part part = {.given = room < remaining ? room : remaining};

    part.result = part.given;
    part.left = remaining - part.given;
    if (how & PART_STREAM) {
        if (how & PART_PEEK)
            part.left = remaining;
        return part;
    }

    /* recv(2): MSG_TRUNC returns "the real length of the packet or datagram, even when it was
     * longer than the passed buffer". */
    if (how & PART_TRUNC)
        part.result = remaining;

    if (how & PART_PEEK)
        part.left = remaining;
    else if ((how & PART_TRUNC) || room == 0)
        part.left = 0;
    return part;
}

/* splitmix64's finalizer: every bit of the input reaches every bit of the result. */
static uint64_t mix(uint64_t value)
{
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

static uint64_t mix_word(uint64_t print, uint64_t word)
{
    return mix(print + word) * UINT64_C(0x9e3779b97f4a7c15);
}

uint64_t message_fingerprint(const struct iovec *iov, size_t iovlen, size_t length)
{
    uint64_t print = mix(length), word = 0;
    size_t filled = 0; /* bytes of `word` */

    for (size_t i = 0; i < iovlen && length > 0; i++) {
        const char *at = iov[i].iov_base;
        size_t size = iov[i].iov_len < length ? iov[i].iov_len : length;

        length -= size;
        for (; filled == 0 && size >= sizeof word; at += sizeof word, size -= sizeof word) {
            memcpy(&word, at, sizeof word);
            print = mix_word(print, word);
            word = 0;
        }
        while (size > 0) {
            size_t piece = sizeof word - filled < size ? sizeof word - filled : size;

            memcpy((char *)&word + filled, at, piece);
            at += piece;
            size -= piece;
            filled += piece;
            if (filled < sizeof word && (length > 0 || size > 0))
                continue;
            print = mix_word(print, word);
            word = filled = 0;
        }
    }
    return filled > 0 ? mix(print + word) : print;
}
