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
 * This file owns the list of cases, the rounds and the table; it never receives a message itself.
 */
#define _GNU_SOURCE
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

enum worker_kind {
    WITHOUT,
    WITHOUT_AGAIN,
    WITH,
    WITH_TAIL, /* a process of its own: its half-read message stays held */
    WITH_ALL,
    WITH_KERNEL,
    WITH_OBSERVE,
    WITH_OFF,
    WORKERS,
};

static const struct {
    bool library;
    const char *setting;
} worker_kinds[WORKERS] = {
    [WITHOUT] = {false, NULL},
    [WITHOUT_AGAIN] = {false, NULL},
    [WITH] = {true, NULL},
    [WITH_TAIL] = {true, NULL},
    [WITH_ALL] = {true, "WSRX_CALLS=all"},
    [WITH_KERNEL] = {true, "WSRX_HOLD=kernel"},
    [WITH_OBSERVE] = {true, "WSRX_MODE=observe"},
    [WITH_OFF] = {true, "WSRX_MODE=off"},
};

enum case_group {
    GROUP_FITS,
    GROUP_STREAMS,
    GROUP_PARTS,
    GROUP_INFORMATION,
    GROUPS,
};

static const struct {
    const char *title;
    double goal; /* highest ratio; 0: none */
} groups[GROUPS] = {
    [GROUP_FITS] = {"Datagrams that fit (UDP)", 1.10},
    [GROUP_STREAMS] = {"Streams and pipes", 1.02},
    [GROUP_PARTS] = {"64,000 bytes: one message in parts of 1,000 : 64 messages of 1,000", 1.0},
    [GROUP_INFORMATION] = {"For information (against the same receive without the library)", 0},
};

struct bench_case {
    const char *name;
    enum case_group group;
    struct bench_batch without;
    struct bench_batch with;
    enum worker_kind with_worker;
};

/* 8 receives untimed, 128 timed; one message each. */
#define ONE_EACH(CHANNEL, CALL, SIZE, BUFFER)                                                     \
    .channel = (CHANNEL), .call = (CALL), .buffer = (BUFFER), .message = (SIZE), .messages = 136, \
    .part = (SIZE), .warm = 8, .timed = 128
/* Fewer, so that all of it fits a TCP socket's first window and a pipe of the default size. */
#define ONE_EACH_SHORT(CHANNEL, CALL, SIZE, BUFFER)                                              \
    .channel = (CHANNEL), .call = (CALL), .buffer = (BUFFER), .message = (SIZE), .messages = 36, \
    .part = (SIZE), .warm = 4, .timed = 32
/* The first 64 receives are untimed, so that on both sides the timed ones start with a message. */
#define PARTS(CALL, SIZE)                                                    \
    .channel = BENCH_UDP, .call = (CALL), .buffer = 1000, .message = (SIZE), \
    .messages = 128000 / (SIZE), .part = 1000, .warm = 64, .timed = 64

#define SAME(NAME, GROUP, ...)                                                             \
    {                                                                                      \
        .name = (NAME), .group = (GROUP), .without = {__VA_ARGS__}, .with = {__VA_ARGS__}, \
        .with_worker = WITH                                                                \
    }
#define SETTING(NAME, WORKER, ...)                                            \
    {                                                                         \
        .name = (NAME), .group = GROUP_INFORMATION, .without = {__VA_ARGS__}, \
        .with = {__VA_ARGS__}, .with_worker = (WORKER)                        \
    }
#define TAIL(NAME, ...)                                                       \
    {                                                                         \
        .name = (NAME), .group = GROUP_INFORMATION, .without = {__VA_ARGS__}, \
        .with = {__VA_ARGS__, .tail_elsewhere = 1}, .with_worker = WITH_TAIL  \
    }
#define BY_HAND(NAME, SIZE)                                                                      \
    {                                                                                            \
        .name = (NAME), .group = GROUP_INFORMATION,                                              \
        .without = {ONE_EACH(BENCH_UDP, BENCH_RECV, SIZE, 2048)},                                \
        .with = {ONE_EACH(BENCH_UDP, BENCH_PEEK_RECV, SIZE, 2048)}, .with_worker = WITHOUT_AGAIN \
    }

static const struct bench_case cases[] = {
    SAME("recv, 64 bytes", GROUP_FITS, ONE_EACH(BENCH_UDP, BENCH_RECV, 64, 2048)),
    SAME("recv, 1200 bytes", GROUP_FITS, ONE_EACH(BENCH_UDP, BENCH_RECV, 1200, 2048)),
    SAME("recvfrom, 64 bytes", GROUP_FITS, ONE_EACH(BENCH_UDP, BENCH_RECVFROM, 64, 2048)),
    SAME("recvfrom, 1200 bytes", GROUP_FITS, ONE_EACH(BENCH_UDP, BENCH_RECVFROM, 1200, 2048)),
    SAME("read, 64 bytes", GROUP_FITS, ONE_EACH(BENCH_UDP, BENCH_READ, 64, 2048)),
    SAME("read, 1200 bytes", GROUP_FITS, ONE_EACH(BENCH_UDP, BENCH_READ, 1200, 2048)),
    SAME("recvmsg, 64 bytes", GROUP_FITS, ONE_EACH(BENCH_UDP, BENCH_RECVMSG, 64, 2048)),
    SAME("recvmsg, 1200 bytes", GROUP_FITS, ONE_EACH(BENCH_UDP, BENCH_RECVMSG, 1200, 2048)),
    SAME("recv, 64 bytes, buffer 65535", GROUP_FITS, ONE_EACH(BENCH_UDP, BENCH_RECV, 64, 65535)),
    SAME("recvfrom, 1200 bytes, buffer 65535", GROUP_FITS,
         ONE_EACH(BENCH_UDP, BENCH_RECVFROM, 1200, 65535)),

    SAME("TCP recv, 64 bytes", GROUP_STREAMS, ONE_EACH(BENCH_TCP, BENCH_RECV, 64, 64)),
    SAME("TCP recv, 1200 bytes", GROUP_STREAMS, ONE_EACH_SHORT(BENCH_TCP, BENCH_RECV, 1200, 1200)),
    SAME("pipe read, 64 bytes", GROUP_STREAMS, ONE_EACH(BENCH_PIPE, BENCH_READ, 64, 64)),
    SAME("pipe read, 1200 bytes", GROUP_STREAMS,
         ONE_EACH_SHORT(BENCH_PIPE, BENCH_READ, 1200, 1200)),

    {.name = "recv",
     .group = GROUP_PARTS,
     .without = {PARTS(BENCH_RECV, 1000)},
     .with = {PARTS(BENCH_RECV, 64000)},
     .with_worker = WITH},
    {.name = "recvfrom",
     .group = GROUP_PARTS,
     .without = {PARTS(BENCH_RECVFROM, 1000)},
     .with = {PARTS(BENCH_RECVFROM, 64000)},
     .with_worker = WITH},
    {.name = "read",
     .group = GROUP_PARTS,
     .without = {PARTS(BENCH_READ, 1000)},
     .with = {PARTS(BENCH_READ, 64000)},
     .with_worker = WITH},

    SETTING("WSRX_CALLS=all, recvmsg, 64 bytes", WITH_ALL,
            ONE_EACH(BENCH_UDP, BENCH_RECVMSG, 64, 2048)),
    SETTING("WSRX_CALLS=all, recvmsg, 1200 bytes", WITH_ALL,
            ONE_EACH(BENCH_UDP, BENCH_RECVMSG, 1200, 2048)),
    SETTING("WSRX_HOLD=kernel, recv, 64 bytes", WITH_KERNEL,
            ONE_EACH(BENCH_UDP, BENCH_RECV, 64, 2048)),
    SETTING("WSRX_HOLD=kernel, recv, 1200 bytes", WITH_KERNEL,
            ONE_EACH(BENCH_UDP, BENCH_RECV, 1200, 2048)),
    SETTING("WSRX_MODE=observe, recv, 64 bytes", WITH_OBSERVE,
            ONE_EACH(BENCH_UDP, BENCH_RECV, 64, 2048)),
    SETTING("WSRX_MODE=off, recv, 64 bytes", WITH_OFF, ONE_EACH(BENCH_UDP, BENCH_RECV, 64, 2048)),
    SAME("recv, 64 bytes, 64 buffers by turns", GROUP_INFORMATION,
         ONE_EACH(BENCH_UDP, BENCH_RECV, 64, 2048), .buffers = 64),
    SAME("AF_UNIX recv, 64 bytes", GROUP_INFORMATION, ONE_EACH(BENCH_UNIX, BENCH_RECV, 64, 2048)),
    TAIL("recv, 64 bytes, tail held elsewhere", ONE_EACH(BENCH_UDP, BENCH_RECV, 64, 2048)),
    TAIL("pipe read, 64, tail held elsewhere", ONE_EACH(BENCH_PIPE, BENCH_READ, 64, 64)),
    BY_HAND("no library: peek, then recv, 64 bytes", 64),
    BY_HAND("no library: peek, then recv, 1200", 1200),
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
                            const struct bench_batch *batch)
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
            return (double)answer.nanoseconds / batch->timed;
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
            measure_batch(bench, result, kind, side == 2 ? &subject->with : &subject->without);
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

static int weight(const struct bench_case *subject)
{
    return groups[subject->group].goal > 0 ? 3 : 1;
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
    double goal = groups[subject->group].goal;
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
