/* SPDX-License-Identifier: MIT
 *
 * wsrx trace and wsrx stat: a program's records while it runs, line by line or summed up.
 *
 * The library writes rings into a directory of ours, one file a process; we read them as they grow.
 * So the program pays for a ring only, and nothing is lost when it is killed.
 */
#define _GNU_SOURCE
#include "commands/command.h"
#include "commands/live_view.h"
#include "commands/stat_view.h"
#include "commands/system.h"
#include "input/process_ring.h"
#include "program/beside.h"
#include "program/forward.h"
#include "program/run_directory.h"
#include "program/setting_options.h"
#include "program/spawn.h"
#include "program/users.h"
#include "util/complain.h"
#include "util/exit_code.h"
#include "util/suggest.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INTERVAL = 20 }; /* milliseconds between two looks */

/* Whether the filter asks for errors: then EAGAIN is shown, too. */
static bool wants_errors(void)
{
    const char *filter = setting_value(INDEX_WSRX_TRACE_FILTER);
    struct trace_filter parsed;

    return filter && record_filter_parse(&parsed, filter) &&
           (parsed.wanted.states & RECORD_STATE_ERROR);
}

static void report_missing(const struct live_view *view)
{
    if (view->hidden > 0 && !ferror(view->out))
        complain("%llu receives that found no message (EAGAIN) are not shown; -e error shows them",
                 (unsigned long long)view->hidden);
    if (!view->counts || view->at_least)
        reader_report_missing(view->reader);
}

/* The end of a program of our own: a table, or that there is none. */
static void conclude(struct live_view *view, const char *const *program)
{
    const char *mode = setting_value(INDEX_WSRX_MODE);

    if (!view->any && !(view->counts && view->json))
        complain("no receive on a message socket was seen; wsrx doctor %s tells what can be seen "
                 "of it",
                 program[0]);
    else if (view->counts)
        stat_print(view, program[0], program, mode ? mode : "observe");
    report_missing(view);
}

/* --- a ring of a running program --------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    (void)number;
    interrupted = 1;
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

static int follow(struct live_view *view)
{
    struct sigaction action = {.sa_handler = interrupt};
    bool ended;

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    do {
        ended = !is_running(reader_file(view->reader, 0)) || interrupted || ferror(view->out);
        live_view_catch_up(view, ended);
        stat_metrics(view, ended);
        if (!ended)
            poll(NULL, 0, INTERVAL);
    } while (!ended);
    if (view->counts) {
        const struct reader_file *file = reader_file(view->reader, 0);

        stat_print(view, file->program, NULL, file->about.mode[0] ? file->about.mode : "unknown");
    }
    report_missing(view);
    return 0;
}

/* `from`: a pid, or the path of a ring file. */
static int follow_running(struct live_view *view, const char *from, const char *output)
{
    const char *filter = setting_value(INDEX_WSRX_TRACE_FILTER);
    char path[PATH_MAX], values[256];

    if (filter && !record_filter_parse(&view->filter, filter)) {
        complain("unknown filter \"%s\": expected %s", filter,
                 settings_values(INDEX_WSRX_TRACE_FILTER, values, sizeof values));
        return EXIT_OURS;
    }
    if (from[strspn(from, "0123456789")] == '\0') {
        if (!process_ring_find((pid_t)strtol(from, NULL, 10), path))
            return EXIT_TROUBLE;
        from = path;
    }
    if (!reader_add(view->reader, from))
        return EXIT_TROUBLE;
    if (!live_view_open(view, output))
        return EXIT_OURS;
    return follow(view);
}

/* --- a program of our own ---------------------------------------------------------------- */

struct live_run {
    struct live_view *view;
    const char *directory;
    const char **program;
};

static void set_environment(const char *directory)
{
    char pattern[PATH_MAX + 16];

    snprintf(pattern, sizeof pattern, "%s/%%e.%%p.ring", directory);
    setenv("WSRX_TRACE", "ring", 1);
    setenv("WSRX_TRACE_FILE", pattern, 1);
    if (!setting_value(INDEX_WSRX_TRACE_SIZE))
        setenv("WSRX_TRACE_SIZE", "8M", 1);
    /* Whoever watches does not want to change what he sees. */
    if (!setting_value(INDEX_WSRX_MODE))
        setenv("WSRX_MODE", "observe", 1);
}

static void look(const struct live_run *run, bool last)
{
    live_view_find(run->view, run->directory);
    live_view_catch_up(run->view, last);
    stat_metrics(run->view, last);
}

static void remove_directory(int pidfd, void *directory)
{
    beside_wait(pidfd);
    users_wait(directory);
    run_directory_remove();
}

/* One of the processes that the program has left behind, or 0. */
static pid_t left_behind(const struct live_run *run)
{
    pid_t pid = 0;
    int pidfd = users_find(run->directory, &pid);

    if (pidfd < 0)
        return 0;
    close(pidfd);
    return pid;
}

/* The program has ended, but has left processes behind: a daemon, mostly. They are watched to their
 * end, or until the terminal interrupts that. False: then some are left. */
static bool watch_left(const struct live_run *run)
{
    enum { SETTLE = 5 }; /* looks until a daemon has forked as often as it does */
    bool left = spawn_left(0);
    pid_t pid;

    forward_to(0);
    for (int i = 0; i < SETTLE && left; i++) {
        look(run, false);
        left = spawn_left(INTERVAL);
    }
    if (!left || (pid = left_behind(run)) == 0)
        return true;
    complain("%s has ended; process %d, which it has started, still runs and is watched "
             "(^C ends only that)",
             run->program[0], pid);
    while ((left = spawn_left(INTERVAL)) && !forward_interrupted()) {
        int number = forward_noted();

        if (number && (pid = left_behind(run)) > 0)
            kill(pid, number);
        look(run, false);
    }
    if (!left || (pid = left_behind(run)) == 0)
        return true;
    complain("process %d still runs: wsrx %s -p %d goes on", pid,
             run->view->counts ? "stat" : "trace", pid);
    return false;
}

/* As its parent. Its exit status is ours. */
static int watch_child(struct live_run *run)
{
    int status;
    pid_t pid = spawn(run->program, &status);

    if (pid < 0) {
        run_directory_remove();
        return status;
    }
    while (!spawn_ended(pid, INTERVAL, &status))
        look(run, false);
    if (watch_left(run) || !beside_start(remove_directory, (void *)run->directory, false)) {
        look(run, true);
        run_directory_remove();
    } else {
        look(run, true);
    }
    conclude(run->view, run->program);
    if (!is_written(run->view->out, run->view->name) && status == 0)
        return EXIT_OURS;
    return spawn_exit(status);
}

static void watch_from_beside(int pidfd, void *context)
{
    struct live_run *run = context;
    struct pollfd wait = {.fd = pidfd, .events = POLLIN};
    pid_t pid;

    while (pidfd >= 0) {
        while (poll(&wait, 1, INTERVAL) <= 0)
            look(run, false);
        close(pidfd);
        pidfd = wait.fd = users_find(run->directory, &pid);
    }
    look(run, true);
    run_directory_remove();
    conclude(run->view, run->program);
    is_written(run->view->out, run->view->name);
}

/* Whether a service manager counts on the pid: sd_notify(3), sd_listen_fds(3). */
static bool is_service(void)
{
    const char *listen = getenv("LISTEN_PID");

    return getenv("NOTIFY_SOCKET") || (listen && strtol(listen, NULL, 10) == getpid());
}

static int watch_program(struct live_view *view, const char **program, const char *output)
{
    struct live_run run = {.view = view, .program = program};
    const char *mode = setting_value(INDEX_WSRX_MODE);

    if (!live_view_open(view, output))
        return EXIT_OURS;
    if (mode && strcmp(mode, "off") == 0)
        complain("warning: in mode off nothing is seen");
    run.directory = run_directory();
    if (!run.directory)
        return EXIT_OURS;
    users_begin();
    set_environment(run.directory);
    if (is_service() && beside_is_possible() && beside_start(watch_from_beside, &run, true))
        return spawn_become(program);
    return watch_child(&run);
}

/* --- the commands ------------------------------------------------------------------------ */

/* What the options of both commands are put into. */
static struct {
    char *output, *running; /* where to write; whose ring to follow */
    char *to;               /* trace: the format */
    char *metrics;          /* stat: their file */
    int json, every;
    int system; /* trace: all processes, by the kernel */
} asked;

static const struct poptOption trace_options[] = {
    {"to", 0, POPT_ARG_STRING, &asked.to, 0,
     "text, or jsonl, which goes to standard output unless -o is given; with --system also ring",
     "FORMAT"},
    {"system", 0, POPT_ARG_NONE, &asked.system, 0,
     "show what any process loses, by the kernel; with -p, what that one loses", NULL},
    POPT_TABLEEND,
};

static const struct poptOption stat_options[] = {
    {"json", 0, POPT_ARG_NONE, &asked.json, 0, "print one JSON object instead of the table", NULL},
    {"metrics", 0, POPT_ARG_STRING, &asked.metrics, 0, "write OpenMetrics there, for node_exporter",
     "FILE"},
    {"every", 0, POPT_ARG_INT, &asked.every, 0,
     "how often --metrics is written while the program runs (default 15)", "SECONDS"},
    POPT_TABLEEND,
};

/* False: reported. */
static bool set_up(struct live_view *view, const struct command *command)
{
    static const char *const formats[] = {"text", "jsonl", NULL};

    if (asked.to && strcmp(asked.to, "text") != 0 && strcmp(asked.to, "jsonl") != 0 &&
        !(asked.system && strcmp(asked.to, "ring") == 0)) {
        const char *near = suggest_word(asked.to, formats);

        complain("%s: unknown format \"%s\": expected text%s jsonl%s%s%s%s", command->name,
                 asked.to, asked.system ? "," : " or", asked.system ? " or ring" : "",
                 near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
        return false;
    }
    if (asked.every < 1 || (asked.every != METRICS_EVERY && !asked.metrics)) {
        complain("%s: --every: %s", command->name,
                 asked.metrics ? "expected a number of seconds from 1"
                               : "has no effect without "
                                 "--metrics");
        return false;
    }
    view->json = asked.json || (asked.to && strcmp(asked.to, "jsonl") == 0);
    if (!asked.output && asked.to && view->json)
        asked.output = "-";
    view->metrics = asked.metrics;
    view->every = asked.every;
    view->all = wants_errors();
    return true;
}

static int watch(const struct command *command, int argc, const char **argv, bool counts)
{
    const struct poptOption options[] = {
        {"output", 'o', POPT_ARG_STRING, &asked.output, 0,
         "write there instead of to standard error", "FILE"},
        {"ring", 'p', POPT_ARG_STRING, &asked.running, 0,
         "follow a running process, or a ring file (a FILE of digits is ./FILE)", "PID|FILE"},
        {NULL, 0, POPT_ARG_INCLUDE_TABLE, (void *)(counts ? stat_options : trace_options), 0, NULL,
         NULL},
        {NULL, 0, POPT_ARG_INCLUDE_TABLE, (void *)setting_options(false), 0, "Settings:", NULL},
        POPT_TABLEEND,
    };
    poptContext context;
    struct live_view *view;
    const char **program;
    int result;

    asked.every = METRICS_EVERY;
    context = command_options(command, argc, argv, options,
                              "[OPTION...] [--] PROGRAM [ARGUMENT...]", true);
    if (!context || !setting_options_check(command->name))
        return EXIT_OURS;
    program = poptGetArgs(context);
    if (asked.system && program) {
        complain("%s: --system runs no PROGRAM", command->name);
        return EXIT_OURS;
    }
    if (!program == !asked.running && !asked.system) {
        complain("%s: %s", command->name,
                 asked.running ? "-p and PROGRAM cannot be combined" : "missing PROGRAM");
        return EXIT_OURS;
    }
    view = live_view_new(counts);
    if (!set_up(view, command))
        return EXIT_OURS;
    result =
        asked.system
            ? system_trace(&(struct system_trace_request){asked.running, asked.to, asked.output})
        : asked.running ? follow_running(view, asked.running, asked.output)
                        : watch_program(view, program, asked.output);
    if (view->out && (!is_written(view->out, asked.output) || view->failed) && result == 0)
        result = EXIT_OURS;
    live_view_free(view);
    poptFreeContext(context);
    return result;
}

static int trace(int argc, const char **argv)
{
    return watch(&command_trace, argc, argv, false);
}

static int stat_(int argc, const char **argv)
{
    return watch(&command_stat, argc, argv, true);
}

const struct command command_trace = {
    "trace", "run a program and show every receive, or follow a running program's ring file",
    trace};

const struct command command_stat = {
    "stat", "run a program and count what its sockets received and lost", stat_};
