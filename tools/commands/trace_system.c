/* SPDX-License-Identifier: MIT
 *
 * wsrx trace --system: what any process loses, as the library's records.
 */
#define _GNU_SOURCE
#include "commands/live_view.h"
#include "commands/system.h"

#include "observe/observed.h"
#include "observe/ring_output.h"
#include "program/setting_options.h"
#include "util/complain.h"
#include "util/exit_code.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE = 200 }; /* milliseconds */

static struct {
    enum { TEXT, JSONL, RING } to;
    const char *directory; /* of rings */
    FILE *out;
    long east;
    bool colour;
    struct trace_filter filter;
    struct format_cache lines;
    struct observed_table processes;
    char line[FORMAT_LINE_MAX(0)];
} trace;

static void write_start(struct observed *process, const struct record *record)
{
    const struct format_start start = {.time = record->time,
                                       .pid = process->pid,
                                       .parent = process->parent,
                                       .program = &process->about,
                                       .library = WSRX_VERSION};

    fwrite(trace.line, 1, format_jsonl_start(&start, trace.line), trace.out);
    process->told = true;
}

/* The modules that have come since the last record. */
static void write_modules(struct observed *process)
{
    for (; process->modules_told < process->modules.count; process->modules_told++)
        fwrite(trace.line, 1,
               format_jsonl_module(&process->modules.module[process->modules_told], process->pid,
                                   trace.line),
               trace.out);
}

static void write_line(struct observed *process, const struct record *record)
{
    size_t length;

    if (trace.to == JSONL && !process->told)
        write_start(process, record);
    observed_module_of(record); /* it may be new */
    if (trace.to == JSONL)
        write_modules(process);
    length = trace.to == JSONL ? format_jsonl(&trace.lines, record, trace.line)
                               : format_text(&trace.lines, record, trace.east, trace.line);
    if (trace.colour)
        fprintf(trace.out, "\033[31m%.*s\033[0m\n", (int)length - 1, trace.line);
    else
        fwrite(trace.line, 1, length, trace.out);
}

static void take(const struct observe_event *event, void *context)
{
    struct observed *process = observed_find(&trace.processes, event);
    struct record record;

    observed_record(process, event, &record);
    if (!record.cookie)
        record.cookie = observer_cookie(context, record.pid, record.fd);
    if (!record_filter_match(&trace.filter, &record)) {
        process->sequence--;
        return;
    }
    if (trace.to != RING) {
        write_line(process, &record);
        return;
    }
    record.time = event->time; /* a ring's times are those of CLOCK_MONOTONIC */
    ring_output_add(process, trace.directory, &record);
}

/* False: reported. */
static bool make_directory(const char *path)
{
    struct stat facts;

    if (!path) {
        complain("trace: --to ring needs a directory for the files: use -o DIRECTORY");
        return false;
    }
    if (mkdir(path, 0700) == 0 || (stat(path, &facts) == 0 && S_ISDIR(facts.st_mode)))
        return true;
    complain("%s: %s", path, strerror(errno));
    return false;
}

/* False: reported. */
static bool open_output(const struct system_trace_request *request)
{
    const char *to = request->to, *output = request->output;
    time_t now = time(NULL);
    struct tm local;

    trace.east = localtime_r(&now, &local) ? local.tm_gmtoff : 0;
    trace.to = !to || strcmp(to, "text") == 0 ? TEXT : strcmp(to, "jsonl") == 0 ? JSONL : RING;
    trace.processes.forget = ring_output_end;
    trace.lines.module_of = observed_module_of;
    if (trace.to == RING) {
        trace.directory = output;
        return make_directory(output);
    }
    if (!output && trace.to == JSONL)
        output = "-";
    trace.out = !output ? stderr : strcmp(output, "-") == 0 ? stdout : fopen(output, "we");
    if (!trace.out) {
        complain("%s: %s", output, strerror(errno));
        return false;
    }
    trace.colour = trace.to == TEXT && live_view_may_colour(trace.out);
    return true;
}

/* Until it is interrupted, its output fails, or the process has ended. */
static int watch(struct observer *observer, const struct observe_config *config, const char *name)
{
    bool ended = false, written = true;

    while (!ended) {
        ended = system_is_interrupted() || !written || system_has_ended(config->pid);
        observer_poll(observer, ended ? 0 : PATIENCE, take, observer);
        if (trace.out) {
            fflush(trace.out);
            written = is_written(trace.out, name);
        }
    }
    if (observer_lost(observer) > 0)
        complain("%llu losses are not shown: they came faster than they could be written",
                 (unsigned long long)observer_lost(observer));
    observed_free(&trace.processes);
    observer_end(observer);
    return written ? 0 : EXIT_OURS;
}

int system_trace(const struct system_trace_request *request)
{
    struct observe_config config = {.events = 1};
    struct observer *observer;
    int error;

    setting_filter(&trace.filter);
    if (request->pid && (error = system_process("trace", request->pid, &config.pid)))
        return error;
    if (!open_output(request))
        return EXIT_OURS;
    system_catch();
    observer = system_observe("trace", &config);
    if (!observer)
        return EXIT_OURS;
    return watch(observer, &config, request->output);
}
