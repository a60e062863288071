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
    return row->lost > 0 && row->call != RECORD_UNKNOWN && row->call != RECORD_CLOSE &&
           row->call != RECORD_EXEC && row->call != RECORD_EXIT;
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

struct cure cure_of(const struct stats_table *table)
{
    const struct stats_row *row[STATS_ROWS];
    struct cure cure = {.losses = 0};

    for (size_t i = 0; i < STATS_ROWS; i++) {
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

void cure_print(FILE *out, const struct cure *cure, const char *const *program)
{
    char *wsrx;

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
