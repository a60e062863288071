/* SPDX-License-Identifier: MIT */
/*
 * A descriptor number that the library has seen as one thing and that is another by now, because
 * it was closed and used again behind its back. No byte is lost, none comes from elsewhere, and
 * what the number now is behaves as it does without the library.
 */
#include "rows.h"
#include "scenario.h"

#include <stdio.h>
#include <string.h>

enum { TEXT = 2048 };

static const char *const messages[] = {"udp4", "udp6", "unix", "seqpacket", "unixpair"};
static const char *const streams[] = {"tcp4", "streampair", "pipe", "file"};

/*
 * How the old descriptor goes: closed, by a system call or inside libc, or replaced by the new one
 * (a raw dup3, which the library sees no part of).
 */
static const char *const ways[] = {"raw_close a\n", "fclose a\n", ""};

struct pairing {
    const char *old, *new, *way;
};

/* All of one list against all of another, in all ways. */
static struct pairing pairing_of(size_t index, const char *const *olds, size_t old_count,
                                 const char *const *news, size_t new_count)
{
    struct pairing pairing = {
        .old = olds[index % old_count],
        .new = news[index / old_count % new_count],
        .way = ways[index / old_count / new_count],
    };

    return pairing;
}

static void check(const struct pairing *pairing, const char *name, unsigned holds,
                  const char *format)
{
    char transcript[TEXT], title[256];
    struct scenario scenario = {.name = title, .holds = holds, .transcript = transcript};
    int length =
        snprintf(transcript, sizeof(transcript), format, pairing->old, pairing->way, pairing->new);

    cr_assert(length > 0 && length < TEXT);
    snprintf(title, sizeof(title), "%s: %s, then %s%s%.*s", name, pairing->old, pairing->new,
             *pairing->way ? " after " : " in its place", (int)strcspn(pairing->way, " "),
             pairing->way);
    scenario_check(&scenario);
}

/*
 * The stream is read so often that whatever is remembered about its number is remembered. Not the
 * last way: a raw dup3 of a message socket onto a stream's number is a limit (docs/limits.md), for
 * nothing that the library sees happens before the bytes are cut.
 */
ROWS(stale, stream_then_messages, ROWS_OF(streams) * ROWS_OF(messages) * (ROWS_OF(ways) - 1))
{
    struct pairing pairing =
        pairing_of(*row, streams, ROWS_OF(streams), messages, ROWS_OF(messages));

    check(&pairing, "a stream's number", HOLD_BOTH,
          "%s a b\n"
          "send 30 from=b\n"
          "read 10 on=a -> 10 m1[0..9]\n"
          "read 10 on=a -> 10 m1[10..19]\n"
          "read 9 on=a -> 9 m1[20..28]\n"
          "%s"
          "%s r s at=a\n"
          "nonblock r\n"
          "read 1000 -> -1 EAGAIN\n"
          "send 3000\n"
          "send 5\n"
          "read 1000 -> 1000 m2[0..999]\n"
          "recv 1000 -> 1000 m2[1000..1999]\n"
          "readv 1000 -> 1000 m2[2000..2999]\n"
          "read 1000 -> 5 m3[0..4]\n"
          "read 1000 -> -1 EAGAIN\n");
}

/* More than one receive's worth, so that an overflow into a spill area would show. */
ROWS(stale, messages_then_stream, ROWS_OF(messages) * ROWS_OF(streams) * ROWS_OF(ways))
{
    struct pairing pairing =
        pairing_of(*row, messages, ROWS_OF(messages), streams, ROWS_OF(streams));

    check(&pairing, "a message socket's number", HOLD_BOTH,
          "%s a b\n"
          "send 30 from=b\n"
          "send 30 from=b\n"
          "recv 30 on=a -> 30 m1[0..29]\n"
          "read 30 on=a -> 30 m2[0..29]\n"
          "%s"
          "%s r s at=a\n"
          "send 60000\n"
          "read 1000 -> 1000 m3[0..999]\n"
          "read 1 -> 1 m3[1000..1000]\n"
          "readv 29000 parts=3 -> 29000 m3[1001..30000]\n"
          "read 0 -> 0\n"
          "__read 100 -> 100 m3[30001..30100]\n"
          "read 60000 -> 29899 m3[30101..59999]\n");
}

ROWS(stale, tail_then_stream, ROWS_OF(messages) * ROWS_OF(streams) * ROWS_OF(ways))
{
    struct pairing pairing =
        pairing_of(*row, messages, ROWS_OF(messages), streams, ROWS_OF(streams));

    check(&pairing, "the number of a socket with a tail", HOLD_BOTH,
          "%s a b\n"
          "send 3000 from=b\n"
          "recv 1000 on=a -> 1000 m1[0..999]\n"
          "recv 10 peek on=a -> 10 m1[1000..1009]\n"
          "%s"
          "%s r s at=a\n"
          "send 5000\n"
          "read 1000 -> 1000 m2[0..999]\n"
          "read 1000 -> 1000 m2[1000..1999]\n"
          "read 5000 -> 3000 m2[2000..4999]\n");
}

ROWS(stale, tail_then_messages, ROWS_OF(messages) * ROWS_OF(messages) * ROWS_OF(ways))
{
    struct pairing pairing =
        pairing_of(*row, messages, ROWS_OF(messages), messages, ROWS_OF(messages));

    check(&pairing, "the number of a socket with a tail", HOLD_BOTH,
          "%s a b\n"
          "send 3000 from=b\n"
          "recv 1000 on=a -> 1000 m1[0..999]\n"
          "recv 10 peek on=a -> 10 m1[1000..1009]\n"
          "%s"
          "%s r s at=a\n"
          "nonblock r\n"
          "recv 10 -> -1 EAGAIN\n"
          "recv 0 peek trunc -> -1 EAGAIN\n"
          "recvmsg 10 -> -1 EAGAIN\n"
          "poll 0 -> 0\n"
          "fionread r -> 0\n"
          "send 3000\n"
          "recv 1000 -> 1000 m2[0..999]\n"
          "recv 5000 -> 2000 m2[1000..2999]\n"
          "recv 10 -> -1 EAGAIN\n");
}

/* A receive by recv on what is no socket: the program's own call's error. */
static const struct scenario others[] = {
    {
        .name = "a message socket's number becomes an eventfd",
        .transcript = "udp4 a b\n"
                      "send 30 from=b\n"
                      "send 3000 from=b\n"
                      "recv 30 on=a -> 30 m1[0..29]\n"
                      "recv 1000 on=a -> 1000 m2[0..999]\n"
                      "eventfd r at=a\n"
                      "recv 1000 -> -1 ENOTSOCK\n"
                      "recvfrom 1000 -> -1 ENOTSOCK\n"
                      "recvmsg 1000 -> -1 ENOTSOCK\n"
                      "read 4 -> -1 EINVAL\n"
                      "read 100 -> 8 other[8]\n",
    },
    {
        .name = "a message socket's number is no longer open",
        .transcript = "udp4 r b\n"
                      "send 30 from=b\n"
                      "send 3000 from=b\n"
                      "recv 30 -> 30 m1[0..29]\n"
                      "recv 1000 -> 1000 m2[0..999]\n"
                      "raw_close r\n"
                      "recv 1000 -> -1 EBADF\n"
                      "recv 0 peek trunc -> -1 EBADF\n"
                      "read 1000 -> -1 EBADF\n"
                      "readv 1000 -> -1 EBADF\n"
                      "preadv2 1000 -> -1 EBADF\n"
                      "recvmmsg 1000 n=2 -> -1 EBADF\n"
                      "poll 0 -> 1 r=NVAL\n"
                      "fionread r -> -1 EBADF\n",
    },
    {
        .name = "a message socket's number becomes a netlink socket",
        .transcript = "udp4 a b\n"
                      "send 30 from=b\n"
                      "recv 30 on=a -> 30 m1[0..29]\n"
                      "netlink r s at=a\n"
                      "nonblock r\n"
                      "send 3000\n"
                      "send 5\n"
                      "recv 1000 -> 1000 m2[0..999]\n"
                      "recv 1000 -> 5 m3[0..4]\n"
                      "recv 1000 -> -1 EAGAIN\n",
    },
    {
        .name = "two sockets change places",
        .transcript = "udp4 a b\n"
                      "unix c d\n"
                      "send 3000 from=b\n"
                      "send 3000 from=d\n"
                      "recv 1000 on=a -> 1000 m1[0..999]\n"
                      "recv 1000 on=c -> 1000 m2[0..999]\n"
                      "raw_dup2 a #30\n"
                      "raw_dup2 c #31\n"
                      "raw_dup2 c a\n"
                      "recv 1000 on=c -> 1000 m2[1000..1999]\n"
                      "recv 500 on=#30 -> 500 m1[1000..1499]\n"
                      "recv 500 on=#31 -> 500 m2[2000..2499]\n"
                      "recv 500 on=a -> 500 m2[2500..2999]\n"
                      "recv 5000 on=#30 -> 1500 m1[1500..2999]\n",
    },
};

/* A socket that comes by SCM_RIGHTS gets the lowest free number, whatever that was before. */
static const struct scenario passed[] = {
    {
        .name = "a socket comes in a pipe's place",
        .transcript = "pipe a b\n"
                      "send 30 from=b\n"
                      "read 10 on=a -> 10 m1[0..9]\n"
                      "read 10 on=a -> 10 m1[10..19]\n"
                      "udp4 r s\n"
                      "unix p q\n"
                      "send 5 from=q pass=r\n"
                      "raw_close a\n"
                      "recvmsg 5 on=p noname control=100 take=x -> 5 m2[0..4] took 1\n"
                      "raw_close r\n"
                      "nonblock x\n"
                      "send 3000\n"
                      "send 5\n"
                      "read 1000 on=x -> 1000 m3[0..999]\n"
                      "read 1000 on=x -> 1000 m3[1000..1999]\n"
                      "recv 1000 on=x -> 1000 m3[2000..2999]\n"
                      "recv 1000 on=x -> 5 m4[0..4]\n",
    },
    {
        .name = "a socket comes a second time, and both share the tail",
        .transcript = "udp4 r s\n"
                      "unix p q\n"
                      "send 3000\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "send 5 from=q pass=r\n"
                      "recvmsg 5 on=p noname control=100 take=x -> 5 m2[0..4] took 1\n"
                      "nonblock x\n"
                      "recv 500 on=x -> 500 m1[1000..1499]\n"
                      "recv 500 -> 500 m1[1500..1999]\n"
                      "recv 5000 on=x -> 1000 m1[2000..2999]\n"
                      "recv 10 -> -1 EAGAIN\n",
    },
    {
        .name = "a socket with a tail is closed while it is on its way",
        .transcript = "udp4 r s\n"
                      "unix p q\n"
                      "send 3000\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "dup r d\n"
                      "send 5 from=q pass=d\n"
                      "close d\n"
                      "close r\n"
                      "recvmsg 5 on=p noname control=100 take=x -> 5 m2[0..4] took 1\n"
                      "nonblock x\n"
                      "recv 1000 on=x -> 1000 m1[1000..1999]\n"
                      "recv 1000 on=x -> 1000 m1[2000..2999]\n"
                      "recv 10 on=x -> -1 EAGAIN\n",
    },
    {
        .name = "a socket is on its way twice, and comes with what its last copy has left",
        .transcript = "udp4 r s\n"
                      "unix p q\n"
                      "send 5 from=q pass=r by=sendmmsg\n"
                      "send 5 from=q pass=r by=syscall\n"
                      "send 3000\n"
                      "recv 1000 -> 1000 m3[0..999]\n"
                      "close r\n"
                      "recvmsg 5 on=p noname control=100 take=x -> 5 m1[0..4] took 1\n"
                      "recv 500 on=x -> 500 m3[1000..1499]\n"
                      "close x\n"
                      "recvmsg 5 on=p noname control=100 take=y -> 5 m2[0..4] took 1\n"
                      "nonblock y\n"
                      "recv 5000 on=y -> 1500 m3[1500..2999]\n"
                      "recv 10 on=y -> -1 EAGAIN\n",
    },
    {
        .name = "a socket comes in the place of one with a tail",
        .transcript = "udp4 a b\n"
                      "send 3000 from=b\n"
                      "recv 1000 on=a -> 1000 m1[0..999]\n"
                      "udp6 r s\n"
                      "unix p q\n"
                      "send 5 from=q pass=r\n"
                      "raw_close a\n"
                      "recvmsg 5 on=p noname control=100 take=x -> 5 m2[0..4] took 1\n"
                      "nonblock x\n"
                      "recv 10 on=x -> -1 EAGAIN\n"
                      "send 1500\n"
                      "recv 1000 on=x -> 1000 m3[0..999]\n"
                      "recv 1000 on=x -> 500 m3[1000..1499]\n",
    },
    {
        .name = "a pipe comes in a socket's place",
        .transcript = "udp4 a b\n"
                      "send 30 from=b\n"
                      "recv 30 on=a -> 30 m1[0..29]\n"
                      "pipe r s\n"
                      "unix p q\n"
                      "send 5 from=q pass=r\n"
                      "raw_close a\n"
                      "recvmsg 5 on=p noname control=100 take=x -> 5 m2[0..4] took 1\n"
                      "send 3000\n"
                      "read 1000 on=x -> 1000 m3[0..999]\n"
                      "read 5000 on=x -> 2000 m3[1000..2999]\n",
    },
};

SCENARIOS(stale, others, others, .holds = HOLD_BOTH)

SCENARIOS(stale, passed, passed, .holds = HOLD_BOTH)
