/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "trace/stats.h"

#include "base/strbuf.h"

#include <string.h>

enum { PROBES = 8 };

/* --- counting ---------------------------------------------------------------------------- */

/* The row of a socket and call, or the one for all the others. */
static struct stats_row *find(struct stats_table *table, uint64_t cookie, uint32_t call)
{
    size_t place = (size_t)((cookie * 11 + call) * UINT64_C(0x9e3779b97f4a7c15) >> 56);

    for (size_t i = 0; i < PROBES; i++, place++) {
        struct stats_row *row = &table->row[place % STATS_ROWS];

        if ((row->call == call && row->cookie == cookie) || row->call == RECORD_UNKNOWN)
            return row;
    }
    for (;; place++) {
        struct stats_row *row = &table->row[place % STATS_ROWS];

        if (row->cookie == 0 || place == 2 * STATS_ROWS)
            return row;
    }
}

static void name_row(struct stats_row *row, const struct record *record)
{
    row->cookie = record->cookie;
    row->call = record->call;
    row->fd = record->fd;
    row->room = UINT64_MAX;
    row->local_length = record->local_length < STATS_ADDRESS ? record->local_length : STATS_ADDRESS;
    memcpy(row->local, record->local, row->local_length);
}

struct stats_row *stats_add(struct stats_table *table, const struct record *record)
{
    struct stats_row *row = find(table, record->cookie, record->call);

    if (row->call == RECORD_UNKNOWN)
        name_row(row, record);
    row->errors += record->error != 0;
    if (record_is_receive(record))
        row->receives++;
    if (!(record->flags & (RECORD_PARTIAL | RECORD_LAST)))
        return row;
    if (record->room < row->room && record_is_receive(record))
        row->room = record->room;
    if (record->length > row->longest)
        row->longest = record->length;
    if (record->flags & RECORD_PEEK)
        return row;
    row->partial += (record->flags & RECORD_PARTIAL) != 0;
    row->bytes += record->given;
    if (record->offset > 0 && record_is_receive(record))
        row->saved += record->given;
    row->lost += record->lost;
    row->lost_messages += record->lost > 0;
    return row;
}

void stats_merge(struct stats_table *to, const struct stats_table *from)
{
    for (size_t i = 0; i < STATS_ROWS; i++) {
        const struct stats_row *row = &from->row[i];
        struct stats_row *sum;

        if (row->call == RECORD_UNKNOWN)
            continue;
        sum = find(to, row->cookie, row->call);
        if (sum->call == RECORD_UNKNOWN) {
            *sum = *row;
            continue;
        }
        if (sum->cookie != row->cookie)
            sum->cookie = 0;
        sum->receives += row->receives;
        sum->errors += row->errors;
        sum->partial += row->partial;
        sum->bytes += row->bytes;
        sum->saved += row->saved;
        sum->lost += row->lost;
        sum->lost_messages += row->lost_messages;
        if (row->room < sum->room)
            sum->room = row->room;
        if (row->longest > sum->longest)
            sum->longest = row->longest;
    }
}

/* --- the table's text -------------------------------------------------------------------- */

static bool is_before(const struct stats_row *one, const struct stats_row *other)
{
    if (one->lost != other->lost)
        return one->lost > other->lost;
    if (one->saved != other->saved)
        return one->saved > other->saved;
    return one->receives > other->receives;
}

/* Few rows, once. */
static size_t sort(struct stats_table *table)
{
    size_t used = 0;

    for (size_t i = 0; i < STATS_ROWS; i++) {
        struct stats_row row = table->row[i];
        size_t at = used;

        if (row.call == RECORD_UNKNOWN)
            continue;
        for (; at > 0 && is_before(&row, &table->row[at - 1]); at--)
            table->row[at] = table->row[at - 1];
        table->row[at] = row;
        used++;
    }
    return used;
}

static void add_spaces(struct strbuf *text, size_t length, size_t width)
{
    for (; length < width; length++)
        strbuf_add_char(text, ' ');
}

static void add_right(struct strbuf *text, const char *string, size_t width)
{
    add_spaces(text, strlen(string), width);
    strbuf_add(text, string);
    strbuf_add_char(text, ' ');
}

static void add_left(struct strbuf *text, const char *string, size_t width)
{
    strbuf_add(text, string);
    add_spaces(text, strlen(string), width + 1);
}

static void add_number(struct strbuf *text, uint64_t number, size_t width)
{
    char digits[STRBUF_NUMBER + 1];

    *put_number(digits, number) = '\0';
    add_right(text, digits, width);
}

enum { WIDTHS = 9 };

static const struct {
    const char *title;
    size_t width;
} columns[WIDTHS] = {
    {"lost bytes", 12}, {"messages", 9}, {"saved bytes", 12}, {"receives", 10}, {"partial", 9},
    {"errors", 8},      {"bytes", 13},   {"buffer", 9},       {"needed", 9},
};

static void add_row(struct strbuf *text, const struct stats_row *row)
{
    const uint64_t numbers[WIDTHS] = {
        row->lost,    row->lost_messages, row->saved, row->receives,
        row->partial, row->errors,        row->bytes, row->room == UINT64_MAX ? 0 : row->room,
        row->longest,
    };
    char address[RECORD_ADDRESS_MAX];

    for (size_t i = 0; i < WIDTHS; i++)
        add_number(text, numbers[i], columns[i].width);
    add_left(text, record_call_name((enum record_call)row->call), 12);
    if (row->cookie == 0) {
        strbuf_add(text, "(other sockets)\n");
        return;
    }
    record_address((const struct sockaddr *)row->local, row->local_length, address);
    strbuf_add(text, "fd ");
    strbuf_add_number(text, (uint64_t)row->fd);
    strbuf_add(text, address[0] ? ", " : ", no name");
    strbuf_add(text, address);
    strbuf_add(text, "\n");
}

size_t stats_text(struct stats_table *table, const char *program, uint32_t pid, const char *mode,
                  char *to, size_t size)
{
    enum { TOTAL = 128 }; /* for the last line, however many rows there are */
    struct strbuf text = strbuf_in(to, size);
    size_t rows = sort(table), whole;
    struct stats_row total = {.call = RECORD_UNKNOWN};

    strbuf_add(&text, "libwsrx[");
    strbuf_add_number(&text, pid);
    strbuf_add(&text, "]: datagrams and records received by ");
    strbuf_add(&text, program);
    strbuf_add(&text, ", mode ");
    strbuf_add(&text, mode);
    strbuf_add(&text, "\n");
    for (size_t i = 0; i < WIDTHS; i++)
        add_right(&text, columns[i].title, columns[i].width);
    add_left(&text, "call", 12);
    strbuf_add(&text, "socket\n");
    whole = text.length;
    text.size -= TOTAL;
    for (size_t i = 0; i < rows; i++) {
        add_row(&text, &table->row[i]);
        if (text.cut)
            break;
        whole = text.length;
        total.lost += table->row[i].lost;
        total.lost_messages += table->row[i].lost_messages;
        total.saved += table->row[i].saved;
        total.receives += table->row[i].receives;
        total.partial += table->row[i].partial;
        total.errors += table->row[i].errors;
        total.bytes += table->row[i].bytes;
    }
    text.size = size;
    strbuf_cut(&text, whole);
    add_number(&text, total.lost, columns[0].width);
    add_number(&text, total.lost_messages, columns[1].width);
    add_number(&text, total.saved, columns[2].width);
    add_number(&text, total.receives, columns[3].width);
    add_number(&text, total.partial, columns[4].width);
    add_number(&text, total.errors, columns[5].width);
    add_number(&text, total.bytes, columns[6].width);
    for (size_t i = 0; i < columns[7].width + columns[8].width + 2; i++)
        strbuf_add(&text, " ");
    strbuf_add(&text, "total\n");
    return text.length;
}
