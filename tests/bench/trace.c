/* SPDX-License-Identifier: MIT */
/*
 * What a record costs a receive, in nanoseconds over the library without the tracing code; and what
 * others cost in the same run: a line by fprintf, LTTng-UST, uftrace, strace.
 *
 * Method: that of receive.c. Workers receive batches of queued 64-byte datagrams by recv; a round
 * is one batch of each, in turn, and gives a difference to the batch without tracing of the same
 * round. Figures are the median of all rounds and, in brackets, the quartiles. "control" is a
 * second worker of the first kind: what it shows is noise. The mean leaves out the hundredth at
 * either end; in it are the new pages of growing files, which the median does not see. Where the
 * machine is busy all figures grow alike, so each is also given as a share of the receive itself,
 * and of what fprintf and LTTng-UST cost.
 */
#define _GNU_SOURCE
#include "worker_process.h"

#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 20000, SECONDS = 40 };

enum { EXIT_MEASURED = 0, EXIT_INCOMPLETE = 1, EXIT_USAGE = 64 };

static const struct kind {
    const char *name;
    double goal;        /* 0: none */
    int every;          /* rounds: the slow ones are asked less often */
    const char *line;   /* of a shell; LIB, WORKER and so on are variables */
    const char *result; /* in DIR, a file or a directory: without content nothing was measured */
    const char *needs;  /* a command that must succeed before; "": none */
    const char *missing;
} kinds[] = {
    {"without tracing", 0, 1, "exec env LD_PRELOAD=\"$UNTRACED\" \"$WORKER\"", "", "", ""},
    {"control", 0, 1, "exec env LD_PRELOAD=\"$UNTRACED\" \"$WORKER\"", "", "", ""},
    {"WSRX_TRACE=off", 5, 1, "exec env LD_PRELOAD=\"$LIB\" \"$WORKER\"", "", "", ""},
    {"WSRX_STATS=1", 10, 1,
     "exec env LD_PRELOAD=\"$LIB\" WSRX_STATS=\"$DIR/stats.txt\" \"$WORKER\"", "", "", ""},
    {"WSRX_TRACE=ring", 35, 1,
     "exec env LD_PRELOAD=\"$LIB\" WSRX_TRACE=ring WSRX_TRACE_FILE=\"$DIR/ring\" \"$WORKER\"",
     "ring", "", ""},
    {"WSRX_TRACE=text", 130, 1,
     "exec env LD_PRELOAD=\"$LIB\" WSRX_TRACE=text WSRX_TRACE_FILE=\"$DIR/text\" \"$WORKER\"",
     "text", "", ""},
    {"WSRX_TRACE=jsonl", 150, 1,
     "exec env LD_PRELOAD=\"$LIB\" WSRX_TRACE=jsonl WSRX_TRACE_FILE=\"$DIR/jsonl\" \"$WORKER\"",
     "jsonl", "", ""},
    {"fprintf", 0, 1,
     "exec env LD_PRELOAD=\"$FPRINTF:$LIB\" BY_FPRINTF=\"$DIR/fprintf\" \"$WORKER\"", "fprintf", "",
     ""},
    {"LTTng-UST", 0, 1, "exec env LD_PRELOAD=\"$LTTNG:$LIB\" \"$WORKER\"", "lttng",
     "test -e \"$LTTNG\" && sh \"$SESSION\" start \"$DIR\"",
     "no session: Debian's lttng-tools and liblttng-ust-dev are needed when this is built"},
    {"uftrace", 0, 8,
     "exec env LD_PRELOAD=\"$LIB\" uftrace record --force --no-pager -d \"$DIR/uftrace\" "
     "\"$WORKER\"",
     "uftrace", "command -v uftrace", "no uftrace: Debian's package uftrace"},
    {"strace", 0, 32,
     "exec strace -E LD_PRELOAD=\"$LIB\" -e trace=recvfrom -o \"$DIR/strace\" \"$WORKER\"",
     "strace", "command -v strace", "no strace: Debian's package strace"},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

static struct {
    struct worker_process worker;
    bool usable;
    const char *why_not;
    int rounds;
    double more[ROUNDS]; /* over the first kind in the same round */
} run[KINDS];

static int compare(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;

    return a < b ? -1 : a > b;
}

static bool write_script(const char *directory, int kind, char *path, size_t size)
{
    FILE *script;

    snprintf(path, size, "%s/worker-%d", directory, kind);
    script = fopen(path, "we");
    if (!script)
        return false;
    fprintf(script, "#!/bin/sh\n%s\n", kinds[kind].line);
    return fclose(script) == 0 && chmod(path, 0700) == 0;
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static bool succeeds(const char *command)
{
    char line[PATH_MAX];

    snprintf(line, sizeof line, "{ %s ; } >/dev/null 2>&1", command);
    return system(line) == 0;
}

/* One batch's nanoseconds a receive; below 0: it could not be measured. */
static double batch(struct worker_process *worker)
{
    static const struct bench_batch question = {
        .channel = BENCH_UDP,
        .call = BENCH_RECV,
        .buffer = 2048,
        .message = 64,
        .messages = 136,
        .part = 64,
        .warm = 8,
        .timed = 128,
    };
    struct bench_answer answer;

    for (int attempt = 0; attempt < 4; attempt++) {
        if (worker_ask(worker, &question, &answer) != 0)
            return -1;
        if (answer.outcome == BENCH_DONE)
            return (double)answer.nanoseconds / question.timed;
    }
    return -1;
}

static void start(const char *directory, int kind)
{
    const struct kind *it = &kinds[kind];
    char path[64];

    if (it->needs[0] && !succeeds(it->needs))
        run[kind].why_not = it->missing;
    else if (!write_script(directory, kind, path, sizeof path) ||
             worker_start(&run[kind].worker, path, NULL, NULL) != 0 || batch(&run[kind].worker) < 0)
        run[kind].why_not = "its worker does not start";
    run[kind].usable = !run[kind].why_not;
}

/* --- that something was recorded --------------------------------------------------------- */

static long long content;

static int add_content(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)path;
    (void)walk;
    if (type == FTW_F)
        content += status->st_size;
    return 0;
}

static bool has_result(const char *directory, const char *result)
{
    char path[PATH_MAX];

    if (!result[0])
        return true;
    snprintf(path, sizeof path, "%s/%s", directory, result);
    content = 0;
    return nftw(path, add_content, 16, FTW_PHYS) == 0 && content > 100000;
}

/* --- figures ----------------------------------------------------------------------------- */

static double quantile(int kind, double part)
{
    return run[kind].more[(int)((run[kind].rounds - 1) * part)];
}

static double mean(int kind)
{
    int skip = run[kind].rounds / 100, count = run[kind].rounds - 2 * skip;
    double sum = 0;

    for (int i = 0; i < count; i++)
        sum += run[kind].more[skip + i];
    return sum / count;
}

static int kind_named(const char *name)
{
    int kind = 0;

    while (strcmp(kinds[kind].name, name) != 0)
        kind++;
    return kind;
}

static void print_share(double median, const char *other)
{
    int kind = kind_named(other);

    if (run[kind].usable && quantile(kind, 0.5) > 0)
        printf(" %9.2f", median / quantile(kind, 0.5));
    else
        printf(" %9s", "-");
}

static void print(int kind, double receive)
{
    double median = quantile(kind, 0.5);

    printf("  %-16s %+9.1f ns  [%+.1f %+.1f]  mean %+.1f  %5.1f %%", kinds[kind].name, median,
           quantile(kind, 0.25), quantile(kind, 0.75), mean(kind), median * 100 / receive);
    print_share(median, "fprintf");
    print_share(median, "LTTng-UST");
    if (kinds[kind].goal > 0)
        printf("  goal %.0f: %s", kinds[kind].goal, median <= kinds[kind].goal ? "met" : "missed");
    printf("\n");
}

static void report(double receive)
{
    printf("Added to a recv of a queued 64-byte datagram (%.0f ns without tracing), %d rounds; "
           "the last columns\nare shares: of the receive, of fprintf, of LTTng-UST:\n",
           receive, run[0].rounds);
    for (int kind = 1; kind < KINDS; kind++) {
        if (!run[kind].usable) {
            printf("  %-16s SKIP: %s\n", kinds[kind].name, run[kind].why_not);
            continue;
        }
        print(kind, receive);
    }
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"WORKER", "LIB", "UNTRACED", "FPRINTF", "LTTNG", "SESSION"};
    enum { NAMES = sizeof names / sizeof *names };
    char directory[] = "/dev/shm/wsrx-bench-XXXXXX", command[PATH_MAX];
    static double alone[ROUNDS];
    int status = EXIT_MEASURED;
    double end;

    if (argc != NAMES + 1) {
        fprintf(stderr, "usage: trace WORKER LIBRARY UNTRACED-LIBRARY FPRINTF-LIBRARY "
                        "LTTNG-LIBRARY LTTNG-SCRIPT\n");
        return EXIT_USAGE;
    }
    if (!mkdtemp(directory)) {
        perror(directory);
        return EXIT_INCOMPLETE;
    }
    for (int i = 0; i < NAMES; i++)
        setenv(names[i], argv[i + 1], 1);
    setenv("DIR", directory, 1);
    for (int kind = 0; kind < KINDS; kind++) {
        start(directory, kind);
        if (!run[kind].usable && !kinds[kind].needs[0])
            status = EXIT_INCOMPLETE;
    }
    end = now() + SECONDS;
    for (int round = 0; run[0].usable && round < ROUNDS && now() < end; round++) {
        double took[KINDS];

        for (int i = 0; i < KINDS; i++) {
            int kind = (i + round) % KINDS;

            took[kind] = -1;
            if (run[kind].usable && round % kinds[kind].every == 0) {
                took[kind] = batch(&run[kind].worker);
                if (took[kind] < 0) {
                    run[kind].usable = false;
                    run[kind].why_not = "its worker ended, or its receives failed";
                    status = EXIT_INCOMPLETE;
                }
            }
        }
        if (took[0] < 0)
            break;
        alone[run[0].rounds] = took[0];
        for (int kind = 0; kind < KINDS; kind++)
            if (took[kind] >= 0)
                run[kind].more[run[kind].rounds++] = took[kind] - took[0];
    }
    if (run[kind_named("LTTng-UST")].usable)
        succeeds("sh \"$SESSION\" stop \"$DIR\"");
    for (int kind = 0; kind < KINDS; kind++) {
        worker_stop(&run[kind].worker);
        if (run[kind].usable && !has_result(directory, kinds[kind].result)) {
            run[kind].usable = false;
            run[kind].why_not = "it has recorded nothing";
            status = EXIT_INCOMPLETE;
        }
        qsort(run[kind].more, (size_t)run[kind].rounds, sizeof *run[kind].more, compare);
    }
    if (run[0].usable && run[0].rounds > 0) {
        qsort(alone, (size_t)run[0].rounds, sizeof *alone, compare);
        report(alone[run[0].rounds / 2]);
    }
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    return system(command) == 0 ? status : EXIT_INCOMPLETE;
}
