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
    if (record->dropped > row->dropped)
        row->dropped = record->dropped;
    if (record_is_receive(record))
        row->receives++;
    row->peeks += (record->flags & RECORD_PEEK) != 0;
    if (!record_has_part(record))
        return row;
    if (record->room < row->room && record_is_receive(record))
        row->room = record->room;
    if (record->length > row->longest && record_is_receive(record))
        row->longest = record->length;
    row->partial += (record->flags & RECORD_PARTIAL) != 0;
    row->bytes += record->given;
    row->saved += record_saved(record);
    row->lost += record->lost;
    row->lost_messages += record->lost > 0;
    return row;
}

/* Everything but whose it is. */
static void add_sums(struct stats_row *sum, const struct stats_row *row)
{
    sum->receives += row->receives;
    sum->peeks += row->peeks;
    sum->errors += row->errors;
    sum->partial += row->partial;
    sum->bytes += row->bytes;
    sum->saved += row->saved;
    sum->lost += row->lost;
    sum->lost_messages += row->lost_messages;
}

void stats_add_row(struct stats_table *table, const struct stats_row *row)
{
    struct stats_row *sum = find(table, row->cookie, row->call);

    if (sum->call == RECORD_UNKNOWN) {
        *sum = *row;
        return;
    }
    if (sum->cookie != row->cookie)
        sum->cookie = 0;
    add_sums(sum, row);
    if (row->dropped > sum->dropped)
        sum->dropped = row->dropped;
    if (row->room < sum->room)
        sum->room = row->room;
    if (row->longest > sum->longest)
        sum->longest = row->longest;
}

void stats_merge(struct stats_table *to, const struct stats_table *from)
{
    for (size_t i = 0; i < STATS_ROWS; i++)
        if (from->row[i].call != RECORD_UNKNOWN)
            stats_add_row(to, &from->row[i]);
}

/* The row of a socket to which its dropped messages belong. */
static struct stats_row *receiver_of(struct stats_table *table, struct stats_row *row)
{
    struct stats_row *best = row;

    for (size_t i = 0; i < STATS_ROWS && row->cookie != 0; i++) {
        struct stats_row *other = &table->row[i];

        if (other->call != RECORD_UNKNOWN && other->cookie == row->cookie &&
            other->receives > best->receives)
            best = other;
    }
    return best;
}

void stats_settle(struct stats_table *table)
{
    for (size_t i = 0; i < STATS_ROWS; i++) {
        struct stats_row *row = &table->row[i], *to;
        uint32_t dropped = row->dropped;

        if (row->call == RECORD_UNKNOWN || dropped == 0 || (to = receiver_of(table, row)) == row)
            continue;
        row->dropped = 0;
        if (dropped > to->dropped)
            to->dropped = dropped;
    }
}

/* --- the table's text -------------------------------------------------------------------- */

static bool is_before(const struct stats_row *one, const struct stats_row *other)
{
    if (one->lost != other->lost)
        return one->lost > other->lost;
    if (one->dropped != other->dropped)
        return one->dropped > other->dropped;
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

        if (row.call == RECORD_UNKNOWN || row.receives + row.lost + row.dropped == 0)
            continue; /* it only told what was dropped */
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

enum { WIDTHS = 10, SUMS = 8, CALL_WIDTH = 14 };

static const struct {
    const char *title;
    size_t width;
} columns[WIDTHS] = {
    {"lost bytes", 12}, {"messages", 9}, {"dropped", 9}, {"saved bytes", 12}, {"receives", 10},
    {"partial", 9},     {"errors", 8},   {"bytes", 13},  {"buffer", 9},       {"needed", 9},
};

static void add_sum_columns(struct strbuf *text, const struct stats_row *row)
{
    const uint64_t numbers[SUMS] = {row->lost,     row->lost_messages, row->dropped, row->saved,
                                    row->receives, row->partial,       row->errors,  row->bytes};

    for (size_t i = 0; i < SUMS; i++)
        add_number(text, numbers[i], columns[i].width);
}

/* "recvfrom"; of one that has only peeked, "recvfrom peek". */
static void add_call(struct strbuf *text, const struct stats_row *row)
{
    char call[32];
    struct strbuf name = strbuf_in(call, sizeof call);

    strbuf_add(&name, record_call_name((enum record_call)row->call));
    if (row->peeks > 0 && row->peeks == row->receives)
        strbuf_add(&name, " peek");
    add_left(text, call, CALL_WIDTH);
}

static void add_row(struct strbuf *text, const struct stats_row *row)
{
    char address[RECORD_ADDRESS_MAX];

    add_sum_columns(text, row);
    if (row->room == UINT64_MAX) { /* nothing came, or it was only peeked at */
        add_right(text, "-", columns[SUMS].width);
        add_right(text, "-", columns[SUMS + 1].width);
    } else {
        add_number(text, row->room, columns[SUMS].width);
        add_number(text, row->longest, columns[SUMS + 1].width);
    }
    add_call(text, row);
    if (row->cookie == 0) {
        strbuf_add(text, "(other sockets)\n");
        return;
    }
    record_address((const struct sockaddr *)row->local, row->local_length, address);
    strbuf_add(text, "fd ");
    strbuf_add_number(text, (uint64_t)row->fd);
    strbuf_add(text, ", ");
    strbuf_add(text, address[0] ? address : RECORD_NO_NAME);
    strbuf_add(text, "\n");
}

static void add_head(struct strbuf *text, const struct stats_head *head)
{
    strbuf_add(text, "libwsrx[");
    strbuf_add_number(text, head->pid);
    strbuf_add(text, "]: datagrams and records received by ");
    strbuf_add(text, head->program);
    strbuf_add(text, ", mode ");
    strbuf_add(text, head->mode);
    strbuf_add(text, head->at_least ? "; at least\n" : "\n");
    for (size_t i = 0; i < WIDTHS; i++)
        add_right(text, columns[i].title, columns[i].width);
    add_left(text, "call", CALL_WIDTH);
    strbuf_add(text, "socket\n");
}

size_t stats_text(struct stats_table *table, const struct stats_head *head, char *to, size_t size)
{
    enum { TOTAL = 160 }; /* for the last line, however many rows there are */
    struct strbuf text = strbuf_in(to, size);
    struct stats_row total = {.call = RECORD_UNKNOWN};
    size_t rows, whole;

    stats_settle(table);
    rows = sort(table);
    add_head(&text, head);
    whole = text.length;
    text.size -= TOTAL;
    for (size_t i = 0; i < rows; i++) {
        add_row(&text, &table->row[i]);
        if (text.cut)
            break;
        whole = text.length;
        add_sums(&total, &table->row[i]);
        total.dropped += table->row[i].dropped;
    }
    text.size = size;
    strbuf_cut(&text, whole);
    add_sum_columns(&text, &total);
    for (size_t i = 0; i < columns[SUMS].width + columns[SUMS + 1].width + 2; i++)
        strbuf_add(&text, " ");
    strbuf_add(&text, "total\n");
    return text.length;
}
