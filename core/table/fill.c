/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "table/fill.h"

#include "base/compiler.h"

#include <string.h>

/* Without a copy on the stack, which an initializer may make. */
void message_init(struct message *message, const struct held *held, uint64_t cookie, size_t offset)
{
    compiler_clear(message, sizeof *message);
    message->cookie = cookie;
    message->fingerprint = held->fingerprint;
    message->kind = held->kind;
    message->stored = (uint32_t)offset;
    message->length = (uint32_t)held->length;
    message->peer_known = held->peer_known;
    message->peer_length = held->peer_length;
    message->msg_flags = held->msg_flags;
    memcpy(message->peer, &held->peer, held->peer_length);
}

#ifdef __x86_64__
/* The compiler must not take the loops for a memcpy(), and put one there. */
RACES_ON_PURPOSE static void overwrite_short(char *to, const char *from, size_t size)
{
    typedef long long words __attribute__((vector_size(16), aligned(1), may_alias));

    for (; size >= 4 * sizeof(words); size -= 4 * sizeof(words)) {
        const words *at = (const words *)(const void *)from;
        words piece[4] = {at[0], at[1], at[2], at[3]};

        for (unsigned i = 0; i < 4; i++)
            ((words *)(void *)to)[i] = piece[i];
        to += 4 * sizeof(words);
        from += 4 * sizeof(words);
        __asm__ volatile("" : : : "memory");
    }
    for (; size >= sizeof(words); size -= sizeof(words)) {
        *(words *)(void *)to = *(const words *)(const void *)from;
        to += sizeof(words);
        from += sizeof(words);
        __asm__ volatile("" : : : "memory");
    }
    for (; size > 0; size--) {
        *to++ = *from++;
        __asm__ volatile("" : : : "memory");
    }
}
#endif

/* Writes one piece. A receive without the mutex may be copying what was there before, and throws it
 * away then. Not by memcpy(): a race detector in the program would replace it, and report. */
static bool overwrite(char *to, const char *from, size_t size)
{
#ifdef __x86_64__
    /* Up to here the one instruction is slower: it takes its time to begin. */
    enum { SHORT = 1024 };

    if (size <= SHORT)
        overwrite_short(to, from, size);
    else
        __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
#else
    memcpy(to, from, size);
#endif
    return true;
}

static bool is_equal(char *to, const char *from, size_t size)
{
    return memcmp(to, from, size) == 0;
}

/* Does it for the bytes of the message that are to be stored at `at`: `size` of them, after the
 * first `skip`. false: `act` was false for a piece, and the rest is left out. */
static bool each_piece(char *at, const struct iovec *iov, size_t iovlen, size_t skip, size_t size,
                       bool (*act)(char *to, const char *from, size_t size))
{
    for (size_t i = 0; i < iovlen && size > 0; i++) {
        size_t piece = iov[i].iov_len;

        if (skip >= piece) {
            skip -= piece;
            continue;
        }
        piece = piece - skip < size ? piece - skip : size;
        if (!act(at, (char *)iov[i].iov_base + skip, piece))
            return false;
        at += piece;
        size -= piece;
        skip = 0;
    }
    return true;
}

/* Functions of their own, so that whoever holds a message takes little stack. */
static __attribute__((noinline)) void write_pieces(char *page, const struct iovec *iov,
                                                   size_t iovlen, size_t skip, size_t size)
{
    each_piece(page, iov, iovlen, skip, size, overwrite);
}

static __attribute__((noinline)) bool is_written(char *page, const struct iovec *iov, size_t iovlen,
                                                 size_t skip, size_t size)
{
    return each_piece(page, iov, iovlen, skip, size, is_equal);
}

void fill(struct inside *inside, uint32_t at, const struct message *message,
          const struct iovec *iov, size_t iovlen, size_t size)
{
    /* Whoever reads a byte of the new message finds that the slot's state has changed. That costs nothing
     * on x86, where writes are seen in their order. */
#ifndef __SANITIZE_THREAD__ /* which knows no fences */
    atomic_thread_fence(memory_order_release);
#endif
    write_pieces(page_of(inside, at), iov, iovlen, message->stored, size);
    slot_write(slot_of(inside, at), message);
}

/* The sums are right only if what was summed is still the message. */
void fill_seal(struct inside *inside, uint32_t at, const struct message *message,
               const struct iovec *iov, size_t iovlen, size_t size)
{
    enum { TRIES = 4 };

    slot_seal(inside, at, message);
    for (unsigned i = 0;
         i < TRIES && !is_written(page_of(inside, at), iov, iovlen, message->stored, size); i++) {
        write_pieces(page_of(inside, at), iov, iovlen, message->stored, size);
        slot_seal(inside, at, message);
    }
}
