/* SPDX-License-Identifier: MIT */
/*
 * What a start, a thread or a close costs, seen from inside: prints the median of two hundred, in
 * nanoseconds. It is run with the library and without.
 *
 *   closes   close_range(5, ~0U) while nothing is held
 *   tail     the same while a tail is held, on descriptor 3
 *   first    the first receive of a thread
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 201 };

static double took[ROUNDS];
static int ends[2];
static sem_t received; /* threads stay: the next one gets nothing of theirs */

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double difference = *(const double *)a - *(const double *)b;

    return (difference > 0) - (difference < 0);
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void close_all(int i)
{
    double before = now();

    if (close_range(5, ~0u, 0) != 0)
        fail("close_range");
    took[i] = now() - before;
}

static void *receive_first(void *round)
{
    char buffer[100] = {0};
    double before;

    if (send(ends[1], buffer, 10, 0) != 10)
        fail("send");
    before = now();
    if (recv(ends[0], buffer, sizeof buffer, 0) != 10)
        fail("recv");
    *(double *)round = now() - before;
    sem_post(&received);
    for (;;)
        pause();
    return NULL;
}

static void start_thread(int i)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, receive_first, &took[i]) != 0)
        fail("pthread_create");
    while (sem_wait(&received) != 0)
        continue;
}

int main(int argc, char **argv)
{
    const char *what = argc == 2 ? argv[1] : "";
    char message[3000] = {0};

    sem_init(&received, 0, 0);
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) != 0)
        fail("socketpair");
    if (strcmp(what, "tail") == 0 && (send(ends[1], message, sizeof message, 0) != sizeof message ||
                                      recv(ends[0], message, 1000, 0) != 1000))
        fail("recv");
    for (int i = 0; i < ROUNDS; i++) {
        if (strcmp(what, "first") == 0)
            start_thread(i);
        else
            close_all(i);
    }
    qsort(took, ROUNDS, sizeof took[0], compare);
    printf("%.0f\n", took[ROUNDS / 2]);
    return 0;
}
