/* SPDX-License-Identifier: MIT */
/*
 * What libwsrx costs an event loop, as a ratio: rounds of epoll_wait and recv with and without the
 * library. The goals: where the messages fit, at most 1.01 level-triggered and 1.05 with one shot;
 * one round on parts against the round of the same loop on whole datagrams of that size, at most 1,
 * or 1.2 with one shot, and 1.4 where each message is of two parts. What no machine changes is
 * counted in ../readiness/rounds.py.
 *
 * Method: as receive.c (batches of queued messages on one CPU, by turns without, without again and
 * with; workers started anew several times; the figure is the median of the rounds' ratios, and the
 * "control" column what noise makes of two equal programs).
 */
#define _GNU_SOURCE
#include "epoll_manner.h"
#include "worker_process.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { GENERATIONS = 8, ROUNDS_MAX = 100000, ATTEMPTS = 4, DEFAULT_SECONDS = 30 };
enum { WITHOUT, WITHOUT_AGAIN, WITH, WORKERS };

#define FITS(MANNER, SIZE)                                                         \
    {                                                                              \
        .channel = BENCH_UDP, .call = (MANNER), .buffer = 2048, .message = (SIZE), \
        .messages = 136, .part = (SIZE), .warm = 8, .timed = 128                   \
    }
#define PARTS(MANNER, SIZE)                                                        \
    {                                                                              \
        .channel = BENCH_UDP, .call = (MANNER), .buffer = 1000, .message = (SIZE), \
        .messages = 128000 / (SIZE), .part = 1000, .warm = 64, .timed = 64         \
    }
#define SAME(NAME, GOAL, ...)                                                       \
    {                                                                               \
        .name = (NAME), .goal = (GOAL), .without = __VA_ARGS__, .with = __VA_ARGS__ \
    }

static const struct {
    const char *name;
    double goal; /* 0: for information */
    struct bench_batch without, with;
} cases[] = {
    SAME("fits: level-triggered, 64 bytes", 1.01, FITS(EPOLL_LEVEL, 64)),
    SAME("fits: level-triggered, 1200 bytes", 1.01, FITS(EPOLL_LEVEL, 1200)),
    SAME("fits: edge-triggered, recv only, 64 bytes", 0, FITS(EPOLL_EDGE, 64)),
    SAME("fits: one shot, 64 bytes", 1.05, FITS(EPOLL_SHOT, 64)),
    {.name = "64,000 in parts of 1,000 : 64 of 1,000, level",
     .goal = 1,
     .without = PARTS(EPOLL_LEVEL, 1000),
     .with = PARTS(EPOLL_LEVEL, 64000)},
    {.name = "2,000 in parts of 1,000 : 2 of 1,000, level",
     .goal = 1.4,
     .without = PARTS(EPOLL_LEVEL, 1000),
     .with = PARTS(EPOLL_LEVEL, 2000)},
    {.name = "64,000 in parts of 1,000, one shot",
     .goal = 1.2,
     .without = PARTS(EPOLL_SHOT, 1000),
     .with = PARTS(EPOLL_SHOT, 64000)},
    {.name = "2,000 in parts of 1,000, one shot",
     .without = PARTS(EPOLL_SHOT, 1000),
     .with = PARTS(EPOLL_SHOT, 2000)},
};

enum { CASES = sizeof(cases) / sizeof(*cases) };

static struct {
    double ratio[ROUNDS_MAX], control[ROUNDS_MAX], without[ROUNDS_MAX], with[ROUNDS_MAX];
    size_t count;
    char failure[128];
} results[CASES];

static struct worker_process workers[WORKERS];

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare);
    return values[count / 2];
}

/* Nanoseconds a round; negative: the case is to be given up. */
static double measure_batch(size_t at, int worker)
{
    const struct bench_batch *batch = worker == WITH ? &cases[at].with : &cases[at].without;
    struct bench_answer answer = {0};
    int r = 0;

    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        r = worker_ask(&workers[worker], batch, &answer);
        if (r < 0)
            break;
        if (answer.outcome == BENCH_DONE)
            return (double)answer.nanoseconds / batch->timed;
    }
    snprintf(results[at].failure, sizeof(results[at].failure),
             "%s the library: %s, round %u gave %lld", worker == WITH ? "with" : "without",
             strerror(r < 0 ? -r : (int)answer.error), answer.index + 1, (long long)answer.got);
    return -1;
}

static bool measure_round(size_t at, unsigned round)
{
    static const unsigned char orders[6][3] = {{0, 1, 2}, {2, 1, 0}, {1, 2, 0},
                                               {0, 2, 1}, {2, 0, 1}, {1, 0, 2}};
    double figure[WORKERS];
    size_t i = results[at].count;

    for (int k = 0; k < WORKERS; k++) {
        int worker = orders[round % 6][k];

        figure[worker] = measure_batch(at, worker);
        if (figure[worker] <= 0)
            return false;
    }
    if (i == ROUNDS_MAX)
        return false;
    results[at].without[i] = figure[WITHOUT];
    results[at].with[i] = figure[WITH];
    results[at].ratio[i] = figure[WITH] / figure[WITHOUT];
    results[at].control[i] = figure[WITHOUT_AGAIN] / figure[WITHOUT];
    results[at].count++;
    return true;
}

static void stop_workers(void)
{
    for (int i = 0; i < WORKERS; i++)
        (void)worker_stop(&workers[i]);
}

static int measure(const char *program, const char *library, double seconds)
{
    double slice = seconds / GENERATIONS / CASES;

    for (int generation = 0; generation < GENERATIONS; generation++) {
        for (int i = 0; i < WORKERS; i++) {
            int r = worker_start(&workers[i], program, i == WITH ? library : NULL, NULL);

            if (r < 0) {
                fprintf(stderr, "bench: cannot start %s: %s\n", program, strerror(-r));
                stop_workers();
                return r;
            }
        }
        for (size_t i = 0; i < CASES; i++) {
            double end = now() + slice;

            for (unsigned round = 0; round < 6 || now() < end; round++)
                if (results[i].failure[0] || !measure_round(i, round))
                    break;
        }
        stop_workers();
    }
    return 0;
}

static int report(bool check)
{
    int status = 0;

    printf("\n  %-46s %8s %8s   %-14s %7s  %s\n", "ns a round: median", "without", "with",
           "with : without", "control", "goal");
    for (size_t i = 0; i < CASES; i++) {
        double ratio;

        if (results[i].failure[0] || results[i].count == 0) {
            printf("  %-46s NOT MEASURED: %s\n", cases[i].name, results[i].failure);
            status = 1;
            continue;
        }
        ratio = median(results[i].ratio, results[i].count);
        printf("  %-46s %8.0f %8.0f   %14.3f %7.3f", cases[i].name,
               median(results[i].without, results[i].count),
               median(results[i].with, results[i].count), ratio,
               median(results[i].control, results[i].count));
        if (cases[i].goal > 0) {
            /* Compared as printed, as in receive.c. */
            bool missed = (long)(ratio * 1000 + 0.5) > (long)(cases[i].goal * 1000 + 0.5);

            printf("  %.2f %s", cases[i].goal, missed ? "MISSED" : "met");
            if (missed && check && status == 0)
                status = 2;
        }
        printf("  (%zu rounds)\n", results[i].count);
    }
    return status;
}

int main(int argc, char **argv)
{
    double seconds = DEFAULT_SECONDS;
    bool check = false;
    cpu_set_t set;
    int i, cpu = -1;

    for (i = 1; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--check") == 0)
            check = true;
        else if (strncmp(argv[i], "--seconds=", 10) == 0 && atof(argv[i] + 10) > 0)
            seconds = atof(argv[i] + 10);
        else
            break;
    }
    if (argc - i != 2) {
        fputs("usage: epoll [--check] [--seconds=N] WORKER LIBRARY\n"
              "Prints what LIBRARY costs an event loop. --check: exit status 2 when a goal is "
              "missed.\n",
              stderr);
        return 64;
    }
    signal(SIGPIPE, SIG_IGN);
    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
        for (int k = 0; k < CPU_SETSIZE; k++)
            cpu = CPU_ISSET((size_t)k, &set) ? k : cpu;
        CPU_ZERO(&set);
        CPU_SET((size_t)cpu, &set);
    }
    if (cpu < 0 || sched_setaffinity(0, sizeof(set), &set) < 0) {
        printf("SKIP: cannot stay on one CPU: %s\n", strerror(errno));
        return 77;
    }
    if (measure(argv[i], argv[i + 1], seconds) < 0)
        return 1;
    return report(check);
}
