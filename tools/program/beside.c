/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "program/beside.h"

#include "util/complain.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

bool beside_is_possible(void)
{
    int subreaper = 0;

    return getpid() != 1 && (prctl(PR_GET_CHILD_SUBREAPER, &subreaper) != 0 || subreaper == 0);
}

/* Descriptors that the program is to inherit are those without FD_CLOEXEC; all of ours have it.
 * Open in two processes, a socket or pipe would never end for who waits at its other end. */
static void close_inherited(bool prints)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    DIR *list = opendir("/proc/self/fd");
    struct dirent *entry;

    while (list && (entry = readdir(list))) {
        int fd = atoi(entry->d_name);

        if (fd > 2 && (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0)
            close(fd);
    }
    if (list)
        closedir(list);
    for (int fd = 0; fd <= 2 && null >= 0; fd++)
        if (fd == 0 || !prints)
            dup2(null, fd);
}

bool beside_start(void (*work)(int pidfd, void *context), void *context, bool prints)
{
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0); /* it has FD_CLOEXEC */
    pid_t pid = pidfd >= 0 ? vfork() : -1; /* only to fork() once more: cheaper than fork() */
    sigset_t all;

    if (pid < 0) {
        complain("cannot start a process: %s", strerror(errno));
        return false;
    }
    if (pid > 0) {
        close(pidfd);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        return true;
    }
    /* Who stops the program's group or session, or its service, means the program. */
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    setsid();
    if (fork() != 0)
        _exit(0);
    close_inherited(prints);
    if (chdir("/") != 0) {
        /* Then a file system stays busy; nothing else is wrong. */
    }
    work(pidfd, context);
    _exit(0);
}

void beside_wait(int pidfd)
{
    struct pollfd wait = {.fd = pidfd, .events = POLLIN};

    while (poll(&wait, 1, -1) < 0 && errno == EINTR)
        ;
}
