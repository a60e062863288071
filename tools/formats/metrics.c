/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "formats/metrics.h"

#include "util/complain.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whose value it is of each socket. */
enum { SUM, SMALLEST_BUFFER, NEEDED_BUFFER };

#define IN_SUMS(field) SUM, offsetof(struct sums, field)

static const struct metric {
    const char *name, *unit, *help;
    int kind;
    size_t at; /* of a sum */
} metrics[] = {
    {"wsrx_lost_bytes", "bytes", "Bytes of messages that no receive got", IN_SUMS(lost)},
    {"wsrx_lost_messages", "", "Messages that lost bytes", IN_SUMS(lost_messages)},
    {"wsrx_dropped_messages", "", "Messages that the kernel dropped before a receive",
     IN_SUMS(dropped)},
    {"wsrx_saved_bytes", "bytes", "Bytes that would have been lost without libwsrx",
     IN_SUMS(saved)},
    {"wsrx_received_bytes", "bytes", "Bytes that receives got", IN_SUMS(bytes)},
    {"wsrx_messages", "", "Messages received to their end", IN_SUMS(messages)},
    {"wsrx_receives", "", "Calls of a receive function", IN_SUMS(receives)},
    {"wsrx_receive_errors", "", "Receives that failed", IN_SUMS(errors)},
    {"wsrx_smallest_buffer_bytes", "bytes", "The smallest buffer that got a message",
     SMALLEST_BUFFER, 0},
    {"wsrx_needed_buffer_bytes", "bytes", "The longest message", NEEDED_BUFFER, 0},
};

/* As the format wants it in quotes. */
static void put_label(FILE *out, const char *name, const char *value)
{
    fprintf(out, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            fputc('\\', out);
        if (*value == '\n')
            fputs("\\n", out);
        else
            fputc(*value, out);
    }
    fputc('"', out);
}

static void put_sample(FILE *out, const struct metric *metric, const struct summary_socket *socket)
{
    uint64_t value = metric->kind == SUM
                         ? *(const uint64_t *)((const char *)&socket->sums + metric->at)
                     : metric->kind == SMALLEST_BUFFER ? socket->least_room
                                                       : socket->longest;
    char number[24];

    if (metric->kind != SUM && socket->least_room == UINT64_MAX)
        return; /* there was no message */
    fprintf(out, "%s%s{", metric->name, metric->kind == SUM ? "_total" : "");
    put_label(out, "program", socket->program);
    snprintf(number, sizeof number, "%u", socket->pid);
    put_label(out, ",pid", number);
    snprintf(number, sizeof number, "%d", socket->fd);
    put_label(out, ",fd", number);
    /* A number may be used again: the cookie may not. */
    snprintf(number, sizeof number, "%" PRIu64, socket->cookie);
    put_label(out, ",socket", number);
    put_label(out, ",address", socket->address);
    fprintf(out, "} %" PRIu64 "\n", value);
}

void metrics_write(const struct summary *summary, FILE *out)
{
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
        const struct metric *metric = &metrics[i];

        fprintf(out, "# TYPE %s %s\n", metric->name, metric->kind == SUM ? "counter" : "gauge");
        if (*metric->unit)
            fprintf(out, "# UNIT %s %s\n", metric->name, metric->unit);
        fprintf(out, "# HELP %s %s.\n", metric->name, metric->help);
        for (size_t n = 0; n < summary->sockets; n++)
            put_sample(out, metric, summary->socket[n]);
    }
    fputs("# EOF\n", out);
}

bool metrics_replace(const struct summary *summary, const char *path)
{
    char beside[PATH_MAX];
    FILE *out;
    bool good;

    if (strcmp(path, "-") == 0) {
        metrics_write(summary, stdout);
        return is_written(stdout, NULL);
    }
    /* The collector reads only files that end with .prom. */
    if (snprintf(beside, sizeof beside, "%s.%d.new", path, (int)getpid()) >= (int)sizeof beside) {
        complain("%s: %s", path, strerror(ENAMETOOLONG));
        return false;
    }
    out = fopen(beside, "we");
    if (!out) {
        complain("%s: %s", path, strerror(errno));
        return false;
    }
    metrics_write(summary, out);
    good = fflush(out) == 0 && !ferror(out);
    if (fclose(out) != 0 || !good || rename(beside, path) != 0) {
        complain("%s: %s", path, errno ? strerror(errno) : "not all of it could be written");
        unlink(beside);
        return false;
    }
    return true;
}
