/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "commands/top_view.h"

#include "formats/metrics.h"
#include "observe/observed.h"
#include "util/memory.h"
#include "util/number.h"
#include "util/printable.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *const top_keys[] = {"rate", "bytes", "lost", "needed", "pid", NULL};

/* --- the rows ---------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
    return memcmp(&((const struct top_row *)a)->key, &((const struct top_row *)b)->key,
                  sizeof(struct observe_key));
}

static double weight(const struct top_row *row, const char *sort)
{
    if (strcmp(sort, "bytes") == 0)
        return row->bytes;
    if (strcmp(sort, "lost") == 0)
        return (double)row->sums.lost;
    if (strcmp(sort, "needed") == 0)
        return row->sums.longest;
    if (strcmp(sort, "pid") == 0)
        return -(double)row->key.pid;
    return row->messages;
}

/* What is equal: who has lost most in all, and then any order that stays. */
static int by_weight(const void *left, const void *right, void *sort)
{
    const struct top_row *a = left, *b = right;
    double first = weight(a, sort), second = weight(b, sort);

    if (first == second) {
        first = (double)a->sums.lost;
        second = (double)b->sums.lost;
    }
    return first != second ? (first < second ? 1 : -1) : by_key(a, b);
}

static void take(const struct observe_key *key, const struct observe_sums *sums, void *context)
{
    struct top_rows *to = context;

    if (to->count == to->room) {
        to->room = to->room ? 2 * to->room : 64;
        to->row = need(realloc(to->row, to->room * sizeof *to->row));
    }
    to->row[to->count++] = (struct top_row){.key = *key, .sums = *sums};
}

static void add_sums(struct observe_sums *to, const struct observe_sums *from)
{
    to->messages += from->messages;
    to->bytes += from->bytes;
    to->lost_messages += from->lost_messages;
    to->lost += from->lost;
    to->told += from->told;
    to->calls |= from->calls;
    if (from->longest > to->longest)
        to->longest = from->longest;
    if (from->least_room < to->least_room)
        to->least_room = from->least_room;
    if (from->last > to->last)
        to->last = from->last;
}

/* The row of the same socket, or NULL. */
static struct top_row *other_row(const struct top_rows *rows, const struct top_row *row)
{
    for (size_t i = 0; i < rows->count; i++) {
        struct top_row *one = &rows->row[i];

        if (one != row && one->key.pid == row->key.pid && one->key.cookie &&
            (row->key.cookie ? one->key.cookie == row->key.cookie
                             : one->sums.fd == row->sums.fd && one->sums.family == AF_UNIX))
            return one;
    }
    return NULL;
}

/* What it was in the last round, so that a counter stays the same when its process ends; or now. */
static uint64_t cookie_of(const struct top_row *row, const struct top_rows *last,
                          struct observer *observer)
{
    for (size_t i = 0; i < last->names; i++)
        if (last->name[i].pid == row->key.pid && last->name[i].fd == row->sums.fd)
            return last->name[i].cookie;
    return observer_cookie(observer, row->key.pid, row->sums.fd);
}

static void keep_name(struct top_rows *rows, const struct top_row *row)
{
    rows->name = need(realloc(rows->name, (rows->names + 1) * sizeof *rows->name));
    rows->name[rows->names++] = (struct top_name){row->key.pid, row->sums.fd, row->key.cookie};
}

/* The first losses of a socket that had no cookie then are in a row of their own. */
static void join_nameless(struct top_rows *rows, const struct top_rows *last,
                          struct observer *observer)
{
    rows->names = 0;
    for (size_t i = 0; i < rows->count; i++) {
        struct top_row *row = &rows->row[i], *other;

        if (row->key.cookie)
            continue;
        row->key.cookie = cookie_of(row, last, observer);
        if (row->key.cookie)
            keep_name(rows, row);
        row->key.fd = row->key.cookie ? 0 : row->key.fd;
        other = other_row(rows, row);
        if (other) {
            add_sums(&other->sums, &row->sums);
            *row = rows->row[--rows->count];
            i--;
        }
    }
}

void top_collect(struct top_rows *to, struct top_rows *last, struct observer *observer,
                 double seconds, const char *sort)
{
    to->count = 0;
    observer_sums(observer, take, to);
    join_nameless(to, last, observer);
    if (last->count > 0)
        qsort(last->row, last->count, sizeof *last->row, by_key);
    for (size_t i = 0; i < to->count; i++) {
        struct top_row *row = &to->row[i];
        const struct top_row *before =
            last->count ? bsearch(row, last->row, last->count, sizeof *row, by_key) : NULL;
        uint64_t messages = before ? before->sums.lost_messages : 0;
        uint64_t bytes = before ? before->sums.lost : 0;

        row->messages = (double)(row->sums.lost_messages - messages) / seconds;
        row->bytes = (double)(row->sums.lost - bytes) / seconds;
    }
    if (to->count > 0)
        qsort_r(to->row, to->count, sizeof *to->row, by_weight, (void *)sort);
}

/* --- words ------------------------------------------------------------------------------- */

/* The calls that lost bytes, with commas. */
static void put_calls(char *to, size_t size, unsigned calls)
{
    size_t length = 0;

    to[0] = '\0';
    for (unsigned call = 0; call < 32 && length < size; call++)
        if (calls & 1u << call)
            length += (size_t)snprintf(to + length, size - length, "%s%s", length ? "," : "",
                                       record_call_name(observed_call(call)));
}

/* Whether the program could know: recvmsg tells it by MSG_TRUNC. */
static const char *told(const struct observe_sums *sums)
{
    if (sums->calls == 1u << OBSERVE_IO_URING || sums->calls == 1u << OBSERVE_UNKNOWN)
        return "?";
    return sums->told == 0 ? "no" : sums->told == sums->lost_messages ? "yes" : "partly";
}

static void put_socket(char *to, const struct observe_sums *sums)
{
    const struct sockaddr *local = (const struct sockaddr *)sums->local.bytes;

    if (record_address(local, sums->local.length, to) == 0)
        strcpy(to, RECORD_NO_NAME);
}

static const char *protocol(const struct observe_sums *sums)
{
    return sums->family == AF_UNIX ? "unix" : sums->family == AF_VSOCK ? "vsock" : "udp";
}

/* --- text -------------------------------------------------------------------------------- */

/* "12", or "0.4". */
static void put_rate(char *to, size_t size, double rate)
{
    snprintf(to, size, rate < 9.95 && rate > 0 ? "%.1f" : "%.0f", rate);
}

/* A line, as far as it has room. */
static void put_line(const struct top_format *format, const char *line, FILE *out)
{
    fprintf(out, "%.*s\n", format->columns ? format->columns : (int)strlen(line), line);
}

static void print_row(const struct top_row *row, const struct top_format *format, FILE *out)
{
    const struct observe_sums *sums = &row->sums;
    char socket[RECORD_ADDRESS_MAX], calls[96], messages[32], bytes[32], fd[16], line[512];
    char lost[GROUPED_MAX], *name = printable(sums->comm);
    int length;

    put_socket(socket, sums);
    put_calls(calls, sizeof calls, sums->calls);
    put_rate(messages, sizeof messages, row->messages);
    put_rate(bytes, sizeof bytes, row->bytes);
    snprintf(fd, sizeof fd, sums->fd < 0 ? "-" : "%d", sums->fd);
    length = snprintf(line, sizeof line, "%7u %-15s %4s %8s %10s %9llu %14s ", row->key.pid, name,
                      fd, messages, bytes, (unsigned long long)sums->lost_messages,
                      grouped(sums->lost, lost));
    if (format->all)
        length += snprintf(line + length, sizeof line - (size_t)length, "%9llu ",
                           (unsigned long long)sums->messages);
    if (sums->lost_messages > 0)
        length += snprintf(line + length, sizeof line - (size_t)length, "%6u %6u %-6s ",
                           sums->least_room, sums->longest, told(sums));
    else
        length +=
            snprintf(line + length, sizeof line - (size_t)length, "%6s %6s %-6s ", "-", "-", "-");
    snprintf(line + length, sizeof line - (size_t)length, "%s %s %s", protocol(sums), socket,
             calls);
    put_line(format, line, out);
    free(name);
}

void top_print(const struct top_rows *rows, const struct top_format *format, FILE *out)
{
    char line[256];
    double messages = 0, bytes = 0;
    char at[16] = "";
    time_t now = time(NULL);
    struct tm local;
    int left = format->lines - 3;

    for (size_t i = 0; i < rows->count; i++) {
        messages += rows->row[i].messages;
        bytes += rows->row[i].bytes;
    }
    if (localtime_r(&now, &local))
        strftime(at, sizeof at, "%H:%M:%S", &local);
    snprintf(line, sizeof line, "wsrx top %s: %.1f messages lost a second, %.0f bytes; %s by %s",
             at, messages, bytes, format->watched, format->sort);
    put_line(format, line, out);
    snprintf(line, sizeof line,
             "    PID PROGRAM           FD   LOST/S    BYTES/S      LOST          BYTES %s"
             "BUFFER NEEDED TOLD   SOCKET AND CALLS",
             format->all ? " MESSAGES " : "");
    put_line(format, line, out);
    for (size_t i = 0; i < rows->count && (format->lines == 0 || left-- > 0); i++)
        print_row(&rows->row[i], format, out);
}

/* --- JSON -------------------------------------------------------------------------------- */

static void add_number(struct json_object *to, const char *key, uint64_t number)
{
    json_object_object_add(to, key, json_object_new_uint64(number));
}

static void add_text(struct json_object *to, const char *key, const char *text)
{
    char *shown = printable(text);

    json_object_object_add(to, key, json_object_new_string(shown));
    free(shown);
}

static struct json_object *calls_json(unsigned calls)
{
    struct json_object *names = json_object_new_array();

    for (unsigned call = 0; call < 32; call++)
        if (calls & 1u << call)
            json_object_array_add(names,
                                  json_object_new_string(record_call_name(observed_call(call))));
    return names;
}

static struct json_object *row_json(const struct top_row *row)
{
    const struct observe_sums *sums = &row->sums;
    struct json_object *to = json_object_new_object();
    char text[RECORD_ADDRESS_MAX];

    add_text(to, "program", sums->comm);
    add_number(to, "pid", row->key.pid);
    json_object_object_add(to, "fd", json_object_new_int(sums->fd));
    add_number(to, "socket", row->key.cookie);
    add_text(to, "protocol", protocol(sums));
    put_socket(text, sums);
    add_text(to, "address", text);
    json_object_object_add(to, "calls", calls_json(sums->calls));
    json_object_object_add(to, "messages_lost_per_second", json_object_new_double(row->messages));
    json_object_object_add(to, "bytes_lost_per_second", json_object_new_double(row->bytes));
    add_number(to, "messages_lost", sums->lost_messages);
    add_number(to, "bytes_lost", sums->lost);
    add_number(to, "messages_told", sums->told);
    add_number(to, "messages", sums->messages);
    if (sums->lost_messages > 0) {
        add_number(to, "smallest_buffer", sums->least_room);
        add_number(to, "needed", sums->longest);
    }
    add_number(to, "netns", sums->netns);
    add_number(to, "cgroup", sums->cgroup);
    return to;
}

void top_print_json(const struct top_rows *rows, double seconds, FILE *out)
{
    struct json_object *to = json_object_new_object(), *list = json_object_new_array();

    add_number(to, "time", (uint64_t)time(NULL));
    json_object_object_add(to, "seconds", json_object_new_double(seconds));
    for (size_t i = 0; i < rows->count; i++)
        json_object_array_add(list, row_json(&rows->row[i]));
    json_object_object_add(to, "sockets", list);
    fprintf(out, "%s\n", json_object_to_json_string_ext(to, JSON_C_TO_STRING_PLAIN));
    json_object_put(to);
}

/* --- metrics ----------------------------------------------------------------------------- */

static void fill_socket(struct summary_socket *to, const struct top_row *row)
{
    const struct observe_sums *sums = &row->sums;

    memset(to, 0, sizeof *to);
    to->pid = row->key.pid;
    to->cookie = row->key.cookie;
    to->fd = sums->fd;
    snprintf(to->program, sizeof to->program, "%s", sums->comm);
    put_socket(to->address, sums);
    to->sums.receives = to->sums.messages = sums->messages;
    to->sums.bytes = sums->bytes;
    to->sums.lost = sums->lost;
    to->sums.lost_messages = sums->lost_messages;
    to->least_room = sums->lost_messages ? sums->least_room : UINT64_MAX;
    to->longest = sums->longest;
}

bool top_metrics(const struct top_rows *rows, const char *path)
{
    struct summary_socket *socket = need(calloc(rows->count + 1, sizeof *socket));
    struct summary_socket **list = need(calloc(rows->count + 1, sizeof *list));
    struct summary summary = {.socket = list, .sockets = rows->count};
    bool written;

    for (size_t i = 0; i < rows->count; i++) {
        fill_socket(&socket[i], &rows->row[i]);
        list[i] = &socket[i];
    }
    written = metrics_replace(&summary, path);
    free(list);
    free(socket);
    return written;
}

void top_free(struct top_rows *rows)
{
    free(rows->row);
    free(rows->name);
}
