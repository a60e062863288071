/* SPDX-License-Identifier: MIT */
/*
 * What libwsrx costs a receive, as a ratio: the same receives with and without the library.
 *
 * Method
 * - worker.c does the receiving. It is one program, started several times: twice without the
 *   library, once with it, and once for each further setting. A batch is some hundred messages that
 *   are queued first, with the clock stopped, and then received, with the clock running; the first
 *   few receives of a batch are not timed. So a figure is the steady state of receives from a full
 *   queue, where the system call is at its cheapest and whatever a library adds weighs most.
 * - A round is three batches, one right after the other on one CPU: without the library, without it
 *   again, and with it, in an order that changes every round. A round gives one ratio of with to
 *   without, and one "control" ratio of without to without: what the machine's noise alone makes of
 *   two equal programs. The figures are the median over all rounds and, in brackets, the quartiles.
 *   "more" is the median difference in nanoseconds: where the kernel is slow a ratio flatters.
 *   A batch is so short (tens of microseconds) that most are undisturbed even on a busy machine,
 *   and what disturbs a round disturbs it for all three.
 * - Where the loader, the kernel and the allocator happened to put things changes a system call's
 *   time by some per cent for the whole life of a process. So all workers are started anew several
 *   times, and every case is measured in every such generation.
 * - Every receive is checked: its length, and a number at the start of its bytes that is different
 *   in each. A batch with a lost packet is made again; a case that keeps giving other bytes has no
 *   figure, and the exit status says so.
 *
 * receive_cases.h has the cases; this file owns the rounds and the table, and never receives a
 * message itself.
 */
#define _GNU_SOURCE
#include "receive_cases.h"
#include "worker_process.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

enum {
    GENERATIONS = 10,
    ROUNDS_MIN = 6, /* in a generation, however little time there is: each order once */
    ATTEMPTS = 4,   /* at a batch, before its case is given up */
    DEFAULT_SECONDS = 60,
};

enum exit_status {
    EXIT_MEASURED = 0,
    EXIT_INCOMPLETE = 1, /* some case could not be measured */
    EXIT_MISSED = 2,     /* --check, and a goal was missed */
    EXIT_USAGE = 64,
    EXIT_SKIP = 77, /* Meson's convention */
};

enum {
    CASES = sizeof(cases) / sizeof(cases[0]),
};

struct samples {
    double *values;
    size_t count;
    size_t room;
};

struct result {
    struct samples without; /* nanoseconds a receive */
    struct samples with;
    struct samples difference;
    struct samples ratio;
    struct samples control;
    unsigned int retried;
    char failure[192]; /* empty: none */
};

struct benchmark {
    const char *program;
    const char *library;
    double seconds;
    bool check;
    int cpu;
    struct worker_process workers[WORKERS];
    struct result results[CASES];
};

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void samples_add(struct samples *samples, double value)
{
    if (samples->count == samples->room) {
        size_t room = samples->room ? samples->room * 2 : 1024;
        double *values = realloc(samples->values, room * sizeof(*values));

        if (!values) {
            fputs("bench: out of memory\n", stderr);
            exit(EXIT_INCOMPLETE);
        }
        samples->values = values;
        samples->room = room;
    }
    samples->values[samples->count++] = value;
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

static void samples_sort(struct samples *samples)
{
    if (samples->count > 0)
        qsort(samples->values, samples->count, sizeof(*samples->values), compare_doubles);
}

/* Of sorted samples; at least one. */
static double samples_quantile(const struct samples *samples, double fraction)
{
    double place = fraction * (double)(samples->count - 1);
    size_t below = (size_t)place;
    double rest = place - (double)below;

    if (below + 1 >= samples->count)
        return samples->values[samples->count - 1];
    return samples->values[below] * (1 - rest) + samples->values[below + 1] * rest;
}

static const char *describe_worker(enum worker_kind kind)
{
    if (!worker_kinds[kind].library)
        return "without the library";
    return worker_kinds[kind].setting ? worker_kinds[kind].setting : "with the library";
}

static void describe_wrong(struct result *result, enum worker_kind kind,
                           const struct bench_batch *batch, const struct bench_answer *answer)
{
    const char *who = describe_worker(kind);

    if (answer->outcome == BENCH_SETUP)
        snprintf(result->failure, sizeof(result->failure), "%s: cannot make or fill the socket: %s",
                 who, strerror((int)answer->error));
    else if (answer->got < 0)
        snprintf(result->failure, sizeof(result->failure), "%s: receive %u of %u failed: %s", who,
                 answer->index + 1, batch->warm + batch->timed, strerror((int)answer->error));
    else
        snprintf(result->failure, sizeof(result->failure),
                 "%s: receive %u of %u gave %lld bytes, %u expected%s", who, answer->index + 1,
                 batch->warm + batch->timed, (long long)answer->got, batch->part,
                 answer->got == (int64_t)batch->part ? ", and other bytes than were sent" : "");
}

static int start_worker(struct benchmark *bench, enum worker_kind kind)
{
    return worker_start(&bench->workers[kind], bench->program,
                        worker_kinds[kind].library ? bench->library : NULL,
                        worker_kinds[kind].setting);
}

/* Nanoseconds a receive, or a negative number when the case is to be given up. */
static double measure_batch(struct benchmark *bench, struct result *result, enum worker_kind kind,
                            const struct bench_batch *batch, bool a_message)
{
    struct bench_answer answer;

    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        int r = worker_ask(&bench->workers[kind], batch, &answer);

        if (r < 0) {
            int status = worker_stop(&bench->workers[kind]);

            if (r == -ETIMEDOUT)
                snprintf(result->failure, sizeof(result->failure), "%s: the worker hangs",
                         describe_worker(kind));
            else
                snprintf(result->failure, sizeof(result->failure),
                         "%s: the worker ended (wait status 0x%x)", describe_worker(kind),
                         (unsigned int)status);
            /* The next case deserves a live one; if this fails it will say so. */
            (void)start_worker(bench, kind);
            return -1;
        }
        if (answer.outcome == BENCH_DONE)
            return (double)answer.nanoseconds /
                   (a_message ? batch->timed / (batch->message / batch->part) : batch->timed);
        result->retried++;
    }
    describe_wrong(result, kind, batch, &answer);
    return -1;
}

/* One round: the three batches of a case in one of their six orders. */
static bool measure_round(struct benchmark *bench, size_t number, unsigned int round)
{
    static const unsigned char orders[6][3] = {
        {0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {0, 2, 1}, {2, 0, 1}, {1, 0, 2},
    };
    const struct bench_case *subject = &cases[number];
    struct result *result = &bench->results[number];
    double figures[3];

    for (int i = 0; i < 3; i++) {
        unsigned int side = orders[round % 6][i];
        enum worker_kind kind = side == 0   ? WITHOUT
                                : side == 1 ? WITHOUT_AGAIN
                                            : subject->with_worker;

        figures[side] =
            measure_batch(bench, result, kind, side == 2 ? &subject->with : &subject->without,
                          subject->a_message);
        if (figures[side] <= 0)
            return false;
    }
    samples_add(&result->without, figures[0]);
    samples_add(&result->with, figures[2]);
    samples_add(&result->difference, figures[2] - figures[0]);
    samples_add(&result->ratio, figures[2] / figures[0]);
    samples_add(&result->control, figures[1] / figures[0]);
    return true;
}

static double goal_of(const struct bench_case *subject)
{
    return subject->goal > 0 ? subject->goal : groups[subject->group].goal;
}

static int weight(const struct bench_case *subject)
{
    return goal_of(subject) > 0 ? 3 : 1;
}

static void measure_generation(struct benchmark *bench, double seconds)
{
    int weights = 0;

    for (size_t i = 0; i < CASES; i++)
        weights += weight(&cases[i]);
    for (size_t i = 0; i < CASES; i++) {
        double end = now() + seconds * weight(&cases[i]) / weights;

        if (bench->results[i].failure[0] != '\0')
            continue;
        for (unsigned int round = 0; round < ROUNDS_MIN || now() < end; round++) {
            if (!measure_round(bench, i, round))
                break;
        }
    }
}

static void stop_workers(struct benchmark *bench)
{
    for (int i = 0; i < WORKERS; i++)
        (void)worker_stop(&bench->workers[i]);
}

static int start_workers(struct benchmark *bench)
{
    for (int i = 0; i < WORKERS; i++) {
        int r = start_worker(bench, (enum worker_kind)i);

        if (r < 0) {
            if (r == -ENOEXEC)
                fprintf(stderr, "bench: %s was not loaded into the worker\n", bench->library);
            else
                fprintf(stderr, "bench: cannot start %s (%s): %s\n", bench->program,
                        describe_worker((enum worker_kind)i), strerror(-r));
            stop_workers(bench);
            return r;
        }
    }
    return 0;
}

static int measure(struct benchmark *bench)
{
    double end = now() + bench->seconds;

    for (int i = 0; i < GENERATIONS; i++) {
        double rest = end - now();
        int r = start_workers(bench);

        if (r < 0)
            return r;
        measure_generation(bench, rest > 0 ? rest / (GENERATIONS - i) : 0);
        stop_workers(bench);
    }
    return 0;
}

static void print_result(const struct bench_case *subject, struct result *result, bool *ret_missed)
{
    double goal = goal_of(subject);
    double ratio;

    if (result->failure[0] != '\0') {
        printf("  %-37s NOT MEASURED: %s\n", subject->name, result->failure);
        return;
    }
    samples_sort(&result->without);
    samples_sort(&result->with);
    samples_sort(&result->difference);
    samples_sort(&result->ratio);
    samples_sort(&result->control);
    ratio = samples_quantile(&result->ratio, 0.5);
    printf("  %-37s %6.0f (%4.0f) %6.0f (%4.0f) %+7.1f   %5.3f [%.3f %.3f]   %5.3f", subject->name,
           samples_quantile(&result->without, 0.5), result->without.values[0],
           samples_quantile(&result->with, 0.5), result->with.values[0],
           samples_quantile(&result->difference, 0.5), ratio,
           samples_quantile(&result->ratio, 0.25), samples_quantile(&result->ratio, 0.75),
           samples_quantile(&result->control, 0.5));
    if (goal > 0) {
        /* Compared as printed: the reader must be able to see the verdict in the figures. */
        bool missed = round(ratio * 1000) > round(goal * 1000);

        printf("    %.2f  %s", goal, missed ? "MISSED" : "met");
        *ret_missed = *ret_missed || missed;
    }
    putchar('\n');
}

static enum exit_status report(struct benchmark *bench)
{
    bool incomplete = false, missed = false;
    size_t rounds_least = SIZE_MAX, rounds_most = 0;
    unsigned int retried = 0;

    printf("\n  %-37s %13s %13s %7s   %-19s   %-7s  %s\n", "ns a receive: median (least)",
           "without", "with", "more", "with : without", "control", "goal");
    for (int group = 0; group < GROUPS; group++) {
        printf("%s\n", groups[group].title);
        for (size_t i = 0; i < CASES; i++) {
            struct result *result = &bench->results[i];

            if ((int)cases[i].group != group)
                continue;
            print_result(&cases[i], result, &missed);
            incomplete = incomplete || result->failure[0] != '\0';
            retried += result->retried;
            if (result->failure[0] == '\0' && result->ratio.count < rounds_least)
                rounds_least = result->ratio.count;
            if (result->failure[0] == '\0' && result->ratio.count > rounds_most)
                rounds_most = result->ratio.count;
        }
    }
    printf("\n%zu to %zu rounds a case in %d generations, CPU %d; %u batches made again.\n"
           "Ratios: median over rounds [quartiles]. Control: without : without, the noise of this "
           "machine.\n",
           rounds_most ? rounds_least : 0, rounds_most, GENERATIONS, bench->cpu, retried);
    if (incomplete)
        return EXIT_INCOMPLETE;
    return bench->check && missed ? EXIT_MISSED : EXIT_MEASURED;
}

/* Everything runs on one CPU, one process at a time: the last of those we may use, by custom the
 * one with the fewest interrupts. */
static int pin(int cpu)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) < 0)
        return -errno;
    for (int i = CPU_SETSIZE - 1; cpu < 0 && i >= 0; i--) {
        if (CPU_ISSET((size_t)i, &set))
            cpu = i;
    }
    if (cpu < 0 || cpu >= CPU_SETSIZE)
        return -EINVAL;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    return sched_setaffinity(0, sizeof(set), &set) < 0 ? -errno : cpu;
}

static int usage(void)
{
    fputs("usage: receive [--check] [--seconds=N] [--cpu=N] WORKER LIBRARY\n"
          "Prints what LIBRARY costs a receive. --check: exit status 2 when a goal is missed.\n",
          stderr);
    return EXIT_USAGE;
}

static bool parse_number(const char *text, double least, double most, double *ret_value)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || !(value >= least && value <= most))
        return false;
    *ret_value = value;
    return true;
}

int main(int argc, char **argv)
{
    static struct benchmark bench = {.seconds = DEFAULT_SECONDS, .cpu = -1};
    struct utsname kernel;
    int i;

    for (i = 1; i < argc && argv[i][0] == '-'; i++) {
        double value;

        if (strcmp(argv[i], "--check") == 0) {
            bench.check = true;
        } else if (strncmp(argv[i], "--seconds=", 10) == 0) {
            if (!parse_number(argv[i] + 10, 0, 3600, &bench.seconds))
                return usage();
        } else if (strncmp(argv[i], "--cpu=", 6) == 0) {
            if (!parse_number(argv[i] + 6, 0, CPU_SETSIZE - 1, &value))
                return usage();
            bench.cpu = (int)value;
        } else {
            return usage();
        }
    }
    if (argc - i != 2)
        return usage();
    bench.program = argv[i];
    bench.library = argv[i + 1];

    signal(SIGPIPE, SIG_IGN);
    bench.cpu = pin(bench.cpu);
    if (bench.cpu < 0) {
        printf("SKIP: cannot stay on one CPU: %s\n", strerror(-bench.cpu));
        return EXIT_SKIP;
    }
    if (uname(&kernel) == 0)
        printf("What libwsrx costs a receive (Linux %s, %s)\n", kernel.release, kernel.machine);
    fflush(stdout);
    if (measure(&bench) < 0)
        return EXIT_INCOMPLETE;
    return (int)report(&bench);
}
