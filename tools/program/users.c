/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "program/users.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

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

static int scan(const char *directory, pid_t *ret_pid)
{
    DIR *processes = opendir("/proc");
    struct dirent *entry;
    int pidfd = -1;

    while (processes && pidfd < 0 && (entry = readdir(processes))) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        char path[64];

        if (pid <= 0 || pid == getpid())
            continue;
        snprintf(path, sizeof path, "/proc/%d/environ", pid);
        if (!contains(path, directory)) {
            snprintf(path, sizeof path, "/proc/%d/maps", pid);
            if (!contains(path, directory))
                continue;
        }
        pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        *ret_pid = pid;
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
    int pidfd = scan(directory, ret_pid);

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

    while ((pidfd = users_find(directory, &pid)) >= 0) {
        struct pollfd wait = {.fd = pidfd, .events = POLLIN};

        while (poll(&wait, 1, -1) < 0 && errno == EINTR)
            ;
        close(pidfd);
    }
}
