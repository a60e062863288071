/* SPDX-License-Identifier: MIT
 *
 * The library against the model: random sequences of operations, on real sockets and on the model,
 * under many settings. Where the two differ it finds the shortest sequence that still shows it.
 *
 *   model [--seed N] [--operations N] [--settings NAME] [--blind]
 *   model --settings NAME --play 'open:0,0,0,0,0 send:...'
 *   model --settings NAME --seed N --sequences A-B
 *
 * WSRX_TEST_LIBRARY names the library. --blind leaves it out, for a test that must fail. The watcher
 * never has it: each row of settings is a program of its own, this one again.
 */
#define _GNU_SOURCE
#include "world.h"

#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    PATIENCE = 30,       /* seconds for one sequence */
    TRY_PATIENCE = 2,    /* the same, while a shorter one is looked for */
    SHRINK_SECONDS = 30, /* for all of that */
    LIST_MOST = OPS_MAX * 48,
};

static const struct row {
    const char *name, *environment[4];
    struct model_settings settings;
} rows[] = {
    {"linux", {0}, {.absent = true, .mode = MODE_OFF}},
    {"default", {0}, {0}},
    {"all", {"WSRX_CALLS=all"}, {.calls_all = true}},
    {"kernel", {"WSRX_HOLD=kernel"}, {0}},
    {"kernel-all", {"WSRX_HOLD=kernel", "WSRX_CALLS=all"}, {.calls_all = true}},
    {"full", {"WSRX_HOLD_MAX=4K", "WSRX_CALLS=all"}, {.calls_all = true}},
    {"error", {"WSRX_MODE=error"}, {.mode = MODE_ERROR}},
    {"error-all",
     {"WSRX_MODE=error", "WSRX_CALLS=all", "WSRX_HOLD=kernel"},
     {.mode = MODE_ERROR, .calls_all = true}},
    {"discard", {"WSRX_MODE=discard"}, {.mode = MODE_DISCARD}},
    {"discard-all",
     {"WSRX_MODE=discard", "WSRX_CALLS=all", "WSRX_HOLD=kernel"},
     {.mode = MODE_DISCARD, .calls_all = true}},
    {"observe", {"WSRX_MODE=observe", "WSRX_CALLS=all"}, {.mode = MODE_OBSERVE, .calls_all = true}},
    {"off", {"WSRX_MODE=off"}, {.mode = MODE_OFF}},
    {"until-send", {"WSRX_TAIL=until-send"}, {.until_send = true}},
    {"until-send-kernel",
     {"WSRX_TAIL=until-send", "WSRX_HOLD=kernel", "WSRX_CALLS=all"},
     {.until_send = true, .calls_all = true}},
    {"udp", {"WSRX_SOCKETS=udp"}, {.udp_only = true}},
    {"traced",
     {"WSRX_TRACE=text", "WSRX_TRACE_FILTER=fd=99999", "WSRX_CALLS=all"},
     {.calls_all = true}},
};
enum { ROWS = sizeof rows / sizeof *rows };

static int shared_fd;
static const char *library;

/* --- the program that plays ---------------------------------------------------------------- */

static uint64_t seed_of(uint64_t seed, size_t row, unsigned long sequence)
{
    return (seed * ROWS + row) * UINT64_C(0x9E3779B97F4A7C15) +
           sequence * UINT64_C(0xD1B54A32D192ED03);
}

static int play_list(const char *list)
{
    struct op ops[OPS_MAX];
    size_t count;

    if (!ops_parse(list, ops, &count))
        return 2;
    alarm(world_verbose ? PATIENCE : TRY_PATIENCE);
    return world_play(ops, count) ? 0 : 1;
}

/* What is to be played of the sequences of a seed. */
struct range {
    unsigned long long seed;
    unsigned long first, last, operations;
};

static int play_random(size_t row, const struct range *range)
{
    struct op ops[OPS_MAX];

    for (world->sequence = range->first;
         world->sequence <= range->last && world->operations < range->operations;
         world->sequence++) {
        size_t count = ops_generate(seed_of(range->seed, row, world->sequence), ops);

        world_says("sequence %lu\n", world->sequence);
        alarm(PATIENCE);
        if (!world_play(ops, count))
            return 1;
    }
    return 0;
}

/* --- the watcher --------------------------------------------------------------------------- */

/* Starts this program again as one that plays. Returns its status; 128 + the signal that ended it. */
static int run(size_t row, const char *what, const char *argument, bool verbose)
{
    const char *first = getenv("WSRX_TEST_PRELOAD_FIRST"); /* AddressSanitizer's runtime */
    char number[16], fd[16], preload[PATH_MAX];
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        snprintf(number, sizeof number, "%zu", row);
        snprintf(fd, sizeof fd, "%d", shared_fd);
        for (unsigned i = 0; i < 4 && rows[row].environment[i]; i++)
            putenv((char *)(uintptr_t)rows[row].environment[i]);
        unsetenv("WSRX_TEST_LIBRARY");
        if (library && !rows[row].settings.absent) {
            snprintf(preload, sizeof preload, "%s %s", first ? first : "", library);
            setenv("LD_PRELOAD", preload, 1);
        }
        execl("/proc/self/exe", "model", "--player", number, fd, verbose ? "1" : "0", what,
              argument, (char *)NULL);
        _exit(126);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        return 126;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int run_list(size_t row, const struct op *ops, size_t count, bool verbose)
{
    static char list[LIST_MOST];

    memset(world, 0, sizeof *world);
    ops_print(ops, count, list, sizeof list);
    return run(row, "--play", list, verbose);
}

static int run_range(size_t row, const struct range *range, bool verbose)
{
    char argument[96];

    memset(world, 0, sizeof *world);
    snprintf(argument, sizeof argument, "%llu %lu %lu %lu", range->seed, range->first, range->last,
             range->operations);
    return run(row, "--random", argument, verbose);
}

static bool still_fails(int status)
{
    return status == 1 || status > 128;
}

/* Leaves out what can be left out: halves first, single operations last. */
static size_t shrink(size_t row, struct op *ops, size_t count)
{
    struct op fewer[OPS_MAX];
    time_t end = time(NULL) + SHRINK_SECONDS;

    for (size_t piece = (count + 1) / 2; piece > 0; piece /= 2) {
        bool again = true;

        while (again && piece > 0) {
            again = false;
            for (size_t at = 0; at < count && time(NULL) < end; at += piece) {
                size_t gone = count - at < piece ? count - at : piece;

                memcpy(fewer, ops, at * sizeof *ops);
                memcpy(fewer + at, ops + at + gone, (count - at - gone) * sizeof *ops);
                if (!still_fails(run_list(row, fewer, count - gone, false)))
                    continue;
                count -= gone;
                memcpy(ops, fewer, count * sizeof *ops);
                at -= piece < at ? piece : at;
                again = piece == 1;
            }
        }
    }
    return count;
}

static void say_status(int status)
{
    if (status > 128)
        printf("  the program was ended by signal %d (%s), at operation %zu\n", status - 128,
               status - 128 == SIGALRM ? "it hung" : "a crash", world->at);
    else if (status == 1)
        printf("  %s\n", world->why);
    else if (status == 0)
        printf("  the library and the model agree\n");
    else
        printf("  the program could not play: status %d\n", status);
    fflush(stdout);
}

/* It takes some of the sequences before it, too. */
static void explain_range(size_t row, struct range range)
{
    for (unsigned long back = 1; range.last > 0; back *= 2) {
        range.first = back < range.last ? range.last - back : 0;
        if (still_fails(run_range(row, &range, false))) {
            printf("  not by this sequence alone: --settings %s --seed %llu --sequences %lu-%lu\n",
                   rows[row].name, range.seed, range.first, range.last);
            return;
        }
        if (range.first == 0)
            break;
    }
    printf("  not again by the same sequences\n");
}

static void explain(size_t row, const struct range *range, int status)
{
    static char list[LIST_MOST];
    struct op ops[OPS_MAX];
    unsigned long sequence = world->sequence;
    size_t count;

    printf("settings %s, seed %llu, sequence %lu: the library and the model differ\n",
           rows[row].name, range->seed, sequence);
    say_status(status);
    count = ops_generate(seed_of(range->seed, row, sequence), ops);
    if (!still_fails(run_list(row, ops, count, false))) {
        explain_range(row, (struct range){range->seed, 0, sequence, ULONG_MAX});
        return;
    }
    count = shrink(row, ops, count);
    ops_print(ops, count, list, sizeof list);
    printf("the shortest sequence, %zu operations: --settings %s --play '%s'\n", count,
           rows[row].name, list);
    fflush(stdout);
    say_status(run_list(row, ops, count, true));
}

static bool watch(size_t row, const struct range *range, bool verbose, unsigned long *sum)
{
    int status = run_range(row, range, verbose);

    *sum += world->operations;
    if (status == 0) {
        printf("%-18s %9lu operations, %lu sequences\n", rows[row].name, world->operations,
               world->sequence - range->first);
        fflush(stdout);
        return true;
    }
    if (verbose)
        say_status(status);
    else
        explain(row, range, status);
    return false;
}

static void share(int fd)
{
    shared_fd = fd < 0 ? memfd_create("model", 0) : fd;
    if (fd < 0 && ftruncate(shared_fd, sizeof *world) != 0)
        exit(2);
    world = mmap(NULL, sizeof *world, PROT_READ | PROT_WRITE, MAP_SHARED, shared_fd, 0);
    if (world == MAP_FAILED)
        exit(2);
}

static int player(char **argv)
{
    size_t row = strtoul(argv[2], NULL, 10);
    struct range range;
    cpu_set_t one;

    share(atoi(argv[3]));
    /* A datagram over the loopback has arrived when send() returns, if one processor does both. */
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    sched_setaffinity(0, sizeof one, &one);
    world_verbose = *argv[4] == '1';
    world->model.settings = rows[row].settings;
    if (strcmp(argv[5], "--play") == 0)
        return play_list(argv[6]);
    if (sscanf(argv[6], "%llu %lu %lu %lu", &range.seed, &range.first, &range.last,
               &range.operations) != 4)
        return 2;
    return play_random(row, &range);
}

static int usage(void)
{
    fprintf(stderr, "usage: model [--seed N] [--operations N] [--settings NAME] [--blind] "
                    "[--play LIST] [--sequences A-B]\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct range range = {(unsigned long long)time(NULL), 0, ULONG_MAX, 0};
    unsigned long operations = 200000, sum = 0;
    bool verbose = false;
    const char *only = NULL, *list = NULL;
    bool ok = true;

    if (argc == 7 && strcmp(argv[1], "--player") == 0)
        return player(argv);
    library = getenv("WSRX_TEST_LIBRARY");
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--blind") == 0)
            library = NULL;
        else if (i + 1 == argc)
            return usage();
        else if (strcmp(argv[i], "--seed") == 0)
            range.seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--operations") == 0)
            operations = strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--sequences") == 0)
            verbose = sscanf(argv[++i], "%lu-%lu", &range.first, &range.last) == 2;
        else if (strcmp(argv[i], "--settings") == 0)
            only = argv[++i];
        else if (strcmp(argv[i], "--play") == 0)
            list = argv[++i];
        else
            return usage();
    }
    share(-1);
    for (size_t row = 0; row < ROWS; row++) {
        if (only && strcmp(only, rows[row].name) != 0)
            continue;
        if (list) {
            int status = run(row, "--play", list, true);

            say_status(status);
            return status;
        }
        range.operations = verbose ? ULONG_MAX : only ? operations : operations / ROWS;
        ok &= watch(row, &range, verbose, &sum);
    }
    printf("%lu operations, seed %llu: %s\n", sum, range.seed,
           ok ? "the library and the model agree" : "they differ");
    return ok ? 0 : 1;
}
