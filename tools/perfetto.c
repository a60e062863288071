/* SPDX-License-Identifier: MIT
 *
 * The trace format that ui.perfetto.dev and chrome://tracing read: one JSON object with an array of
 * events. A receive is an instant of its thread; what a socket has lost and saved is a counter.
 */
#define _GNU_SOURCE
#include "formats.h"

#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

void put_json_string(FILE *out, const char *text)
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

/* A process or a socket that has been seen. */
struct seen {
    uint64_t pid, cookie;
    uint64_t lost, saved;
};

static int compare(const void *one, const void *other)
{
    const struct seen *a = one, *b = other;

    if (a->pid != b->pid)
        return a->pid < b->pid ? -1 : 1;
    return a->cookie < b->cookie ? -1 : a->cookie > b->cookie;
}

/* NULL: no memory. `*ret_new`: it was not there yet. */
static struct seen *see(void **tree, uint64_t pid, uint64_t cookie, bool *ret_new)
{
    struct seen key = {.pid = pid, .cookie = cookie}, *made, **node = tfind(&key, tree, compare);

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

int write_perfetto(struct reader *reader, FILE *out, struct progress *progress)
{
    const struct reader_file *file;
    struct record record;
    void *tree = NULL;
    bool first = true;

    fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", out);
    while (reader_next(reader, &record, &file)) {
        char local[RECORD_ADDRESS_MAX], peer[RECORD_ADDRESS_MAX];
        struct seen *process, *socket;
        bool new_process, new_socket;

        process = see(&tree, record.pid, 0, &new_process);
        socket = see(&tree, record.pid, record.cookie, &new_socket);
        if (!process || !socket)
            return -ENOMEM;
        if (new_process) {
            fprintf(out, "%s\n{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":%u,\"args\":{\"name\":",
                    first ? "" : ",", record.pid);
            put_json_string(out, file->program[0] ? file->program : file->path);
            fputs("}}", out);
            first = false;
        }
        record_address(record.local, record.local_length, local);
        record_address(record.peer, record.peer_length, peer);
        fprintf(out,
                ",\n{\"ph\":\"i\",\"s\":\"t\",\"cat\":\"%s\",\"name\":\"%s%s\",\"pid\":%u,"
                "\"tid\":%u,\"ts\":%" PRIu64 ".%03u,\"args\":{\"fd\":%d,\"local\":",
                record.lost > 0 ? "lost" : record.flags & RECORD_PARTIAL ? "partial" : "receive",
                record_call_name(record.call),
                record.lost > 0                       ? " LOST"
                : record.flags & RECORD_PARTIAL ? " partial"
                                                      : "",
                record.pid, record.tid, record.time / 1000, (unsigned)(record.time % 1000),
                record.fd);
        put_json_string(out, local);
        fputs(",\"peer\":", out);
        put_json_string(out, peer);
        fprintf(out,
                ",\"length\":%u,\"buffer\":%" PRIu64 ",\"bytes\":%u,\"offset\":%u,\"left\":%u,"
                "\"lost\":%u,\"errno\":%d,\"caller\":\"0x%" PRIx64 "\"}}",
                record.length, record.room, record.given, record.offset, record.left, record.lost,
                record.error, record.caller);
        if (record.lost > 0 || (record.offset > 0 && record.given > 0)) {
            socket->lost += record.lost;
            socket->saved += record.offset > 0 ? record.given : 0;
            fprintf(out, ",\n{\"ph\":\"C\",\"pid\":%u,\"ts\":%" PRIu64 ".%03u,\"name\":", record.pid,
                    record.time / 1000, (unsigned)(record.time % 1000));
            put_json_string(out, local[0] ? local : "socket without a name");
            fprintf(out, ",\"args\":{\"lost\":%" PRIu64 ",\"saved\":%" PRIu64 "}}", socket->lost,
                    socket->saved);
        }
        progress_step(progress);
    }
    fputs("\n]}\n", out);
    tdestroy(tree, free);
    return 0;
}
