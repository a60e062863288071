/* SPDX-License-Identifier: MIT
 *
 * Faults, counters, and the end of a share.
 */
#define _GNU_SOURCE
#include "torture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FAULTS_TOLD = 20 };

struct options options = {.patience = 30, .faults = 100, .with_epoll = true};
struct common *common;
__thread struct place *place;

int64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

unsigned long total_of_parts(void)
{
    unsigned long total = 0;

    for (unsigned i = 0; i < PLACES; i++)
        total += atomic_load_explicit(&common->place[i].parts, memory_order_relaxed);
    return total;
}

bool hopeless(void)
{
    return atomic_load_explicit(&common->faults, memory_order_relaxed) >= options.faults;
}

bool share_done(const struct share *share)
{
    return hopeless() || total_of_parts() >= share->until || now() >= share->deadline;
}

/* snprintf() of numbers and strings takes no lock and no memory in glibc. */
void fault(unsigned socket, unsigned message, size_t offset, const char *format, ...)
{
    unsigned long before = atomic_fetch_add(&common->faults, 1);
    char line[512];
    int saved = errno, length;
    va_list list;

    if (before >= FAULTS_TOLD)
        return;
    length = snprintf(line, sizeof line,
                      "torture: FAULT seed=%" PRIu64 " scenario=%s socket=%u message=%u offset=%zu"
                      " pid=%d: ",
                      options.seed, atomic_load(&common->scenario), socket, message, offset,
                      (int)getpid());
    va_start(list, format);
    length += vsnprintf(line + length, sizeof line - (size_t)length - 1, format, list);
    va_end(list);
    if ((size_t)length > sizeof line - 2)
        length = sizeof line - 2;
    line[length++] = '\n';
    if (write(STDOUT_FILENO, line, (size_t)length) < 0)
        _exit(4);
    errno = saved;
}

void cannot(const char *format, ...)
{
    va_list list;

    fputs("torture: SKIP ", stdout);
    va_start(list, format);
    vprintf(format, list);
    va_end(list);
    putchar('\n');
    exit(77);
}
