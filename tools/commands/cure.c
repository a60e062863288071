/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "commands/cure.h"

#include "util/printable.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_LENGTH = 200 };

/* What a closed or dropped tail has lost, no larger buffer would have kept. */
static bool is_loss(const struct stats_row *row)
{
    return row->lost > 0 && row->call != RECORD_UNKNOWN && row->call <= RECORD_WSRX_RECEIVE;
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

static int worst_first(const void *one, const void *other)
{
    uint64_t a = (*(const struct stats_row *const *)one)->lost;
    uint64_t b = (*(const struct stats_row *const *)other)->lost;

    return a > b ? -1 : a < b;
}

struct cure cure_of(struct stats_table *table)
{
    const struct stats_row *row[STATS_ROWS];
    struct cure cure = {.losses = 0};

    stats_settle(table);
    for (size_t i = 0; i < STATS_ROWS; i++) {
        if (table->row[i].dropped > cure.dropped.dropped)
            cure.dropped = table->row[i];
        if (!is_loss(&table->row[i]))
            continue;
        row[cure.losses++] = &table->row[i];
        cure.reporting = cure.reporting || table->row[i].call == RECORD_RECVMSG ||
                         table->row[i].call == RECORD_RECVMMSG;
    }
    qsort(row, cure.losses, sizeof *row, worst_first);
    for (size_t i = 0; i < cure.losses && i < CURE_ROWS; i++)
        cure.worst[i] = *row[i];
    return cure;
}

/* Each receives from its own queue, so one is shown for all. */
static void print_dropped(FILE *out, const struct cure *cure)
{
    if (cure->dropped.dropped > 0)
        fprintf(
            out,
            "wsrx: fd %d: the kernel dropped %u messages, mostly because the socket's queue was "
            "full: a larger SO_RCVBUF keeps them (sysctl net.core.rmem_max limits it)\n",
            cure->dropped.fd, cure->dropped.dropped);
}

void cure_print(FILE *out, const struct cure *cure, const char *const *program)
{
    char *wsrx;

    print_dropped(out, cure);
    if (cure->losses == 0)
        return;
    for (size_t i = 0; i < cure->losses && i < CURE_ROWS; i++)
        fprintf(out,
                "wsrx: %s on fd %d: its buffer of %" PRIu64 " bytes is too small; %u would have "
                "been enough\n",
                record_call_name((enum record_call)cure->worst[i].call), cure->worst[i].fd,
                cure->worst[i].room, cure->worst[i].longest);
    if (cure->losses > CURE_ROWS)
        fprintf(out, "wsrx: and so on, for %zu more\n", cure->losses - CURE_ROWS);
    if (!program) {
        fprintf(out, "wsrx: to keep the tails: WSRX_MODE=continue%s\n",
                cure->reporting ? " WSRX_CALLS=all" : "");
        return;
    }
    wsrx = printable_word(program_invocation_name);
    fprintf(out, "wsrx: to keep the tails: %s run%s --", wsrx,
            cure->reporting ? " --calls=all" : "");
    print_words(out, program);
    fputc('\n', out);
    free(wsrx);
}
