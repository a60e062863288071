/* SPDX-License-Identifier: MIT
 *
 * The system calls for which a libc may have no function, so that syscall(2) can have them done by
 * the wrappers that are there for libcs that have one.
 */
#define _GNU_SOURCE
#include "real.h"

#include <string.h>
#include <sys/syscall.h>

enum { KERNEL_SIGSET = 8 };

static ssize_t by_preadv2(int fd, const struct iovec *iov, int iovcnt, off_t offset, int flags)
{
    enum { HALF = sizeof(long) * 4 };

    /* The offset in two halves, of which one is enough on a 64-bit machine. */
    return REAL(syscall)(SYS_preadv2, (long)fd, iov, (long)iovcnt, (long)offset,
                         (long)(offset >> HALF >> HALF), (long)flags);
}

static int by_epoll_pwait2(int epfd, struct epoll_event *events, int max,
                           const struct timespec *timeout, const sigset_t *mask)
{
    return (int)REAL(syscall)(SYS_epoll_pwait2, (long)epfd, events, (long)max, timeout, mask,
                              (long)KERNEL_SIGSET);
}

static int by_close_range(unsigned first, unsigned last, int flags)
{
    return (int)REAL(syscall)(SYS_close_range, (long)first, (long)last, (long)flags);
}

static int by_pkey_mprotect(void *at, size_t length, int protection, int key)
{
    return (int)REAL(syscall)(SYS_pkey_mprotect, at, length, (long)protection, (long)key);
}

static ssize_t by_process_madvise(int process, const struct iovec *ranges, size_t count, int advice,
                                  unsigned flags)
{
    return REAL(syscall)(SYS_process_madvise, (long)process, ranges, (long)count, (long)advice,
                         (long)flags);
}

static int by_execveat(int at, const char *path, char *const argv[], char *const environment[],
                       int flags)
{
    return (int)REAL(syscall)(SYS_execveat, (long)at, path, argv, environment, (long)flags);
}

void *real_by_number(const char *name)
{
    static const struct {
        const char *name;
        void *call;
    } calls[] = {
        {"preadv2", (void *)by_preadv2},         {"epoll_pwait2", (void *)by_epoll_pwait2},
        {"close_range", (void *)by_close_range}, {"pkey_mprotect", (void *)by_pkey_mprotect},
        {"execveat", (void *)by_execveat},       {"process_madvise", (void *)by_process_madvise},
    };

    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (strcmp(calls[i].name, name) == 0)
            return calls[i].call;
    return NULL;
}
