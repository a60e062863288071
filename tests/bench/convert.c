/* SPDX-License-Identifier: MIT */
/*
 * How fast `wsrx convert` is: records a second, from a ring file into each format.
 *
 * The ring is written by the library's own writer: receives of 8 sockets (UDP over IPv4 and IPv6,
 * AF_UNIX), one in 16 of them in two parts. A round converts it once into each format, to /dev/null
 * and to a file in memory, start and end of the command included; the figure is the median round.
 * "CPU" goes by processor time instead, which is the same on an idle machine, and on a busy one
 * still tells what the command needs: the goal is judged by it.
 */
#define _GNU_SOURCE
#include "base/clock.h"
#include "trace/ring.h"

#include <netinet/in.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RECORDS = 600000, SOCKETS = 8, ROUNDS = 7, GOAL = 3000000 };

enum { EXIT_MEASURED = 0, EXIT_INCOMPLETE = 1, EXIT_USAGE = 64 };

static const char *const formats[] = {"text", "jsonl", "pcapng", "perfetto"};

enum { FORMATS = sizeof formats / sizeof *formats };

static socklen_t make_address(unsigned socket, unsigned port, struct sockaddr_storage *to)
{
    memset(to, 0, sizeof *to);
    if (socket % 4 == 1) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)to;

        *in6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
                                     .sin6_port = htons((uint16_t)port),
                                     .sin6_addr = IN6ADDR_LOOPBACK_INIT};
        return sizeof *in6;
    }
    if (socket % 4 == 3) {
        struct sockaddr_un *un = (struct sockaddr_un *)to;

        un->sun_family = AF_UNIX;
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
                           (size_t)snprintf(un->sun_path, sizeof un->sun_path, "/run/app/socket-%u",
                                            port) +
                           1);
    }
    *(struct sockaddr_in *)to = (struct sockaddr_in){.sin_family = AF_INET,
                                                     .sin_port = htons((uint16_t)port),
                                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return sizeof(struct sockaddr_in);
}

static bool write_ring(const char *path)
{
    static struct output_file output;
    static struct ring_process process;
    const struct ring_settings settings = {.size = (size_t)(RECORDS + 16) * 256};
    struct sockaddr_storage local[SOCKETS], peer[SOCKETS];
    socklen_t local_length[SOCKETS], peer_length[SOCKETS];
    struct ring_writer writer = {.head = NULL};
    struct clock clock = {0};

    for (unsigned i = 0; i < SOCKETS; i++) {
        local_length[i] = make_address(i, 5000 + i, &local[i]);
        peer_length[i] = make_address(i, 40000 + 7 * i, &peer[i]);
    }
    snprintf(output.path, sizeof output.path, "%s", path);
    clock_start();
    ring_prepare(&process, &settings, &output, 0, clock_now(&clock));
    for (unsigned i = 0; i < RECORDS; i++) {
        unsigned socket = i / 3 % SOCKETS, length = 100 + i * 37 % 1400;
        bool first = i % 16 == 0, second = i % 16 == 1;
        struct record record = {
            .time = clock_now(&clock),
            .cookie = 100 + socket,
            .caller = 0x55d0c0ffee00 + 64 * socket,
            .room = 2048,
            .length = first || second ? 3000 : length,
            .given = first    ? 2048
                     : second ? 952
                              : length,
            .offset = second ? 2048 : 0,
            .left = first ? 952 : 0,
            .tid = (uint32_t)getpid(),
            .fd = (int32_t)(3 + socket),
            .call = RECORD_RECVFROM,
            .flags = first ? RECORD_PARTIAL : RECORD_LAST,
            .local = (struct sockaddr *)&local[socket],
            .peer = (struct sockaddr *)&peer[socket],
            .local_length = local_length[socket],
            .peer_length = peer_length[socket],
        };

        ring_write(&process, &writer, &record);
    }
    ring_end(&process);
    return writer.written == RECORDS;
}

struct rate {
    double wall, cpu; /* seconds */
};

static bool convert(const char *command, const char *format, const char *from, const char *to,
                    struct rate *ret_rate)
{
    char *arguments[] = {(char *)(uintptr_t)command, (char *)(uintptr_t) "convert",
                         (char *)(uintptr_t) "--to", (char *)(uintptr_t)format,
                         (char *)(uintptr_t) "-o",   (char *)(uintptr_t)to,
                         (char *)(uintptr_t)from,    NULL};
    struct timespec start, stop;
    struct rusage usage;
    int status;
    pid_t pid;

    clock_gettime(CLOCK_MONOTONIC, &start);
    if (posix_spawn(&pid, command, NULL, NULL, arguments, environ) != 0 ||
        wait4(pid, &status, 0, &usage) != pid || status != 0)
        return false;
    clock_gettime(CLOCK_MONOTONIC, &stop);
    ret_rate->wall =
        (double)(stop.tv_sec - start.tv_sec) + (double)(stop.tv_nsec - start.tv_nsec) / 1e9;
    ret_rate->cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                    (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    return true;
}

static int compare(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;

    return a < b ? -1 : a > b;
}

static double millions(double *seconds)
{
    qsort(seconds, ROUNDS, sizeof *seconds, compare);
    return RECORDS / seconds[ROUNDS / 2] / 1e6;
}

static bool measure(const char *command, const char *ring, const char *file)
{
    const char *const targets[] = {"/dev/null", file};
    static double wall[FORMATS][2][ROUNDS], cpu[FORMATS][2][ROUNDS];

    for (int round = 0; round < ROUNDS; round++)
        for (int format = 0; format < FORMATS; format++)
            for (int target = 0; target < 2; target++) {
                struct rate rate;

                unlink(file);
                if (!convert(command, formats[format], ring, targets[target], &rate)) {
                    fprintf(stderr, "convert --to %s failed\n", formats[format]);
                    return false;
                }
                wall[format][target][round] = rate.wall;
                cpu[format][target][round] = rate.cpu;
            }
    printf("Millions of records a second, of %d in a ring (goal: %d by CPU, to /dev/null):\n",
           RECORDS, GOAL / 1000000);
    for (int format = 0; format < FORMATS; format++) {
        double rate = millions(cpu[format][0]);

        printf("  %-10s %5.2f (CPU %5.2f)   to a file %5.2f (CPU %5.2f)   %s\n", formats[format],
               millions(wall[format][0]), rate, millions(wall[format][1]), millions(cpu[format][1]),
               rate * 1e6 >= GOAL ? "met" : "missed");
    }
    return true;
}

int main(int argc, char **argv)
{
    char directory[] = "/dev/shm/wsrx-bench-XXXXXX", ring[64], file[64];
    bool good;

    if (argc != 2) {
        fprintf(stderr, "usage: convert WSRX\n");
        return EXIT_USAGE;
    }
    if (!mkdtemp(directory)) {
        perror(directory);
        return EXIT_INCOMPLETE;
    }
    snprintf(ring, sizeof ring, "%s/ring", directory);
    snprintf(file, sizeof file, "%s/out", directory);
    good = write_ring(ring) && measure(argv[1], ring, file);
    unlink(file);
    unlink(ring);
    rmdir(directory);
    return good ? EXIT_MEASURED : EXIT_INCOMPLETE;
}
