/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base/clock.h"

#include "base/sys.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

FAST_PATH_DATA atomic_bool clock_is_coarse;

int64_t clock_read(clockid_t id)
{
    struct timespec time;

    if (atomic_load_explicit(&clock_is_coarse, memory_order_relaxed))
        id = id == CLOCK_REALTIME    ? CLOCK_REALTIME_COARSE
             : id == CLOCK_MONOTONIC ? CLOCK_MONOTONIC_COARSE
                                     : id;
    clock_gettime(id, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static uint64_t read_unsigned(clockid_t id)
{
    return (uint64_t)clock_read(id);
}

int64_t clock_realtime_offset(void)
{
    return clock_read(CLOCK_REALTIME) - clock_read(CLOCK_MONOTONIC);
}

#ifdef __x86_64__

enum { SHORTEST_BASE = 1000000 };

static struct {
    bool usable;
    uint64_t ticks, time; /* at start-up: the rate is measured from there */
} counter;

void clock_start(void)
{
    static const char path[] = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    char source[4] = "";
    int fd = sys_open(path, O_RDONLY, 0);

    if (fd < 0)
        return;
    counter.usable = sys_read(fd, source, sizeof source) == sizeof source &&
                     memcmp(source, "tsc\n", sizeof source) == 0;
    sys_close(fd);
    counter.ticks = __rdtsc();
    counter.time = read_unsigned(CLOCK_MONOTONIC);
}

uint64_t clock_ask(struct clock *clock)
{
    uint64_t time = read_unsigned(CLOCK_MONOTONIC);

    if (atomic_load_explicit(&clock_is_coarse, memory_order_relaxed))
        return time;
    clock->ticks = __rdtsc();
    clock->time = time;
    if (counter.usable && time - counter.time > SHORTEST_BASE)
        clock->rate = (uint64_t)((double)(time - counter.time) * 4294967296.0 /
                                 (double)(clock->ticks - counter.ticks));
    return time;
}

#else
void clock_start(void)
{
}

uint64_t clock_ask(struct clock *clock)
{
    (void)clock;
    return read_unsigned(CLOCK_MONOTONIC);
}
#endif
