/* SPDX-License-Identifier: MIT */
/*
 * Messages of every interesting length against buffers of every interesting length. The
 * transcripts follow from the contract: parts of L bytes, the last what remains.
 */
#include "rows.h"
#include "scenario.h"

#include <stdarg.h>
#include <stdio.h>

#define MIB (1UL << 20)

enum { TRANSCRIPT = 60000, MESSAGES = 10 };

struct text {
    char data[TRANSCRIPT];
    size_t length;
};

static void __attribute__((format(printf, 2, 3))) add(struct text *text, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length =
        vsnprintf(text->data + text->length, sizeof(text->data) - text->length, format, arguments);
    va_end(arguments);
    cr_assert(length >= 0 && text->length + (size_t)length < sizeof(text->data));
    text->length += (size_t)length;
}

/* What the contract says of a message of that length and a buffer of that length. */
static void add_parts(struct text *text, unsigned number, size_t message, size_t buffer)
{
    size_t offset = 0;

    do {
        size_t part = message - offset < buffer ? message - offset : buffer;

        add(text, "$C %zu -> %zu", buffer, part);
        if (part > 0)
            add(text, " m%u[%zu..%zu]", number, offset, offset + part - 1);
        add(text, "\n");
        offset += part;
    } while (offset < message);
}

/* All of them are queued before the first is received. */
static void make_transcript(struct text *text, const size_t *messages, size_t count, size_t buffer)
{
    text->length = 0;
    add(text, "rcvbuf\n");
    for (size_t i = 0; i < count; i++)
        add(text, "send %zu\n", messages[i]);
    for (size_t i = 0; i < count; i++)
        add_parts(text, (unsigned)i + 1, messages[i], buffer);
}

static void check(const char *name, unsigned kinds, const size_t *messages, size_t count,
                  size_t buffer, const char *call, int without)
{
    static struct text text;
    struct scenario scenario = {
        .name = name,
        .kinds = kinds,
        .modes = MODE_NONBLOCK,
        .holds = HOLD_BOTH,
        .without = without,
        .transcript = text.data,
    };

    make_transcript(&text, messages, count, buffer);
    scenario_check_call(&scenario, call, NULL);
}

static const char *const calls[] = {"recv", "recvfrom noname", "read", "readv parts=3"};
static const size_t buffers[] = {1, 2, 3, 100, 1000, 4096, 9000};

ROWS(sizes, around_the_buffer, ROWS_OF(buffers))
{
    const size_t l = buffers[*row];
    const size_t messages[] = {0, 1, l - 1, l, l + 1, 2 * l - 1, 2 * l, 2 * l + 1, 3};

    for (size_t c = 0; c < ROWS_OF(calls); c++)
        check("lengths 0, 1, and around one and two buffers", KIND_ALL, messages, ROWS_OF(messages),
              l, calls[c], c == 0 ? WITHOUT_DIFFERS : WITHOUT_IGNORED);
}

static const size_t large_buffers[] = {1000, 4096, 32753, 32754, 65506, 65507, 65508};

/* 65,507 bytes are the most that UDP over IPv4 carries; the second message must not suffer. */
ROWS(sizes, largest_udp, ROWS_OF(large_buffers))
{
    const size_t messages[] = {65507, 65507, 1};
    const size_t l = large_buffers[*row];

    for (size_t c = 0; c < ROWS_OF(calls); c++)
        check("65,507 bytes", KIND_UDP | KIND_LOCAL, messages, ROWS_OF(messages), l, calls[c],
              l < 65507 ? WITHOUT_DIFFERS : WITHOUT_SAME);
}

/* Over IPv6 it is 65,527: the length field does not count the IPv6 header (RFC 8200). */
Test(sizes, largest_udp6)
{
    const size_t messages[] = {65527, 65527, 1};

    check("65,527 bytes", KIND_UDP6, messages, ROWS_OF(messages), 1000, "recv", WITHOUT_DIFFERS);
    check("65,527 bytes", KIND_UDP6, messages, ROWS_OF(messages), 65526, "recv", WITHOUT_DIFFERS);
    check("65,527 bytes", KIND_UDP6, messages, ROWS_OF(messages), 65527, "recv", WITHOUT_SAME);
}

static const size_t mib_buffers[] = {4096, 65536, MIB - 1, MIB, MIB + 1};

/* The size in Microsoft's own example; AF_UNIX carries what the sender's buffer allows. */
ROWS(sizes, one_mebibyte, ROWS_OF(mib_buffers))
{
    const size_t messages[] = {MIB, 1, MIB + 1, 2};
    const size_t l = mib_buffers[*row];

    for (size_t c = 0; c < ROWS_OF(calls); c++)
        check("1 MiB", KIND_LOCAL, messages, l < 10000 ? 1 : ROWS_OF(messages), l, calls[c],
              l <= MIB ? WITHOUT_DIFFERS : WITHOUT_SAME);
}

/* Calls and buffers change from part to part; bytes and messages keep their order. */
static const struct scenario mixed = {
    .name = "ten messages, every call in turn",
    .kinds = KIND_ALL,
    .modes = MODE_ALL,
    .holds = HOLD_BOTH,
    .without = WITHOUT_DIFFERS,
    .transcript = "rcvbuf\n"
                  "send 3000\n"
                  "send 1\n"
                  "send 1500\n"
                  "send 0\n"
                  "send 20000\n"
                  "send 10\n"
                  "send 4000\n"
                  "send 2\n"
                  "send 3\n"
                  "send 777\n"
                  "recv 1000 -> 1000 m1[0..999]\n"
                  "recvfrom 1000 noname -> 1000 m1[1000..1999]\n"
                  "read 2000 -> 1000 m1[2000..2999]\n"
                  "readv 1000 -> 1 m2[0..0]\n"
                  "preadv2 1000 parts=3 -> 1000 m3[0..999]\n"
                  "recvmsg 1000 noname -> 500 m3[1000..1499]\n"
                  "__read 10 -> 0\n"
                  "__recv_chk 9999 -> 9999 m5[0..9998]\n"
                  "sys_recvfrom 1 noname -> 1 m5[9999..9999]\n"
                  "recvmmsg 6000 n=2 noname -> 2 [6000 m5[10000..15999] flags TRUNC] "
                  "[4000 m5[16000..19999]]\n"
                  "__read_chk 5 -> 5 m6[0..4]\n"
                  "sys_read 5 -> 5 m6[5..9]\n"
                  "recv 3999 -> 3999 m7[0..3998]\n"
                  "recv 3999 -> 1 m7[3999..3999]\n"
                  "recv 1 -> 1 m8[0..0]\n"
                  "recv 1 -> 1 m8[1..1]\n"
                  "recv 2 -> 2 m9[0..1]\n"
                  "recv 2 -> 1 m9[2..2]\n"
                  "recv 776 -> 776 m10[0..775]\n"
                  "recv 776 -> 1 m10[776..776]\n",
};

Test(sizes, mixed_calls)
{
    scenario_check(&mixed);
}
