/* SPDX-License-Identifier: MIT */
/*
 * What a record costs a receive, in nanoseconds over the library without records; and what others
 * cost in the same run: a line by fprintf, and strace.
 *
 * Method: that of receive.c. Workers receive batches of queued 64-byte datagrams by recv; a round
 * is one batch of each, in turn, and gives a difference to the batch without records of the same
 * round. Figures are the median of all rounds and, in brackets, the quartiles. "control" is a
 * second worker without records. Where the machine is busy all figures grow alike, so each is also
 * given as a share of the receive itself.
 */
#define _GNU_SOURCE
#include "worker_process.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 2000, SECONDS = 25 };

enum { EXIT_MEASURED = 0, EXIT_INCOMPLETE = 1, EXIT_USAGE = 64 };

static const struct {
    const char *name;
    double goal; /* 0: none */
    const char *line; /* of a shell; LIB, WORKER, FPRINTF and DIR are variables */
} kinds[] = {
    {"without records", 0, "exec env LD_PRELOAD=\"$LIB\" \"$WORKER\""},
    {"control", 0, "exec env LD_PRELOAD=\"$LIB\" \"$WORKER\""},
    {"WSRX_STATS=1", 10, "exec env LD_PRELOAD=\"$LIB\" WSRX_STATS=\"$DIR/stats.txt\" \"$WORKER\""},
    {"WSRX_TRACE=ring", 35,
     "exec env LD_PRELOAD=\"$LIB\" WSRX_TRACE=ring WSRX_TRACE_FILE=\"$DIR/ring\" \"$WORKER\""},
    {"WSRX_TRACE=text", 130,
     "exec env LD_PRELOAD=\"$LIB\" WSRX_TRACE=text WSRX_TRACE_FILE=\"$DIR/text\" \"$WORKER\""},
    {"WSRX_TRACE=jsonl", 150,
     "exec env LD_PRELOAD=\"$LIB\" WSRX_TRACE=jsonl WSRX_TRACE_FILE=\"$DIR/jsonl\" \"$WORKER\""},
    {"fprintf", 0,
     "exec env LD_PRELOAD=\"$FPRINTF:$LIB\" BY_FPRINTF=\"$DIR/fprintf\" \"$WORKER\""},
    {"strace", 0,
     "exec strace -E LD_PRELOAD=\"$LIB\" -e trace=recvfrom -o \"$DIR/strace\" \"$WORKER\""},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

static struct worker_process workers[KINDS];
static double took[KINDS][ROUNDS];

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

/* One batch's nanoseconds a receive; below 0: it could not be measured. */
static double batch(struct worker_process *worker)
{
    static const struct bench_batch question = {
        .channel = BENCH_UDP, .call = BENCH_RECV, .buffer = 2048, .message = 64, .messages = 136,
        .part = 64, .warm = 8, .timed = 128,
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

static void print(int kind, int rounds, double receive)
{
    static double more[ROUNDS];
    double median;

    for (int i = 0; i < rounds; i++)
        more[i] = took[kind][i] - took[0][i];
    qsort(more, (size_t)rounds, sizeof *more, compare);
    median = more[rounds / 2];
    printf("  %-18s %+9.1f ns  [%+.1f %+.1f]  %5.1f %%", kinds[kind].name, median,
           more[rounds / 4], more[rounds * 3 / 4], median * 100 / receive);
    if (kinds[kind].goal > 0)
        printf("  goal %.0f: %s", kinds[kind].goal, median <= kinds[kind].goal ? "met" : "missed");
    printf("\n");
}

int main(int argc, char **argv)
{
    char directory[] = "/dev/shm/wsrx-bench-XXXXXX", command[PATH_MAX];
    int rounds = 0, status = EXIT_MEASURED;
    bool usable[KINDS];
    double end, receive;

    if (argc != 4) {
        fprintf(stderr, "usage: trace WORKER LIBRARY FPRINTF-LIBRARY\n");
        return EXIT_USAGE;
    }
    if (!mkdtemp(directory)) {
        perror(directory);
        return EXIT_INCOMPLETE;
    }
    setenv("WORKER", argv[1], 1);
    setenv("LIB", argv[2], 1);
    setenv("FPRINTF", argv[3], 1);
    setenv("DIR", directory, 1);
    for (int kind = 0; kind < KINDS; kind++) {
        char path[64];

        usable[kind] = write_script(directory, kind, path, sizeof path) &&
                       worker_start(&workers[kind], path, NULL, NULL) == 0 &&
                       batch(&workers[kind]) >= 0;
        if (!usable[kind]) {
            printf("  %s: cannot be measured here\n", kinds[kind].name);
            status = strcmp(kinds[kind].name, "strace") == 0 ? status : EXIT_INCOMPLETE;
        }
    }
    end = now() + SECONDS;
    for (; usable[0] && rounds < ROUNDS && now() < end; rounds++)
        for (int i = 0; i < KINDS; i++) {
            int kind = (i + rounds) % KINDS;

            took[kind][rounds] = usable[kind] ? batch(&workers[kind]) : 0;
            if (took[kind][rounds] < 0)
                usable[kind] = false;
        }
    if (rounds > 0) {
        static double alone[ROUNDS];

        memcpy(alone, took[0], sizeof alone);
        qsort(alone, (size_t)rounds, sizeof *alone, compare);
        receive = alone[rounds / 2];
        printf("A record's cost, over recv of a queued 64-byte datagram without records (%.0f ns), "
               "%d rounds:\n", receive, rounds);
        for (int kind = 1; kind < KINDS; kind++)
            if (usable[kind])
                print(kind, rounds, receive);
    }
    for (int kind = 0; kind < KINDS; kind++)
        worker_stop(&workers[kind]);
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    return system(command) == 0 ? status : EXIT_INCOMPLETE;
}
