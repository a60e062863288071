/* SPDX-License-Identifier: MIT
 *
 * The report as one HTML page: what report.html.in wants to know, beside the data of the report.
 */
#include "formats/drawing.h"
#include "formats/formats.h"
#include "formats/report_data.h"
#include "formats/template.h"
#include "util/number.h"
#include <report_html.h>

#include <string.h>

enum { DRAWN_SOCKETS = 12, TABLE_ROWS = 50, LISTED_FILES = 20, TEXT_MAX = 300 };

static struct json_object *in(struct json_object *data, const char *name)
{
    return json_object_object_get(data, name);
}

static const char *text_in(struct json_object *data, const char *name)
{
    return json_object_get_string(json_object_object_get(data, name));
}

/* --- a socket's card --------------------------------------------------------------------- */

/* "1 message", "2 messages". */
static int put_count(char *to, size_t size, uint64_t number, const char *what)
{
    char digits[GROUPED_MAX];

    return snprintf(to, size, "%s %s%s", grouped(number, digits), what, number == 1 ? "" : "s");
}

static void put_fate(char *to, size_t size, const struct summary_socket *socket)
{
    char longest[GROUPED_MAX], saved[GROUPED_MAX], lost[TEXT_MAX];
    int at;

    if (socket->least_room == UINT64_MAX) {
        at = snprintf(to, size, "no message in ");
        at += put_count(to + at, size - (size_t)at, socket->sums.receives, "receive");
        put_count(lost, sizeof lost, socket->sums.lost, "byte");
        if (socket->sums.lost > 0) /* of one before, whose tail nobody received */
            snprintf(to + at, size - (size_t)at, "; %s lost", lost);
        return;
    }
    at = put_count(to, size, socket->sums.messages, "message");
    put_count(lost, sizeof lost, socket->sums.lost, "byte");
    grouped(socket->longest, longest);
    if (socket->sums.lost == 0 && socket->sums.saved == 0)
        snprintf(to + at, size - (size_t)at, ", the longest, of %s byte%s, fit", longest,
                 socket->longest == 1 ? "" : "s");
    else
        snprintf(to + at, size - (size_t)at, ", %s lost, %s saved; a buffer of %s would do", lost,
                 grouped(socket->sums.saved, saved), longest);
}

static struct json_object *card_of(const struct summary_socket *socket)
{
    struct json_object *card = json_object_new_object();
    char text[TEXT_MAX];
    int at =
        snprintf(text, sizeof text, "%s[%u], fd %d; ", socket->program, socket->pid, socket->fd);

    put_string_in(card, "name", socket->address[0] ? socket->address : NO_NAME);
    put_fate(text + at, sizeof text - (size_t)at, socket);
    put_string_in(card, "text", text);
    if (socket->least_room != UINT64_MAX)
        json_object_object_add(card, "picture", draw_sizes(socket));
    return card;
}

static void put_cards(struct json_object *data, const struct summary *summary)
{
    struct json_object *cards = json_object_new_array();

    for (size_t i = 0; i < summary->sockets && i < DRAWN_SOCKETS; i++)
        json_object_array_add(cards, card_of(summary->socket[i]));
    json_object_object_add(data, "cards", cards);
    if (summary->sockets > DRAWN_SOCKETS)
        put_number_in(data, "more_cards", summary->sockets);
}

/* --- the tables -------------------------------------------------------------------------- */

/* The first elements of a list, no more than `most`. */
static struct json_object *first_of(struct json_object *list, size_t most)
{
    struct json_object *few = json_object_new_array();

    for (size_t i = 0; i < json_object_array_length(list) && i < most; i++)
        json_object_array_add(few, json_object_get(json_object_array_get_idx(list, i)));
    return few;
}

static void put_socket_words(struct json_object *row)
{
    struct json_object *calls = in(row, "calls");
    const char *address = text_in(row, "address");
    char detail[TEXT_MAX];
    int at = snprintf(detail, sizeof detail, "fd %d", json_object_get_int(in(row, "fd")));

    for (size_t i = 0; i < json_object_array_length(calls); i++)
        at += snprintf(detail + at, sizeof detail - (size_t)at, ", %s",
                       json_object_get_string(json_object_array_get_idx(calls, i)));
    put_string_in(row, "name", *address ? address : NO_NAME);
    put_string_in(row, "detail", detail);
}

static void put_caller_words(struct json_object *row)
{
    char name[2 * TEXT_MAX];

    snprintf(name, sizeof name, "%s at %s", text_in(row, "call"), text_in(row, "place"));
    put_string_in(row, "name", name);
}

static void put_table(struct json_object *tables, struct json_object *list, const char *title,
                      const char *what, void (*put_words)(struct json_object *row))
{
    struct json_object *table = json_object_new_object(), *rows = first_of(list, TABLE_ROWS);
    size_t all = json_object_array_length(list), shown = json_object_array_length(rows);
    char caption[TEXT_MAX];
    int at =
        snprintf(caption, sizeof caption, "What each %s received and lost, worst loss first", what);

    if (shown < all)
        snprintf(caption + at, sizeof caption - (size_t)at, "; %zu of %zu", shown, all);
    for (size_t i = 0; i < shown; i++) {
        struct json_object *row = json_object_array_get_idx(rows, i);

        put_words(row);
        json_object_object_add(row, "silent", json_object_new_boolean(!in(row, "smallest_buffer")));
    }
    put_string_in(table, "title", title);
    put_string_in(table, "what", what);
    put_string_in(table, "caption", caption);
    json_object_object_add(table, "rows", rows);
    json_object_array_add(tables, table);
}

static void put_tables(struct json_object *data)
{
    struct json_object *tables = json_object_new_array();

    put_table(tables, in(data, "sockets"), "Sockets", "socket", put_socket_words);
    put_table(tables, in(data, "callers"), "Callers", "caller", put_caller_words);
    json_object_object_add(data, "tables", tables);
}

void write_html(const struct summary *summary, const struct reader *reader, FILE *out)
{
    struct json_object *data = report_data(summary, reader);
    char span[32];

    draw_duration(span, sizeof span, (double)(summary->last - summary->first) / 1e9);
    put_string_in(data, "span", span);
    json_object_object_add(data, "files", first_of(in(data, "files"), LISTED_FILES));
    json_object_object_add(data, "time", draw_time(summary));
    put_cards(data, summary);
    put_tables(data);
    template_write(report_html, data, out);
    json_object_put(data);
}

/* --- two files --------------------------------------------------------------------------- */

/* Whether more or less of it is good or bad is known of these only. */
static void put_classes(struct json_object *rows)
{
    for (size_t i = 0; i < json_object_array_length(rows); i++) {
        struct json_object *row = json_object_array_get_idx(rows, i);
        int64_t before = json_object_get_int64(in(row, "before"));
        int64_t after = json_object_get_int64(in(row, "after"));

        if (before != after &&
            (strstr(text_in(row, "name"), "_lost") || strstr(text_in(row, "name"), "_dropped")))
            put_string_in(row, "class", after > before ? "bad" : "good");
    }
}

static void put_changes(struct json_object *tables, const char *title, struct json_object *rows)
{
    struct json_object *table = json_object_new_object();
    char caption[TEXT_MAX];

    snprintf(caption, sizeof caption, "Before and after: %s", title);
    put_classes(rows);
    put_string_in(table, "title", title);
    put_string_in(table, "caption", caption);
    json_object_object_add(table, "rows", json_object_get(rows));
    json_object_array_add(tables, table);
}

void write_html_diff(struct summary *const summary[2], const char *const path[2], FILE *out)
{
    struct json_object *data = report_diff_data(summary, path);
    struct json_object *tables = json_object_new_array(), *sockets = in(data, "sockets");

    put_changes(tables, "all sockets", in(data, "total"));
    for (size_t i = 0; i < json_object_array_length(sockets) && i < TABLE_ROWS; i++) {
        struct json_object *socket = json_object_array_get_idx(sockets, i);
        const char *address = text_in(socket, "address");
        char title[TEXT_MAX];

        snprintf(title, sizeof title, "%s, %s", text_in(socket, "program"),
                 *address ? address : NO_NAME);
        put_changes(tables, title, in(socket, "changes"));
    }
    json_object_object_add(data, "changes", tables);
    template_write(report_html, data, out);
    json_object_put(data);
}
