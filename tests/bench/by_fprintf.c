/* SPDX-License-Identifier: MIT
 *
 * What people do by hand: a preload that prints a line for each recv(). For comparison only.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static FILE *file;
static ssize_t (*next)(int fd, void *buf, size_t len, int flags);

__attribute__((constructor)) static void start(void)
{
    file = fopen(getenv("BY_FPRINTF"), "we");
    next = (ssize_t(*)(int, void *, size_t, int))dlsym(RTLD_NEXT, "recv");
}

__attribute__((visibility("default"))) ssize_t recv(int fd, void *buf, size_t len, int flags)
{
    ssize_t result = next(fd, buf, len, flags);
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    fprintf(file, "%lld.%09ld %d recv(%d, %zu) = %zd from %p\n", (long long)now.tv_sec, now.tv_nsec,
            (int)getpid(), fd, len, result, __builtin_return_address(0));
    return result;
}
