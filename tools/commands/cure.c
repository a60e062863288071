/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "commands/cure.h"

#include "util/printable.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_LENGTH = 200, SHOWN = 3 };

/* What a closed or dropped tail has lost, no larger buffer would have kept. */
static unsigned losing_receives(const struct summary_socket *socket)
{
    return socket->losing & (((2u << RECORD_WSRX_RECEIVE) - 1) | 1u << RECORD_IO_URING);
}

/* The command line to type; of a long one, its start. */
static void print_words(FILE *out, const char *const *words)
{
    size_t length = 0;

    for (; *words; words++) {
        char *word = printable_word(*words);

        length += strlen(word) + 1;
        fprintf(out, " %s", length < WORDS_LENGTH ? word : "...");
        free(word);
        if (length >= WORDS_LENGTH)
            return;
    }
}

/* "recv, recvmsg". */
static void print_calls(FILE *out, unsigned calls)
{
    const char *between = "";

    for (unsigned call = 1; call < RECORD_CALLS; call++)
        if (calls & 1u << call) {
            fprintf(out, "%s%s", between, record_call_name((enum record_call)call));
            between = ", ";
        }
}

static void print_loss(FILE *out, const struct summary *summary,
                       const struct summary_socket *socket)
{
    fputs("wsrx: ", out);
    for (size_t i = 0; i < summary->sockets; i++)
        if (summary->socket[i]->pid != socket->pid) { /* several processes */
            fprintf(out, "%s[%u]: ", socket->program, socket->pid);
            break;
        }
    print_calls(out, losing_receives(socket));
    fprintf(out,
            " on fd %d: its buffer of %" PRIu64 " bytes is too small; %u would have been enough\n",
            socket->fd, socket->short_room != UINT64_MAX ? socket->short_room : socket->least_room,
            socket->longest);
}

/* Each receives from its own queue, so one is shown for all. */
static void print_dropped(FILE *out, const struct summary *summary)
{
    const struct summary_socket *most = NULL;

    for (size_t i = 0; i < summary->sockets; i++)
        if (!most || summary->socket[i]->sums.dropped > most->sums.dropped)
            most = summary->socket[i];
    if (most && most->sums.dropped > 0)
        fprintf(out,
                "wsrx: fd %d: the kernel dropped %" PRIu64
                " messages, mostly because the socket's queue was full: a larger SO_RCVBUF keeps "
                "them (sysctl net.core.rmem_max limits it)\n",
                most->fd, most->sums.dropped);
}

/* The command to type; `all`: with the reporting calls. */
static void print_command(FILE *out, const char *const *program, bool all)
{
    char *wsrx;

    if (!program) {
        fprintf(out, "wsrx: to keep the tails: WSRX_MODE=continue%s\n",
                all ? " WSRX_CALLS=all" : "");
        return;
    }
    wsrx = printable_word(program_invocation_name);
    fprintf(out, "wsrx: to keep the tails: %s run%s --", wsrx, all ? " --calls=all" : "");
    print_words(out, program);
    fputc('\n', out);
    free(wsrx);
}

void cure_print(FILE *out, const struct summary *summary, const char *const *program)
{
    unsigned losing = 0;
    size_t losses = 0;

    print_dropped(out, summary);
    for (size_t i = 0; i < summary->sockets; i++) {
        const struct summary_socket *socket = summary->socket[i];

        if (losing_receives(socket) == 0)
            continue;
        losing |= losing_receives(socket);
        if (losses++ < SHOWN)
            print_loss(out, summary, socket);
    }
    if (losses > SHOWN)
        fprintf(out, "wsrx: and so on, for %zu more\n", losses - SHOWN);
    if (losses > 0)
        print_command(out, program, losing & (1u << RECORD_RECVMSG | 1u << RECORD_RECVMMSG));
}
