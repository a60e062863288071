/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "formats/report_data.h"

#include "formats/conclusion.h"
#include "program/symbols.h"
#include "util/memory.h"
#include "util/number.h"
#include "util/printable.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void put_number_in(struct json_object *to, const char *name, uint64_t number)
{
    json_object_object_add(to, name, json_object_new_int64((int64_t)number));
}

void put_string_in(struct json_object *to, const char *name, const char *text)
{
    json_object_object_add(to, name, json_object_new_string(text));
}

/* UINT64_MAX is a buffer of which nothing is known. */
static void put_room(struct json_object *to, const char *name, uint64_t room)
{
    if (room != UINT64_MAX)
        put_number_in(to, name, room);
    else
        json_object_object_add(to, name, NULL);
}

static void put_sums(struct json_object *to, const struct sums *sums)
{
    put_number_in(to, "bytes_lost", sums->lost);
    put_number_in(to, "messages_lost", sums->lost_messages);
    put_number_in(to, "bytes_saved", sums->saved);
    put_number_in(to, "receives", sums->receives);
    put_number_in(to, "messages", sums->messages);
    put_number_in(to, "partial", sums->partial);
    put_number_in(to, "errors", sums->errors);
    put_number_in(to, "bytes", sums->bytes);
    put_number_in(to, "messages_dropped", sums->dropped);
}

static struct json_object *calls_of(unsigned calls)
{
    struct json_object *names = json_object_new_array();

    for (unsigned call = 1; call < RECORD_CALLS; call++)
        if (calls & 1u << call)
            json_object_array_add(names,
                                  json_object_new_string(record_call_name((enum record_call)call)));
    return names;
}

static struct json_object *socket_data(const struct summary_socket *socket)
{
    struct json_object *data = json_object_new_object();

    put_string_in(data, "program", socket->program);
    put_number_in(data, "pid", socket->pid);
    json_object_object_add(data, "fd", json_object_new_int(socket->fd));
    put_number_in(data, "socket", socket->cookie);
    put_string_in(data, "address", socket->address);
    json_object_object_add(data, "calls", calls_of(socket->calls));
    put_sums(data, &socket->sums);
    put_room(data, "smallest_buffer", socket->least_room);
    put_room(data, "needed", socket->least_room == UINT64_MAX ? UINT64_MAX : socket->longest);
    return data;
}

static struct json_object *caller_data(const struct summary_caller *caller)
{
    struct json_object *data = json_object_new_object();
    char address[24], place[SYMBOL_MAX];

    snprintf(address, sizeof address, "0x%llx", (unsigned long long)caller->address);
    put_string_in(data, "program", caller->program);
    put_number_in(data, "pid", caller->pid);
    put_string_in(data, "call", record_call_name(caller->call));
    put_string_in(data, "address", address);
    put_string_in(data, "place", symbol_at(&caller->module, caller->address, place));
    put_sums(data, &caller->sums);
    put_room(data, "smallest_buffer", caller->least_room);
    put_room(data, "needed", caller->least_room == UINT64_MAX ? UINT64_MAX : caller->longest);
    return data;
}

/* What is known of a process that wrote records; its words are another program's. */
static void put_about(struct json_object *to, const struct reader_file *file)
{
    const struct {
        const char *name, *text;
    } facts[] = {
        {"mode", file->about.mode},
        {"host", file->about.host},
        {"command", file->about.command},
        {"library", file->library},
    };

    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        char *shown = printable(facts[i].text);

        if (*shown)
            put_string_in(to, facts[i].name, shown);
        free(shown);
    }
}

static struct json_object *file_data(const struct reader_file *file)
{
    struct json_object *data = json_object_new_object();

    put_string_in(data, "path", file->shown);
    put_string_in(data, "program", file->program);
    put_number_in(data, "pid", file->pid);
    put_about(data, file);
    put_string_in(data, "state",
                  !file->at        ? "lines"
                  : file->finished ? "exited"
                                   : "was killed, has run another program, or still runs");
    put_number_in(data, "overwritten", file->overwritten);
    put_number_in(data, "dropped", file->dropped);
    put_number_in(data, "unfinished", file->unfinished);
    return data;
}

static void put_time_in(struct json_object *data, const char *name, uint64_t nanoseconds)
{
    time_t seconds = (time_t)(nanoseconds / 1000000000);
    struct tm parts;
    char text[64];

    if (gmtime_r(&seconds, &parts) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) > 0)
        put_string_in(data, name, text);
}

/* Who made the report, where and when. */
static struct json_object *new_report(void)
{
    struct json_object *data = need(json_object_new_object());
    char host[65] = "";

    put_number_in(data, "format", REPORT_FORMAT);
    put_string_in(data, "wsrx", WSRX_VERSION);
    if (gethostname(host, sizeof host - 1) == 0)
        put_string_in(data, "made_on", host);
    put_time_in(data, "made_at", (uint64_t)time(NULL) * 1000000000);
    return data;
}

struct json_object *report_data(const struct summary *summary, const struct reader *reader)
{
    struct json_object *data = new_report(), *total = json_object_new_object();
    struct json_object *files = json_object_new_array(), *sockets = json_object_new_array();
    struct json_object *callers = json_object_new_array();
    char text[CONCLUSION_MAX];

    put_string_in(data, "conclusion", conclusion(summary, reader, text));
    json_object_object_add(data, "at_least", json_object_new_boolean(summary->at_least));
    if (summary->last > 0)
        put_time_in(data, "start", summary->first);
    json_object_object_add(data, "seconds",
                           json_object_new_double((double)(summary->last - summary->first) / 1e9));
    for (size_t i = 0; i < reader_files(reader); i++)
        json_object_array_add(files, file_data(reader_file(reader, i)));
    json_object_object_add(data, "files", files);
    put_sums(total, &summary->total);
    json_object_object_add(data, "total", total);
    for (size_t i = 0; i < summary->sockets; i++)
        json_object_array_add(sockets, socket_data(summary->socket[i]));
    json_object_object_add(data, "sockets", sockets);
    for (size_t i = 0; i < summary->callers; i++)
        json_object_array_add(callers, caller_data(summary->caller[i]));
    json_object_object_add(data, "callers", callers);
    return data;
}

/* --- two files --------------------------------------------------------------------------- */

/* Two runs have other pids, cookies and perhaps ports; what stays is the program and the address.
 * Sockets that share these are one. */
struct pair {
    char program[64], address[RECORD_ADDRESS_MAX];
    struct sums sums[2];
};

static struct pair *pair_of(struct pair *pairs, size_t *count, const struct summary_socket *socket)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp(pairs[i].program, socket->program) == 0 &&
            strcmp(pairs[i].address, socket->address) == 0)
            return &pairs[i];
    snprintf(pairs[*count].program, sizeof pairs->program, "%s", socket->program);
    snprintf(pairs[*count].address, sizeof pairs->address, "%s", socket->address);
    return &pairs[(*count)++];
}

static void add_sums(struct sums *to, const struct sums *from)
{
    to->receives += from->receives;
    to->errors += from->errors;
    to->messages += from->messages;
    to->partial += from->partial;
    to->bytes += from->bytes;
    to->saved += from->saved;
    to->lost += from->lost;
    to->lost_messages += from->lost_messages;
    to->dropped += from->dropped;
}

/* "+1,234 (+10.0 %)". */
static void put_change_text(struct json_object *change, uint64_t before, uint64_t after)
{
    uint64_t difference = after >= before ? after - before : before - after;
    char text[GROUPED_MAX + 32], number[GROUPED_MAX];
    int length = snprintf(text, sizeof text, "%s%s", after >= before ? "+" : "-",
                          grouped(difference, number));

    if (before > 0)
        snprintf(text + length, sizeof text - (size_t)length, " (%+.1f %%)",
                 ((double)after - (double)before) * 100 / (double)before);
    put_string_in(change, "text", text);
}

static void put_change(struct json_object *changes, const char *name, const char *what,
                       uint64_t before, uint64_t after)
{
    struct json_object *change = json_object_new_object();

    put_string_in(change, "name", name);
    put_string_in(change, "what", what);
    put_number_in(change, "before", before);
    put_number_in(change, "after", after);
    put_change_text(change, before, after);
    json_object_array_add(changes, change);
}

static struct json_object *changes_of(const struct sums *before, const struct sums *after)
{
    struct json_object *changes = json_object_new_array();

    put_change(changes, "bytes_lost", "lost bytes", before->lost, after->lost);
    put_change(changes, "messages_lost", "lost messages", before->lost_messages,
               after->lost_messages);
    put_change(changes, "bytes_saved", "saved bytes", before->saved, after->saved);
    put_change(changes, "receives", "receives", before->receives, after->receives);
    put_change(changes, "messages", "messages", before->messages, after->messages);
    put_change(changes, "bytes", "bytes", before->bytes, after->bytes);
    put_change(changes, "messages_dropped", "dropped messages", before->dropped, after->dropped);
    put_change(changes, "errors", "errors", before->errors, after->errors);
    return changes;
}

struct json_object *report_diff_data(struct summary *const summary[2], const char *const path[2])
{
    struct json_object *data = new_report(), *sockets = json_object_new_array();
    struct pair *pairs = need(calloc(summary[0]->sockets + summary[1]->sockets + 1, sizeof *pairs));
    char text[CONCLUSION_MAX];
    size_t count = 0;

    for (int side = 0; side < 2; side++) {
        char *shown = printable(path[side]);

        put_string_in(data, side ? "after" : "before", shown);
        free(shown);
        for (size_t i = 0; i < summary[side]->sockets; i++)
            add_sums(&pair_of(pairs, &count, summary[side]->socket[i])->sums[side],
                     &summary[side]->socket[i]->sums);
    }
    put_string_in(data, "conclusion", difference(&summary[0]->total, &summary[1]->total, text));
    json_object_object_add(data, "total", changes_of(&summary[0]->total, &summary[1]->total));
    for (size_t i = 0; i < count; i++) {
        struct json_object *socket = json_object_new_object();

        put_string_in(socket, "program", pairs[i].program);
        put_string_in(socket, "address", pairs[i].address);
        json_object_object_add(socket, "changes", changes_of(&pairs[i].sums[0], &pairs[i].sums[1]));
        json_object_array_add(sockets, socket);
    }
    json_object_object_add(data, "sockets", sockets);
    free(pairs);
    return data;
}

void report_json(struct json_object *data, FILE *out)
{
    fprintf(out, "%s\n",
            json_object_to_json_string_ext(data, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                     JSON_C_TO_STRING_NOSLASHESCAPE));
}
