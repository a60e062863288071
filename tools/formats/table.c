/* SPDX-License-Identifier: MIT */
#include "formats/table.h"

#include "formats/report_data.h"
#include "program/symbols.h"
#include "util/number.h"

#include <string.h>

enum { WHO_MAX = 512, INDENT = 4 };

static const struct {
    const char *title;
    int width;
} columns[] = {
    {"lost bytes", 12}, {"lost msgs", 10}, {"saved bytes", 12}, {"receives", 10},
    {"dropped", 8},     {"bytes", 12},     {"buffer", 8},       {"needed", 8},
};

enum { COLUMNS = sizeof columns / sizeof *columns, BUFFER = 6 };

void table_head(FILE *out)
{
    for (size_t i = 0; i < COLUMNS; i++)
        fprintf(out, "%*s", columns[i].width, columns[i].title);
    fputc('\n', out);
}

/* In lines of the table's width, if it has spaces. */
static void put_folded(FILE *out, const char *text)
{
    size_t at = 0;

    while (*text) {
        size_t length = strcspn(text, " ");

        if (at > INDENT && at + 1 + length > TABLE_WIDTH)
            at = (size_t)fprintf(out, "\n%*s", INDENT, "") - 1;
        else if (at > 0)
            at += (size_t)fprintf(out, " ");
        at += (size_t)fprintf(out, "%.*s", (int)length, text);
        text += length + (text[length] == ' ');
    }
    fputc('\n', out);
}

void table_row(FILE *out, const char *who, const struct sums *sums, uint64_t room, uint64_t longest)
{
    const uint64_t numbers[COLUMNS] = {
        sums->lost,    sums->lost_messages, sums->saved, sums->receives,
        sums->dropped, sums->bytes,         room,        longest,
    };
    char digits[GROUPED_MAX];

    put_folded(out, who);
    for (size_t i = 0; i < COLUMNS; i++)
        fprintf(out, "%*s", columns[i].width,
                i >= BUFFER && room == UINT64_MAX ? "-" : grouped(numbers[i], digits));
    fputc('\n', out);
}

void table_sockets(FILE *out, const struct summary *summary, size_t most)
{
    char who[WHO_MAX];

    table_head(out);
    for (size_t i = 0; i < summary->sockets && i < most; i++) {
        const struct summary_socket *socket = summary->socket[i];
        int at = snprintf(who, sizeof who, "%s[%u] fd %d %s", socket->program, socket->pid,
                          socket->fd, socket->address[0] ? socket->address : NO_NAME);

        for (unsigned call = 1; call < RECORD_CALLS; call++)
            if (socket->calls & 1u << call)
                at += snprintf(who + at, sizeof who - (size_t)at, ", %s",
                               record_call_name((enum record_call)call));
        table_row(out, who, &socket->sums, socket->least_room, socket->longest);
    }
    if (summary->sockets > most)
        fprintf(out, "and %zu more sockets\n", summary->sockets - most);
    table_row(out, "total", &summary->total, UINT64_MAX, 0);
}

void table_callers(FILE *out, const struct summary *summary, size_t most)
{
    char who[WHO_MAX + SYMBOL_MAX], place[SYMBOL_MAX];

    table_head(out);
    for (size_t i = 0; i < summary->callers && i < most; i++) {
        const struct summary_caller *caller = summary->caller[i];

        snprintf(who, sizeof who, "%s[%u] %s at %s", caller->program, caller->pid,
                 record_call_name(caller->call),
                 symbol_at(&caller->module, caller->address, place));
        table_row(out, who, &caller->sums, caller->least_room, caller->longest);
    }
    if (summary->callers > most)
        fprintf(out, "and %zu more callers\n", summary->callers - most);
}
