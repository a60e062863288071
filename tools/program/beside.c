/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "program/beside.h"

#include "util/complain.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

bool beside_is_possible(void)
{
    int subreaper = 0;

    return getpid() != 1 && (prctl(PR_GET_CHILD_SUBREAPER, &subreaper) != 0 || subreaper == 0);
}

static void leave_streams(bool prints)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int fd = 0; fd <= 2 && null >= 0; fd++)
        if (fd == 0 || !prints)
            dup2(null, fd);
    if (chdir("/") != 0) {
        /* Then a file system stays busy; nothing else is wrong. */
    }
}

/* Descriptors that the program is to inherit are those without FD_CLOEXEC; all of ours have it.
 * Open in two processes, a socket or pipe would never end for who waits at its other end. */
static void close_inherited(void)
{
    DIR *list = opendir("/proc/self/fd");
    struct dirent *entry;

    while (list && (entry = readdir(list))) {
        int fd = atoi(entry->d_name);

        if (fd > 2 && (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0)
            close(fd);
    }
    if (list)
        closedir(list);
}

struct beside {
    void (*work)(int pidfd, void *context);
    void *context;
    int pidfd; /* with FD_CLOEXEC */
};

/* It needs no other descriptor: closing all at once is quicker than to look which there are. */
static void keep_pidfd(struct beside *beside)
{
    enum { FIRST = 3 };

    if (beside->pidfd != FIRST && dup3(beside->pidfd, FIRST, O_CLOEXEC) != FIRST)
        return close_inherited();
    beside->pidfd = FIRST;
    if (syscall(SYS_close_range, FIRST + 1, ~0U, 0) != 0)
        close_inherited();
}

/* In the memory of a process that is about to exec or to end, and which is ours when it has. Until
 * then nothing of it may be touched, not even errno: so this waits, and nothing else. */
static int run_in_its_memory(void *context)
{
    const struct beside *beside = context;

    beside_wait(beside->pidfd);
    beside->work(beside->pidfd, beside->context);
    _exit(0);
}

/* A copy of the memory would cost more than the rest. All that can be done before is done now, while
 * the process whose memory it is waits. */
static bool share_memory(struct beside *beside)
{
    enum { STACK = 1 << 20 };
    char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

    keep_pidfd(beside);
    leave_streams(false);
    return stack != MAP_FAILED &&
           clone(run_in_its_memory, stack + STACK, CLONE_VM | CLONE_FS | CLONE_FILES, beside) > 0;
}

/* What prints uses what the caller has on its stack, even if there is no program. */
static bool copy_memory(const struct beside *beside)
{
    if (fork() == 0) {
        leave_streams(true);
        close_inherited();
        beside->work(beside->pidfd, beside->context);
        _exit(0);
    }
    return true;
}

bool beside_start(void (*work)(int pidfd, void *context), void *context, bool prints)
{
    static struct beside beside;
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0), status = 1;
    pid_t pid = -1;
    sigset_t all;

    beside = (struct beside){work, context, pidfd};
    if (pidfd >= 0)
        pid = vfork(); /* only to start another one, which is not its parent's child */
    if (pid == 0) {
        /* Who stops the program's group or session, or its service, means the program. */
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, NULL);
        setsid();
        _exit((prints ? copy_memory(&beside) : share_memory(&beside)) ? 0 : 1);
    }
    if (pid < 0)
        complain("cannot start a process: %s", strerror(errno));
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    close(pidfd);
    return status == 0;
}

void beside_wait(int pidfd)
{
    struct pollfd wait = {.fd = pidfd, .events = POLLIN};

    while (poll(&wait, 1, -1) < 0 && errno == EINTR)
        ;
}
