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

struct beside {
    void (*work)(int pidfd, void *context);
    void *context;
    bool prints;
    int pidfd;   /* these have FD_CLOEXEC */
    int gate[2]; /* a pipe: its end comes when the process that started us has left its memory */
};

static void run(const struct beside *beside)
{
    close_inherited(beside->prints);
    if (chdir("/") != 0) {
        /* Then a file system stays busy; nothing else is wrong. */
    }
    beside->work(beside->pidfd, beside->context);
    _exit(0);
}

/* In the memory of a process that is about to exec or to end, and which is ours from then on. Until
 * then nothing of it may be touched, not even errno. */
static int run_in_its_memory(void *context)
{
    const struct beside *beside = context;
    int end = beside->gate[1], begin = beside->gate[0];
    char nothing;

    close(end);
    while (read(begin, &nothing, 1) < 0)
        ;
    close(begin);
    run(beside);
    return 0;
}

/* A copy of the memory would cost more than the rest. What prints needs one: it uses what the caller
 * has on its stack, even if there is no program. */
static bool start_copy_or_share(struct beside *beside)
{
    enum { STACK = 1 << 20 };
    char *stack;

    if (beside->prints) {
        if (fork() == 0)
            run(beside);
        return true;
    }
    stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    return stack != MAP_FAILED && clone(run_in_its_memory, stack + STACK, CLONE_VM, beside) > 0;
}

bool beside_start(void (*work)(int pidfd, void *context), void *context, bool prints)
{
    static struct beside beside;
    int status = 1;
    pid_t pid = -1;
    sigset_t all;

    beside =
        (struct beside){work, context, prints, (int)syscall(SYS_pidfd_open, getpid(), 0), {-1, -1}};
    if (beside.pidfd >= 0 && pipe2(beside.gate, O_CLOEXEC) == 0)
        pid = vfork(); /* only to start another one, which is not its parent's child */
    if (pid == 0) {
        /* Who stops the program's group or session, or its service, means the program. */
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, NULL);
        setsid();
        _exit(start_copy_or_share(&beside) ? 0 : 1);
    }
    if (pid < 0)
        complain("cannot start a process: %s", strerror(errno));
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    close(beside.pidfd);
    close(beside.gate[0]);
    return status == 0;
}

void beside_wait(int pidfd)
{
    struct pollfd wait = {.fd = pidfd, .events = POLLIN};

    while (poll(&wait, 1, -1) < 0 && errno == EINTR)
        ;
}
