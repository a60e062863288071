/* SPDX-License-Identifier: MIT
 *
 * wsrx top: who is losing messages now, of all processes.
 */
#define _GNU_SOURCE
#include "commands/command.h"
#include "commands/system.h"
#include "commands/top_view.h"
#include "util/complain.h"
#include "util/exit_code.h"
#include "util/suggest.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static const char *watched; /* as system_watched() */

static struct {
    char *pid, *sort, *metrics;
    int batch, json, all, rounds;
    double delay;
    struct observe_config config;
} asked;

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* --- the terminal ------------------------------------------------------------------------ */

static struct termios before;
static bool on_screen;
static volatile sig_atomic_t resized;

static void resize(int number)
{
    (void)number;
    resized = 1;
}

static void leave_screen(void)
{
    if (!on_screen)
        return;
    on_screen = false;
    printf("\033[?25h\033[?1049l");
    fflush(stdout);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
}

/* Whether there is a terminal for both, with a cursor that moves. */
static bool is_screen(void)
{
    const char *terminal = getenv("TERM");

    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && terminal && *terminal &&
           strcmp(terminal, "dumb") != 0;
}

/* Keys come at once and are not shown; the terminal's contents come back at the end. */
static void enter_screen(void)
{
    struct termios keys;

    if (tcgetattr(STDIN_FILENO, &before) < 0)
        return;
    keys = before;
    keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    keys.c_cc[VSUSP] = _POSIX_VDISABLE; /* a shell would not give the screen back */
    tcsetattr(STDIN_FILENO, TCSADRAIN, &keys);
    on_screen = true;
    sigaction(SIGWINCH, &(struct sigaction){.sa_handler = resize}, NULL);
    printf("\033[?1049h\033[?25l");
}

static void show(const struct top_rows *rows, double seconds)
{
    struct top_format format = {.sort = asked.sort, .watched = watched, .all = asked.all};
    struct winsize size;

    if (asked.json) {
        top_print_json(rows, seconds, stdout);
        fflush(stdout);
        return;
    }
    if (on_screen && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 4) {
        format.lines = size.ws_row;
        format.columns = size.ws_col;
    }
    if (on_screen)
        printf("\033[H\033[J");
    top_print(rows, &format, stdout);
    if (!on_screen)
        printf("\n");
    fflush(stdout);
}

/* s: the next order. */
static void next_sort(void)
{
    int at = 0;

    while (strcmp(top_keys[at], asked.sort) != 0)
        at++;
    asked.sort = (char *)(top_keys[at + 1] ? top_keys[at + 1] : top_keys[0]);
}

enum { LOOK = 1000 }; /* milliseconds: how often it is looked whether the process is there */

/* Interrupted, or the one process has ended. */
static bool is_over(void)
{
    return system_is_interrupted() || system_has_ended(asked.config.pid);
}

/* Waits for the time of the next round, or for a key; if the size changes meanwhile, `rows` are shown
 * again. False: this is the end. */
static bool wait_until(double time, const struct top_rows *rows)
{
    double left;
    char key;

    while ((left = time - now()) > 0 && !is_over()) {
        struct pollfd keyboard = {.fd = on_screen ? STDIN_FILENO : -1, .events = POLLIN};
        int milliseconds = (int)(left * 1000) + 1;

        if (resized) {
            resized = 0;
            show(rows, 0);
        }
        if (poll(&keyboard, 1, milliseconds < LOOK ? milliseconds : LOOK) <= 0)
            continue;
        if (read(STDIN_FILENO, &key, 1) != 1 || key == 'q')
            return false;
        if (key == 's') {
            next_sort();
            return true;
        }
    }
    return !is_over();
}

/* --- rounds ------------------------------------------------------------------------------ */

static int watch(struct observer *observer)
{
    struct top_rows rows[2] = {{0}, {0}};
    double last = now();
    bool good = !asked.metrics || top_metrics(&rows[1], asked.metrics); /* whether it can be */

    if (on_screen && good)
        show(&rows[1], 0);
    for (int round = 0; good && round < asked.rounds; round++) {
        struct top_rows *mine = &rows[round % 2];
        bool more = wait_until(last + asked.delay, &rows[(round + 1) % 2]);
        double seconds = now() - last;

        top_collect(mine, &rows[(round + 1) % 2], observer, seconds > 0.001 ? seconds : 0.001,
                    asked.sort);
        last += seconds;
        if (on_screen && system_has_ended(asked.config.pid))
            leave_screen(); /* what was lost stays in sight */
        show(mine, seconds);
        good = is_written(stdout, NULL);
        if (asked.metrics)
            good = top_metrics(mine, asked.metrics) && good;
        if (!more)
            break;
    }
    top_free(&rows[0]);
    top_free(&rows[1]);
    return good ? 0 : EXIT_OURS;
}

static bool check(void)
{
    const char *near;

    if (asked.delay < 0.1 || asked.delay > 1e6) {
        complain("top: -d %g: expected 0.1 to 1000000 seconds", asked.delay);
        return false;
    }
    if (asked.rounds < 1) {
        complain("top: -n %d: expected a number of rounds, from 1", asked.rounds);
        return false;
    }
    for (int i = 0; top_keys[i]; i++)
        if (strcmp(asked.sort, top_keys[i]) == 0)
            return true;
    near = suggest_word(asked.sort, top_keys);
    complain("top: unknown order \"%s\": expected rate, bytes, lost, needed or pid%s%s%s",
             asked.sort, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return false;
}

static int observe(void)
{
    struct observer *observer;
    int result;

    asked.config.all = (unsigned)asked.all;
    system_catch();
    observer = system_observe("top", &asked.config);
    if (!observer)
        return EXIT_OURS;
    watched = system_watched(observer);
    if (!asked.batch && !asked.json && is_screen())
        enter_screen();
    result = watch(observer);
    leave_screen();
    observer_end(observer);
    return result;
}

static int run(int argc, const char **argv)
{
    static const struct poptOption options[] = {
        {"batch", 'b', POPT_ARG_NONE, &asked.batch, 0, "print lines, as without a terminal", NULL},
        {"rounds", 'n', POPT_ARG_INT, &asked.rounds, 0, "end after so many rounds", "N"},
        {"delay", 'd', POPT_ARG_DOUBLE, &asked.delay, 0, "the time of a round (default 1)",
         "SECONDS"},
        {"pid", 'p', POPT_ARG_STRING, &asked.pid, 0, "watch this process only", "PID"},
        {"sort", 's', POPT_ARG_STRING, &asked.sort, 0,
         "the order: rate (the default), bytes, lost, needed or pid", "KEY"},
        {"all", 'a', POPT_ARG_NONE, &asked.all, 0, "count receives that lose nothing as well",
         NULL},
        {"json", 0, POPT_ARG_NONE, &asked.json, 0, "print one JSON object a round", NULL},
        {"metrics", 0, POPT_ARG_STRING, &asked.metrics, 0,
         "write OpenMetrics there with each round, for node_exporter", "FILE"},
        POPT_TABLEEND,
    };
    poptContext context;
    int result;

    asked.delay = 1;
    asked.rounds = INT_MAX;
    asked.sort = (char *)top_keys[0];
    context = command_options(&command_top, argc, argv, options, "[OPTION...]", false);
    if (!context || !check())
        return EXIT_OURS;
    if (poptPeekArg(context)) {
        complain("top: %s: unexpected, since it runs no program", poptPeekArg(context));
        return EXIT_OURS;
    }
    result = asked.pid ? system_process("top", asked.pid, &asked.config.pid) : 0;
    if (result == 0)
        result = observe();
    poptFreeContext(context);
    return result;
}

const struct command command_top = {"top", "show which processes lose messages, by the kernel",
                                    run};
