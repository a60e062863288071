/* SPDX-License-Identifier: MIT
 *
 * wsrx trace and wsrx stat: a program's records while it runs, line by line or summed up.
 *
 * The library writes rings into a directory of ours, one file a process; we read them as they grow.
 * So the program pays for a ring only, and nothing is lost when it is killed.
 */
#define _GNU_SOURCE
#include "commands/command.h"
#include "input/reader.h"
#include "program/run_directory.h"
#include "program/setting_options.h"
#include "program/spawn.h"
#include "trace/format.h"
#include "trace/stats.h"
#include "util/complain.h"
#include "util/exit_code.h"
#include "util/printable.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INTERVAL = 20 }; /* milliseconds between two looks */

struct watch {
    struct reader *reader;
    FILE *out;
    const char *name; /* of it, as it was given, or NULL */
    bool colour;
    bool counts;
    bool any; /* records */
    struct stats_table stats;
    char *line;
    size_t room;
    struct format_cache lines;
    struct trace_filter filter; /* of a ring that is there; else the library has heeded it */
};

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static bool is_known(const struct watch *watch, const char *path)
{
    for (size_t i = 0; i < reader_files(watch->reader); i++)
        if (strcmp(reader_file(watch->reader, i)->path, path) == 0)
            return true;
    return false;
}

/* A ring file is one as soon as its magic is there. */
static bool is_ready(const char *path)
{
    char magic[8] = "";
    FILE *file = fopen(path, "re");
    bool ready;

    if (!file)
        return false;
    ready =
        fread(magic, sizeof magic, 1, file) == 1 && memcmp(magic, RING_MAGIC, sizeof magic) == 0;
    fclose(file);
    return ready;
}

static void find_files(struct watch *watch, const char *directory)
{
    DIR *open = opendir(directory);
    struct dirent *entry;

    while (open && (entry = readdir(open))) {
        char path[PATH_MAX + 256];
        size_t length = strlen(entry->d_name);

        if (length < 5 || strcmp(entry->d_name + length - 5, ".ring") != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (!is_known(watch, path) && is_ready(path))
            reader_add(watch->reader, path);
    }
    if (open)
        closedir(open);
}

static void show(struct watch *watch, const struct record *record, const struct reader_file *file)
{
    const char *colour = NULL;
    size_t length;

    if (watch->room < FORMAT_LINE_MAX(record->data_length)) {
        watch->room = FORMAT_LINE_MAX(record->data_length);
        watch->line = realloc(watch->line, watch->room);
        if (!watch->line)
            exit(EXIT_OURS);
    }
    length = format_text(&watch->lines, record, file->east, watch->line);
    if (watch->colour)
        colour = record->lost > 0                 ? "\033[31m"
                 : record->flags & RECORD_PARTIAL ? "\033[33m"
                 : record->error                  ? "\033[2m"
                                                  : NULL;
    if (colour)
        fprintf(watch->out, "%s%.*s\033[0m\n", colour, (int)length - 1, watch->line);
    else
        fwrite(watch->line, 1, length, watch->out);
}

static void catch_up(struct watch *watch)
{
    const struct reader_file *file;
    struct record record;

    reader_refresh(watch->reader, UINT64_MAX);
    while (reader_next(watch->reader, &record, &file)) {
        if (!record_filter_match(&watch->filter, &record))
            continue;
        watch->any = true;
        if (watch->counts)
            stats_add(&watch->stats, &record);
        else if (!ferror(watch->out))
            show(watch, &record, file);
    }
    is_written(watch->out, watch->name);
}

static bool may_colour(FILE *out)
{
    const char *none = getenv("NO_COLOR"), *terminal = getenv("TERM");

    return (!none || !*none) && isatty(fileno(out)) && terminal && *terminal &&
           strcmp(terminal, "dumb") != 0;
}

/* Of a ring, whether its program is there to write to it. Another one may have got its number. */
static bool is_running(const struct reader_file *file)
{
    char boot[sizeof file->head.boot] = "";
    FILE *now = fopen("/proc/sys/kernel/random/boot_id", "re");

    if (now) {
        boot[fread(boot, 1, sizeof boot - 1, now)] = '\0';
        boot[strcspn(boot, "\n")] = '\0';
        fclose(now);
    }
    if (boot[0] && file->head.boot[0] && strncmp(boot, file->head.boot, strlen(boot)) != 0)
        return false;
    return !file->finished && (pid_t)file->pid > 0 &&
           (kill((pid_t)file->pid, 0) == 0 || errno != ESRCH);
}

/* A ring file of a program that runs already. */
static int follow(struct watch *watch)
{
    struct sigaction action = {.sa_handler = interrupt};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    for (;;) {
        bool ended = !is_running(reader_file(watch->reader, 0));

        catch_up(watch);
        if (ended || interrupted || ferror(watch->out))
            break;
        usleep(INTERVAL * 1000);
    }
    return 0;
}

/* A program of our own. Its exit status is ours. */
static int watch_program(struct watch *watch, const char **program)
{
    const char *directory = run_directory();
    char pattern[PATH_MAX + 16];
    int status;
    pid_t pid;

    if (!directory)
        return EXIT_OURS;
    snprintf(pattern, sizeof pattern, "%s/%%e.%%p.ring", directory);
    setenv("WSRX_TRACE", "ring", 1);
    setenv("WSRX_TRACE_FILE", pattern, 1);
    if (!setting_value(INDEX_WSRX_TRACE_SIZE))
        setenv("WSRX_TRACE_SIZE", "8M", 1);
    /* Who looks does not want to change what he sees. */
    if (!setting_value(INDEX_WSRX_MODE))
        setenv("WSRX_MODE", "observe", 1);
    pid = spawn(program, &status);
    if (pid < 0) {
        run_directory_remove();
        return status;
    }
    while (!spawn_ended(pid, INTERVAL, &status)) {
        find_files(watch, directory);
        catch_up(watch);
    }
    find_files(watch, directory);
    catch_up(watch);
    run_directory_remove();
    return -1 - status; /* a wait status, to be told from an exit code of ours */
}

/* `mode`: the one that the program ran in. */
static void print_stats(struct watch *watch, const char *program, const char *mode)
{
    static char text[64 << 10];
    char *shown = printable(program);
    size_t length = stats_text(&watch->stats, shown, (uint32_t)getpid(), mode, text, sizeof text);
    const char *start = strstr(text, "]: ");

    /* The line's head is the library's; here nobody needs a pid. */
    fprintf(watch->out, "wsrx: %.*s", (int)(text + length - start - 3), start + 3);
    free(shown);
}

static int watch_command(int argc, const char **argv, bool counts)
{
    static char *output, *ring;
    const struct poptOption trace_options[] = {
        {"output", 'o', POPT_ARG_STRING, &output, 0, "write there instead of to standard error",
         "FILE"},
        {"ring", 'p', POPT_ARG_STRING, &ring, 0, "show the ring file of a running program", "FILE"},
        {NULL, 0, POPT_ARG_INCLUDE_TABLE, (void *)setting_options(false), 0, "Settings:", NULL},
        POPT_TABLEEND,
    };
    poptContext context =
        command_options(counts ? &command_stat : &command_trace, argc, argv, trace_options,
                        "[OPTION...] [--] PROGRAM [ARGUMENT...]", true);
    /* calloc() does not align so far. */
    struct watch *watch = aligned_alloc(_Alignof(struct watch), sizeof *watch);
    const char **program, *mode;
    int result;

    if (!context || !watch)
        return EXIT_OURS;
    memset(watch, 0, sizeof *watch);
    program = poptGetArgs(context);
    if (!program == !ring) {
        complain("%s: %s", counts ? "stat" : "trace",
                 ring ? "-p FILE and PROGRAM cannot be combined" : "missing PROGRAM");
        return EXIT_OURS;
    }
    watch->counts = counts;
    watch->reader = reader_new();
    if (ring && setting_value(INDEX_WSRX_TRACE_FILTER) &&
        !record_filter_parse(&watch->filter, setting_value(INDEX_WSRX_TRACE_FILTER))) {
        char values[256];

        complain("%s: unknown filter \"%s\": expected %s", counts ? "stat" : "trace",
                 setting_value(INDEX_WSRX_TRACE_FILTER),
                 settings_values(INDEX_WSRX_TRACE_FILTER, values, sizeof values));
        return EXIT_OURS;
    }
    if (ring && !reader_add(watch->reader, ring))
        return EXIT_TROUBLE;
    watch->name = output;
    watch->out = output ? reader_output(watch->reader, output) : stderr;
    if (!watch->out)
        return EXIT_OURS;
    watch->colour = may_colour(watch->out);
    mode = setting_value(INDEX_WSRX_MODE);
    if (mode && strcmp(mode, "off") == 0)
        complain("warning: in mode off nothing is seen");
    result = ring ? follow(watch) : watch_program(watch, program);
    if (!ring && result < 0 && !watch->any)
        complain("no receive on a message socket was seen; wsrx doctor %s tells what can be seen "
                 "of it",
                 program[0]);
    else if (counts && (ring ? result == 0 : result < 0))
        print_stats(watch, ring ? reader_file(watch->reader, 0)->program : program[0],
                    ring   ? "unknown" /* no record tells */
                    : mode ? mode
                           : "observe");
    reader_report_missing(watch->reader);
    if (!is_written(watch->out, output) && result == 0)
        result = EXIT_OURS;
    reader_free(watch->reader);
    free(watch->line);
    free(watch);
    poptFreeContext(context);
    return result < 0 ? spawn_exit(-1 - result) : result;
}

static int trace(int argc, const char **argv)
{
    return watch_command(argc, argv, false);
}

static int stat_(int argc, const char **argv)
{
    return watch_command(argc, argv, true);
}

const struct command command_trace = {
    "trace", "run a program and show every receive, or follow a running program's ring file",
    trace};

const struct command command_stat = {
    "stat", "run a program and count what its sockets received and lost", stat_};
