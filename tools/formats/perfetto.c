/* SPDX-License-Identifier: MIT
 *
 * The trace format that ui.perfetto.dev and chrome://tracing read: one JSON object with an array of
 * events. A receive is an instant of its thread; a message that is received in parts is a slice of
 * its socket, from its first part to its last; what a socket has lost and saved is a counter. Times
 * are those since the first record.
 */
#define _GNU_SOURCE
#include "formats/formats.h"

#include "base/strbuf.h"
#include "formats/caller.h"
#include "formats/report_data.h"

#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

static void put_json_string(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < ' ' || c >= 127)
            fprintf(out, "\\u%04x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

/* What a socket's events have in common, and what it was made from. */
struct names {
    int32_t fd;
    socklen_t local_length, peer_length;
    unsigned char local[sizeof(struct sockaddr_storage)], peer[sizeof(struct sockaddr_storage)];
    size_t length; /* 0: none */
    char text[4 * RECORD_ADDRESS_MAX + 64];
};

/* A process, a thread or a socket that has been seen. */
struct seen {
    uint64_t pid, cookie;
    uint32_t tid;           /* of a thread; else 0 */
    bool open;              /* a message of it has begun, and not ended */
    uint32_t parts, length; /* of that message */
    uint64_t lost, saved;
    struct names names;
};

static int compare(const void *one, const void *other)
{
    const struct seen *a = one, *b = other;

    if (a->pid != b->pid)
        return a->pid < b->pid ? -1 : 1;
    if (a->tid != b->tid)
        return a->tid < b->tid ? -1 : 1;
    return a->cookie < b->cookie ? -1 : a->cookie > b->cookie;
}

/* NULL: no memory. `*ret_new`: it was not there yet. */
static struct seen *see(void **tree, struct seen key, bool *ret_new)
{
    struct seen *made, **node = tfind(&key, tree, compare);

    *ret_new = !node;
    if (node)
        return *node;
    made = calloc(1, sizeof *made);
    if (!made)
        return NULL;
    *made = key;
    if (!tsearch(made, tree, compare)) {
        free(made);
        return NULL;
    }
    return made;
}

/* --- events; every record comes here: no printf ------------------------------------------ */

static char *put_json(char *to, const char *text)
{
    *to++ = '"';
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            *to++ = '\\';
        *to++ = (char)c;
    }
    *to++ = '"';
    return to;
}

/* In microseconds. */
static char *put_time(char *to, uint64_t time)
{
    to = put_number(PUT(to, ",\"ts\":"), time / 1000);
    *to++ = '.';
    *to++ = (char)('0' + time % 1000 / 100);
    return put_digits(to, (uint32_t)(time % 100), 2);
}

static bool are_kept(const struct names *names, const struct record *record)
{
    return names->length > 0 && names->fd == record->fd &&
           names->local_length == record->local_length &&
           names->peer_length == record->peer_length &&
           memcmp(names->local, record->local, record->local_length) == 0 &&
           memcmp(names->peer, record->peer, record->peer_length) == 0;
}

static char *put_names(char *to, struct names *names, const struct record *record)
{
    char local[RECORD_ADDRESS_MAX], peer[RECORD_ADDRESS_MAX], *at = names->text;

    if (!are_kept(names, record)) {
        record_address(record->local, record->local_length, local);
        record_address(record->peer, record->peer_length, peer);
        at = put_signed(PUT(at, ",\"args\":{\"fd\":"), record->fd);
        at = put_json(PUT(at, ",\"local\":"), local);
        at = put_json(PUT(at, ",\"peer\":"), peer);
        at = PUT(at, ",\"length\":");
        names->length = (size_t)(at - names->text);
        names->fd = record->fd;
        /* A longer address is never found again. */
        names->local_length = names->peer_length = UINT32_MAX;
        if (record->local_length <= sizeof names->local &&
            record->peer_length <= sizeof names->peer) {
            names->local_length = record->local_length;
            names->peer_length = record->peer_length;
            memcpy(names->local, record->local, record->local_length);
            memcpy(names->peer, record->peer, record->peer_length);
        }
    }
    return put(to, names->text, names->length);
}

static size_t put_event(char *line, const struct record *record, struct names *names)
{
    char *at = line;
    const char *fate = record->lost > 0 ? "lost" : record->flags & RECORD_PARTIAL ? "partial" : "";

    at = PUT(at, ",\n{\"ph\":\"i\",\"s\":\"t\",\"cat\":\"");
    at = put_string(at, *fate ? fate : "receive");
    at = put_string(PUT(at, "\",\"name\":\""), record_call_name(record->call));
    if (*fate)
        at = put_string(PUT(at, " "), fate);
    at = put_number(PUT(at, "\",\"pid\":"), record->pid);
    at = put_number(PUT(at, ",\"tid\":"), record->tid);
    at = put_time(at, record->time);
    at = put_number(put_names(at, names, record), record->length);
    at = put_number(PUT(at, ",\"buffer\":"), record->room);
    at = put_number(PUT(at, ",\"bytes\":"), record->given);
    at = put_number(PUT(at, ",\"offset\":"), record->offset);
    at = put_number(PUT(at, ",\"left\":"), record->left);
    at = put_number(PUT(at, ",\"lost\":"), record->lost);
    at = put_signed(PUT(at, ",\"errno\":"), record->error);
    at = put_caller(PUT(at, ",\"caller\":\""), record, true);
    at = PUT(at, "\"}}");
    return (size_t)(at - line);
}

static size_t put_counter(char *line, const struct record *record, const struct seen *socket)
{
    char local[RECORD_ADDRESS_MAX], *at = line;

    record_address(record->local, record->local_length, local);
    at = put_number(PUT(at, ",\n{\"ph\":\"C\",\"pid\":"), record->pid);
    at = put_time(at, record->time);
    at = put_json(PUT(at, ",\"name\":"), local[0] ? local : NO_NAME);
    at = put_number(PUT(at, ",\"args\":{\"lost\":"), socket->lost);
    at = put_number(PUT(at, ",\"saved\":"), socket->saved);
    at = PUT(at, "}}");
    return (size_t)(at - line);
}

/* `phase`: 'b' where a message begins, 'e' where it ends. A socket has one at a time. */
static size_t put_message(char *line, const struct record *record, const struct seen *socket,
                          char phase)
{
    char *at = line;

    at = PUT(at, ",\n{\"ph\":\"");
    *at++ = phase;
    at = put_number(PUT(at, "\",\"cat\":\"message\",\"id\":"), record->cookie);
    at = put_number(PUT(at, ",\"name\":\"message of "), socket->length);
    at = put_number(PUT(at, " bytes\",\"pid\":"), record->pid);
    at = put_number(PUT(at, ",\"tid\":"), record->tid);
    at = put_time(at, record->time);
    at = put_signed(PUT(at, ",\"args\":{\"fd\":"), record->fd);
    at = put_number(PUT(at, ",\"parts\":"), socket->parts);
    at = put_number(PUT(at, ",\"lost\":"), record->lost);
    at = PUT(at, "}}");
    return (size_t)(at - line);
}

/* --- all of them ------------------------------------------------------------------------- */

struct all {
    FILE *out;
    void *tree;
    uint64_t start; /* time of the first record */
    bool any;       /* an event is written */
};

static void put_name(struct all *all, const char *what, const struct record *record,
                     const char *name)
{
    fprintf(all->out, "%s\n{\"ph\":\"M\",\"name\":\"%s\",\"pid\":%u,\"tid\":%u,\"args\":{\"name\":",
            all->any ? "," : "", what, record->pid, record->tid);
    put_json_string(all->out, name);
    fputs("}}", all->out);
    all->any = true;
}

/* False: no memory. */
static bool name_thread(struct all *all, const struct record *record,
                        const struct reader_file *file)
{
    const char *program = reader_program(file, record->pid);
    bool new_process, new_thread;
    char name[128];

    if (!see(&all->tree, (struct seen){.pid = record->pid}, &new_process) ||
        !see(&all->tree, (struct seen){.pid = record->pid, .tid = record->tid}, &new_thread))
        return false;
    if (new_process)
        put_name(all, "process_name", record, program[0] ? program : file->shown);
    if (new_thread) {
        snprintf(name, sizeof name, "%s %u", record->tid == record->pid ? "main thread" : "thread",
                 record->tid);
        put_name(all, "thread_name", record, name);
    }
    return true;
}

/* Begins and ends messages that have several parts. */
static void follow_message(struct all *all, struct seen *socket, const struct record *record)
{
    char line[512];

    if (!record_has_part(record))
        return;
    if (record->offset == 0 && (record->flags & RECORD_PARTIAL)) {
        socket->open = true;
        socket->parts = 1;
        socket->length = record->length;
        fwrite_unlocked(line, 1, put_message(line, record, socket, 'b'), all->out);
        return;
    }
    if (!socket->open)
        return;
    socket->parts += record_is_receive(record);
    if (record->flags & RECORD_PARTIAL)
        return;
    socket->open = false;
    fwrite_unlocked(line, 1, put_message(line, record, socket, 'e'), all->out);
}

static void put_record(struct all *all, struct seen *socket, const struct record *record)
{
    char line[4096];

    fwrite_unlocked(line, 1, put_event(line, record, &socket->names), all->out);
    follow_message(all, socket, record);
    if (record->lost == 0 && record_saved(record) == 0)
        return;
    socket->lost += record->lost;
    socket->saved += record_saved(record);
    fwrite_unlocked(line, 1, put_counter(line, record, socket), all->out);
}

int write_perfetto(struct reader *reader, FILE *out, struct progress *progress)
{
    struct all all = {.out = out};
    const struct reader_file *file;
    struct record record;
    struct seen *socket = NULL;
    uint32_t thread = 0;

    fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", out);
    while (reader_next(reader, &record, &file)) {
        bool new;

        all.start = all.start ? all.start : record.time;
        record.time = record.time > all.start ? record.time - all.start : 0;
        /* Mostly they are the same as before. */
        if ((!socket || thread != record.tid || socket->pid != record.pid) &&
            !name_thread(&all, &record, file))
            return -ENOMEM;
        if (!socket || socket->pid != record.pid || socket->cookie != record.cookie)
            socket =
                see(&all.tree, (struct seen){.pid = record.pid, .cookie = record.cookie}, &new);
        if (!socket)
            return -ENOMEM;
        thread = record.tid;
        put_record(&all, socket, &record);
        progress_step(progress);
    }
    fprintf(out,
            "\n],\n\"otherData\":{\"start\":\"%" PRIu64 ".%09" PRIu64
            " s after 1970-01-01 UTC\",\"wsrx\":\"" WSRX_VERSION "\"}}\n",
            all.start / 1000000000, all.start % 1000000000);
    tdestroy(all.tree, free);
    return 0;
}
