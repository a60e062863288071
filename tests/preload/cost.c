/* SPDX-License-Identifier: MIT */
/*
 * Do no harm: a message that fits takes one system call, and so does every read of what is no
 * message socket. Counted by ptrace(2), once the library has seen the descriptor.
 */
#include "rows.h"

#include <stdio.h>
#include <string.h>

#include "spawn.h"
#include "trace.h"

static const char *const calls[] = {
    "recv 100",
    "recvfrom 100",
    "recvfrom 100 noname",
    "read 100",
    "readv 100",
    "readv 100 parts=3",
    "preadv2 100",
    "recvmsg 100",
    "recvmsg 100 parts=3 control=100",
    "recvmmsg 100 n=1",
    "__read 100",
    "__read_chk 100",
    "__recv_chk 100",
    "__recvfrom_chk 100",
    "sys_recvfrom 100",
    "recv 100 dontwait",
    "recv 100 peek",
    "recv 100 peek trunc",
    "recv 100 trunc",
    "recv 0",
    /* Not MSG_WAITALL: what a stream would wait for is asked about first (core/receive/receive.c). */
    "poll 0",
    "select 0",
};

static const char *const kinds[] = {"udp4", "udp6", "unix", "seqpacket", "unixpair"};

static const char *const environments[][3] = {
    {NULL},
    {"WSRX_HOLD=process", "WSRX_CALLS=all"},
    {"WSRX_MODE=error"},
    {"WSRX_MODE=discard"},
    {"WSRX_MODE=observe"},
    {"WSRX_MODE=off"},
    {"WSRX_SOCKETS=udp,unix"},
};

static void expect_calls(const char *transcript, const char *const *environment, const char *what,
                         size_t count)
{
    const char *const argv[] = {spawn_victim(), transcript, NULL};
    struct spawn_request request = {.argv = argv, .environment = environment, .preload = true};
    struct trace trace;
    char numbers[512] = "";
    int result = trace_run(&trace, &request);

    if (result < 0)
        cr_skip_test("ptrace: %s", strerror(-result));
    for (size_t i = 0; i < trace.count && i < 40; i++)
        snprintf(numbers + strlen(numbers), sizeof(numbers) - strlen(numbers), " %ld",
                 trace.number[i]);
    cr_expect_eq(trace.exit_status, 0, "%s: exit status %d", what, trace.exit_status);
    cr_expect_eq(trace.count, count, "%s%s%s: %zu system calls, by number%s", what,
                 *environment ? ", " : "", *environment ? *environment : "", trace.count, numbers);
}

static void expect_one(const char *transcript, const char *const *environment, const char *what)
{
    expect_calls(transcript, environment, what, 1);
}

/* Three rounds for the library to get to know descriptor and buffer; the fourth is counted. */
static void check_messages(const char *kind, const char *call, const char *const *environment)
{
    char transcript[1024], what[256];

    snprintf(transcript, sizeof(transcript),
             "%s\nnonblock\n"
             "send 90\nsend 91\nsend 92\nsend 93\nsend 94\nsend 95\n"
             "%s\n%s\n%s\nrecv 100\n%s mark\n",
             kind, call, call, call, call);
    snprintf(what, sizeof(what), "%s on %s", call, kind);
    expect_one(transcript, environment, what);
}

ROWS(cost, message_that_fits, ROWS_OF(calls) * ROWS_OF(environments))
{
    for (size_t k = 0; k < ROWS_OF(kinds); k++)
        check_messages(kinds[k], calls[*row % ROWS_OF(calls)], environments[*row / ROWS_OF(calls)]);
}

/* A buffer that the library has not met before costs no more. */
static const char *const buffer_calls[] = {"recv 100", "recvfrom 100", "read 100", "recvmsg 100"};

ROWS(cost, new_buffer, ROWS_OF(buffer_calls) * ROWS_OF(kinds))
{
    const char *call = buffer_calls[*row % ROWS_OF(buffer_calls)];
    const char *kind = kinds[*row / ROWS_OF(buffer_calls)];
    char transcript[1024];

    snprintf(transcript, sizeof(transcript),
             "%s\nmap x\nsend 90\nsend 91\nsend 92\n%s\n%s\n%s buf=x mark\n", kind, call, call,
             call);
    expect_one(transcript, environments[0], call);
}

static const char *const stream_calls[] = {"read 100", "readv 100", "__read 100", "sys_read 100",
                                           "preadv2 100"};
static const char *const socket_calls[] = {"recv 100", "recvfrom 100", "recvmsg 100",
                                           "recvmmsg 100 n=1"};
static const char *const streams[] = {"tcp4", "streampair", "pipe", "file"};

static void check_stream(const char *kind, const char *call, const char *const *environment)
{
    char transcript[1024], what[256];

    snprintf(transcript, sizeof(transcript), "%s\nsend 3000\n%s\n%s\n%s\n%s mark\n", kind, call,
             call, call, call);
    snprintf(what, sizeof(what), "%s on %s", call, kind);
    expect_one(transcript, environment, what);
}

ROWS(cost, streams, ROWS_OF(streams) * ROWS_OF(environments))
{
    const char *kind = streams[*row % ROWS_OF(streams)];
    const char *const *environment = environments[*row / ROWS_OF(streams)];

    for (size_t c = 0; c < ROWS_OF(stream_calls); c++)
        check_stream(kind, stream_calls[c], environment);
    for (size_t c = 0; c < ROWS_OF(socket_calls) && *row % ROWS_OF(streams) < 2; c++)
        check_stream(kind, socket_calls[c], environment);
}

/* A socket that is not selected is Linux's own. */
static const char *const other_sockets[] = {"WSRX_SOCKETS=!udp", NULL};

ROWS(cost, not_selected, ROWS_OF(buffer_calls))
{
    check_messages("udp4", buffer_calls[*row], other_sockets);
}

/* A tail on one socket: the others pay nothing for it. */
ROWS(cost, beside_a_tail, ROWS_OF(buffer_calls) * ROWS_OF(kinds))
{
    const char *call = buffer_calls[*row % ROWS_OF(buffer_calls)];
    const char *kind = kinds[*row / ROWS_OF(buffer_calls)];
    char transcript[1024];

    snprintf(transcript, sizeof(transcript),
             "udp4 a b\nsend 3000 from=b\nrecv 10 on=a\n"
             "%s\nsend 90\nsend 91\nsend 92\n%s\n%s\n%s mark\n",
             kind, call, call, call);
    expect_one(transcript, environments[0], call);
}

/* What the library remembers of a program's memory must not depend on where things happen to
 * lie. */
ROWS(cost, any_page, ROWS_OF(buffer_calls) * 2)
{
    enum { PAGES = 64, PAGE = 4096 };
    static char transcript[65536];
    const char *call = buffer_calls[*row % ROWS_OF(buffer_calls)];
    size_t length = (size_t)snprintf(transcript, sizeof(transcript), "%s\nmap m %d\n",
                                     *row / ROWS_OF(buffer_calls) ? "unix" : "udp4", PAGES * PAGE);

    for (int i = 0; i < PAGES; i++)
        length += (size_t)snprintf(transcript + length, sizeof(transcript) - length,
                                   "send 90\nsend 91\nsend 92\n%s buf=m:%d\n%s buf=m:%d\n"
                                   "%s buf=m:%d mark\n",
                                   call, i * PAGE, call, i * PAGE, call, i * PAGE);
    expect_calls(transcript, environments[0], call, PAGES);
}
