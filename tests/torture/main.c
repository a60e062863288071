/* SPDX-License-Identifier: MIT
 *
 * The torture program's start: options, the scenarios in turn, the watchdog, the sums.
 *
 * Exit: 0 with no fault; 1 with faults; 2 for bad usage; 3 when it hung; 77 when it could not run.
 * The long run, from the build directory (see tests/torture/meson.build for others):
 *   WSRX_CALLS=all LD_PRELOAD=preload/libwsrx.so tests/torture/torture --calls all --parts 10000000
 */
#define _GNU_SOURCE
#include "torture.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct scenario {
    const char *name;
    void (*run)(const struct share *share);
    unsigned weight; /* of the parts and of the time */
    const char *what;
};

/* Those that fork come last: they change the process for good. */
static const struct scenario scenarios[] = {
    {"single", scenario_single, 25, "one thread, many sockets, every call"},
    {"small", scenario_small, 5, "threads with 16 KiB of stack"},
    {"many", scenario_many, 15, "8 threads, many sockets, descriptors closed and reused"},
    {"shared", scenario_shared, 25, "8 threads on one socket"},
    {"signals", scenario_signals, 10, "receives in handlers that interrupt receives"},
    {"cancel", scenario_cancel, 3, "threads cancelled in a receive"},
    {"fds", scenario_fds, 2, "10,000 sockets with a tail each, high descriptors"},
    {"fork", scenario_fork, 5, "parent and children on one socket, children killed"},
    {"prefork", scenario_prefork, 10, "8 processes on one socket"},
};
enum { SCENARIOS = sizeof scenarios / sizeof *scenarios };

/* --- the watchdog ------------------------------------------------------------------------ */

static unsigned long watched_operations;
static int watched_seconds;

static unsigned long total_of_operations(void)
{
    unsigned long total = 0;

    for (unsigned i = 0; i < PLACES; i++)
        total += atomic_load_explicit(&common->place[i].operations, memory_order_relaxed);
    return total;
}

static void tell_place(unsigned i)
{
    struct place *at = &common->place[i];
    const char *doing = atomic_load(&at->doing);
    char line[256];
    int length;

    if (!doing)
        return;
    length =
        snprintf(line, sizeof line,
                 "torture:   place %u: pid %d in %s on fd %d, socket %u, message %u, "
                 "after %lu operations\n",
                 i, atomic_load(&at->pid), doing, atomic_load(&at->fd), atomic_load(&at->socket),
                 atomic_load(&at->message), atomic_load(&at->operations));
    if (write(STDOUT_FILENO, line, (size_t)length) < 0)
        _exit(4);
}

/* Once a second: where nothing has moved for too long, says who stood where, and ends it. The
 * children die with their parent (PR_SET_PDEATHSIG). */
static void watch(int signal)
{
    unsigned long operations = total_of_operations();
    int saved = errno, length;
    char line[256];

    (void)signal;
    if (operations != watched_operations) {
        watched_operations = operations;
        watched_seconds = 0;
    } else if (++watched_seconds >= (int)options.patience) {
        length = snprintf(line, sizeof line,
                          "torture: HANG seed=%" PRIu64 " scenario=%s: nothing moved for %u s\n",
                          options.seed, atomic_load(&common->scenario), options.patience);
        if (write(STDOUT_FILENO, line, (size_t)length) < 0)
            _exit(4);
        for (unsigned i = 0; i < PLACES; i++)
            tell_place(i);
        _exit(3);
    }
    errno = saved;
}

static void start_watchdog(void)
{
    struct sigaction action = {.sa_handler = watch, .sa_flags = SA_RESTART};
    struct itimerval every = {{1, 0}, {1, 0}};

    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
}

/* --- the descriptors ---------------------------------------------------------------------- */

enum { LISTING = 1 << 16 };

/* What /proc/self/fd shows, but for the descriptor that lists it. */
static void list_descriptors(char *to)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;
    size_t used = 0;

    *to = '\0';
    while (dir && (entry = readdir(dir)) && used < LISTING - PATH_MAX) {
        char target[PATH_MAX], path[64];
        ssize_t length;

        if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(dir))
            continue;
        snprintf(path, sizeof path, "/proc/self/fd/%.20s", entry->d_name);
        length = readlink(path, target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
        used += (size_t)snprintf(to + used, LISTING - used, "%s -> %s; ", entry->d_name, target);
    }
    if (dir)
        closedir(dir);
}

/* --- the run ------------------------------------------------------------------------------ */

static void print_sums(const char *name, const struct place *before, double seconds)
{
    unsigned long operations = 0, parts = 0, messages = 0, bytes = 0;

    for (unsigned i = 0; i < PLACES; i++) {
        operations += atomic_load(&common->place[i].operations);
        parts += atomic_load(&common->place[i].parts);
        messages += atomic_load(&common->place[i].messages);
        bytes += atomic_load(&common->place[i].bytes);
    }
    printf("torture: %-8s %9lu operations, %9lu parts, %8lu messages, %12lu bytes in %.1f s; "
           "%lu faults",
           name, operations - atomic_load(&before->operations), parts - atomic_load(&before->parts),
           messages - atomic_load(&before->messages), bytes - atomic_load(&before->bytes), seconds,
           atomic_load(&common->faults));
    if (atomic_load(&common->overtaken))
        printf("; %lu messages overtaken", atomic_load(&common->overtaken));
    if (atomic_load(&common->peerless))
        printf("; %lu first parts without a peer", atomic_load(&common->peerless));
    if (atomic_load(&common->killed))
        printf("; %lu receivers ended in a receive, %lu stretches went with them",
               atomic_load(&common->killed), atomic_load(&common->gone));
    putchar('\n');
    fflush(stdout);
}

static void sum_up(struct place *to)
{
    memset(to, 0, sizeof *to);
    for (unsigned i = 0; i < PLACES; i++) {
        count(&to->operations, atomic_load(&common->place[i].operations));
        count(&to->parts, atomic_load(&common->place[i].parts));
        count(&to->messages, atomic_load(&common->place[i].messages));
        count(&to->bytes, atomic_load(&common->place[i].bytes));
    }
}

static void run(const struct scenario *scenario, unsigned long parts, double seconds)
{
    static char before[LISTING], after[LISTING];
    struct place sums;
    struct share share = {scenario->name, total_of_parts() + parts,
                          now() + (int64_t)(seconds * 1e9)};
    int64_t start = now();

    sum_up(&sums);
    atomic_store(&common->scenario, scenario->name);
    for (unsigned i = 0; i < PLACES; i++)
        atomic_store(&common->place[i].doing, NULL);
    stand("start", -1);
    list_descriptors(before);
    scenario->run(&share);
    list_descriptors(after);
    if (strcmp(before, after) != 0)
        fault(0, 0, 0, "/proc/self/fd: expected \"%s\", got \"%s\"", before, after);
    print_sums(scenario->name, &sums, (double)(now() - start) / 1e9);
}

static const struct scenario *find(const char *name)
{
    for (unsigned i = 0; i < SCENARIOS; i++)
        if (strcmp(scenarios[i].name, name) == 0)
            return &scenarios[i];
    return NULL;
}

static int usage(FILE *to)
{
    fprintf(to, "usage: torture [options] [scenario...]\n"
                "  --parts N      receive that many parts in all (default 100000)\n"
                "  --seconds N    but stop after that time (default: no bound)\n"
                "  --seed N       the plan (default: of the clock)\n"
                "  --calls WHICH  plain or all: which calls are expected to hold a tail\n"
                "  --no-epoll     wait by poll and select only\n"
                "  --strict       faults are, too: where receives overlap, a message that\n"
                "                 overtakes another one, or comes without its peer; and a wait by\n"
                "                 epoll that is wrong after a raw close of a registered\n"
                "                 descriptor\n"
                "  --trace        a line on stderr for each receive\n"
                "  --patience N   seconds without progress that are a hang (default 30)\n"
                "  --faults N     faults after which it gives up (default 100)\n"
                "scenarios (default: all):\n");
    for (unsigned i = 0; i < SCENARIOS; i++)
        fprintf(to, "  %-8s %s\n", scenarios[i].name, scenarios[i].what);
    return to == stdout ? 0 : 2;
}

static uint64_t number(const char *text, const char *what)
{
    char *end;
    uint64_t value = strtoull(text, &end, 0);

    if (*text == '\0' || *end != '\0') {
        fprintf(stderr, "torture: %s: expected a number, got \"%s\"\n", what, text);
        exit(2);
    }
    return value;
}

static void parse(int argc, char **argv)
{
    static const struct option known[] = {
        {"parts", required_argument, NULL, 'n'},
        {"seconds", required_argument, NULL, 't'},
        {"seed", required_argument, NULL, 's'},
        {"calls", required_argument, NULL, 'c'},
        {"no-epoll", no_argument, NULL, 'e'},
        {"strict", no_argument, NULL, 'o'},
        {"trace", no_argument, NULL, 'v'},
        {"faults", required_argument, NULL, 'f'},
        {"patience", required_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;

    options.seed = (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;
    options.parts = 100000;
    while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
        switch (option) {
        case 'n':
            options.parts = number(optarg, "--parts");
            break;
        case 't':
            options.seconds = (unsigned)number(optarg, "--seconds");
            break;
        case 's':
            options.seed = number(optarg, "--seed");
            break;
        case 'p':
            options.patience = (unsigned)number(optarg, "--patience");
            break;
        case 'c':
            options.calls_all = strcmp(optarg, "all") == 0;
            if (!options.calls_all && strcmp(optarg, "plain") != 0)
                exit(usage(stderr));
            break;
        case 'e':
            options.with_epoll = false;
            break;
        case 'v':
            options.trace = true;
            break;
        case 'f':
            options.faults = number(optarg, "--faults");
            break;
        case 'o':
            options.strict = true;
            break;
        case 'h':
            exit(usage(stdout));
        default:
            exit(usage(stderr));
        }
    }
}

int main(int argc, char **argv)
{
    const struct scenario *chosen[SCENARIOS];
    unsigned count_of = 0, weights = 0;
    struct place sums = {0};
    int64_t start = now();

    parse(argc, argv);
    for (int i = optind; i < argc && count_of < SCENARIOS; i++)
        if (!(chosen[count_of++] = find(argv[i])))
            return usage(stderr);
    if (count_of == 0)
        while (count_of < SCENARIOS) {
            chosen[count_of] = &scenarios[count_of];
            count_of++;
        }
    for (unsigned i = 0; i < count_of; i++)
        weights += chosen[i]->weight;

    common = mmap(NULL, sizeof *common, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (common == MAP_FAILED)
        cannot("no memory");
    place = &common->place[0];
    atomic_store(&place->pid, (int)getpid());
    printf("torture: seed %" PRIu64 ", %lu parts, reporting calls %s\n", options.seed,
           options.parts, options.calls_all ? "hold too" : "as on Linux");
    fflush(stdout);

    start_watchdog();
    for (unsigned i = 0; i < count_of && !hopeless(); i++)
        run(chosen[i], (options.parts * chosen[i]->weight + weights - 1) / weights,
            options.seconds ? (double)options.seconds * chosen[i]->weight / weights : 1e9);
    if (count_of > 1)
        print_sums("all", &sums, (double)(now() - start) / 1e9);
    if (total_of_parts() < options.parts)
        printf("torture: stopped after %lu of %lu parts\n", total_of_parts(), options.parts);
    return atomic_load(&common->faults) ? 1 : 0;
}
