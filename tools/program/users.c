/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "program/users.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static pid_t first; /* of those that can be users */
static struct timespec begun;

/* Whether a file of /proc, of any size, contains a text. */
static bool contains(const char *path, const char *text)
{
    size_t length = strlen(text), kept = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool found = false;
    char piece[16 << 10];
    ssize_t got;

    while (fd >= 0 && !found && (got = read(fd, piece + kept, sizeof piece - kept)) > 0) {
        size_t filled = kept + (size_t)got;

        found = memmem(piece, filled, text, length) != NULL;
        kept = filled < length ? filled : length - 1;
        memmove(piece, piece + filled - kept, kept);
    }
    if (fd >= 0)
        close(fd);
    return found;
}

void users_begin(void)
{
    first = getpid();
    clock_gettime(CLOCK_MONOTONIC, &begun);
}

/* Which pids a user can have. They are given in order and begin anew at their end, in no less than a
 * second; so for a short run those of the run are the last ones. To read what every process maps
 * costs a hundred times what a short run does. */
struct range {
    pid_t from, to;
};

static struct range possible(void)
{
    enum { SHORT = 500 }; /* milliseconds */
    int fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
    char text[128];
    ssize_t got = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    struct timespec now;
    long took, last;
    char *word;

    if (fd >= 0)
        close(fd);
    text[got > 0 ? got : 0] = '\0';
    word = strrchr(text, ' ');
    last = word ? strtol(word, NULL, 10) : 0;
    clock_gettime(CLOCK_MONOTONIC, &now);
    took = (now.tv_sec - begun.tv_sec) * 1000 + (now.tv_nsec - begun.tv_nsec) / 1000000;
    return last >= first && took < SHORT ? (struct range){first, (pid_t)last}
                                         : (struct range){1, INT_MAX};
}

enum { FEW = 256 }; /* pids: cheaper to try than to list */

/* Whether the run has left no process at all, as nearly every short one: then there is nobody who could
 * start another one, and nothing to read or to wait for. A child's pid is above its parent's. */
static bool is_over(void)
{
    struct range range = possible();

    if (range.from != first || range.to - range.from >= FEW)
        return false;
    for (pid_t pid = first + 1; pid <= range.to; pid++)
        if (pid != getpid() && (kill(pid, 0) == 0 || errno != ESRCH))
            return false;
    return possible().to == range.to;
}

static bool is_user(pid_t pid, const char *directory)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/environ", pid);
    if (contains(path, directory))
        return true;
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    return contains(path, directory);
}

/* A pidfd for one of these, or -1. */
static int scan_range(struct range range, const char *directory, pid_t *ret_pid)
{
    for (pid_t pid = range.from; pid <= range.to; pid++)
        if (pid != getpid() && is_user(pid, directory))
            return (int)syscall(SYS_pidfd_open, *ret_pid = pid, 0);
    return -1;
}

static int scan(const char *directory, pid_t *ret_pid)
{
    struct range range = possible();
    DIR *processes;
    struct dirent *entry;
    int pidfd = -1;

    if (range.to - range.from < FEW)
        return scan_range(range, directory, ret_pid);
    processes = opendir("/proc");
    while (processes && pidfd < 0 && (entry = readdir(processes))) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

        if (pid >= range.from && pid <= range.to)
            pidfd = scan_range((struct range){pid, pid}, directory, ret_pid);
    }
    if (processes)
        closedir(processes);
    return pidfd;
}

/* A process that forks and ends while the list is read, as a daemon does at its start, may be missed
 * with its child. */
int users_find(const char *directory, pid_t *ret_pid)
{
    enum { SCANS = 4, PAUSE = 25 }; /* milliseconds */
    int pidfd = -1;

    if (is_over())
        return -1;
    pidfd = scan(directory, ret_pid);
    for (int i = 1; pidfd < 0 && i < SCANS; i++) {
        poll(NULL, 0, PAUSE);
        pidfd = scan(directory, ret_pid);
    }
    return pidfd;
}

void users_wait(const char *directory)
{
    pid_t pid;
    int pidfd;

    if (!*directory) /* it has been removed: there was no program */
        return;
    while ((pidfd = users_find(directory, &pid)) >= 0) {
        struct pollfd wait = {.fd = pidfd, .events = POLLIN};

        while (poll(&wait, 1, -1) < 0 && errno == EINTR)
            ;
        close(pidfd);
    }
}
