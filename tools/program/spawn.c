/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "program/spawn.h"

#include "program/elf_probe.h"
#include "program/library.h"
#include "program/setting_options.h"
#include "util/complain.h"
#include "util/exit_code.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void warn(const char *program)
{
    struct executable executable;

    if (elf_probe(program, &executable) != 0)
        return; /* exec says what is wrong */
    if (executable.go)
        complain("warning: %s is a Go program: its receives do not go through libc, and are not "
                 "seen",
                 program);
    else if (executable.is_static && executable.elf && !executable.damaged)
        complain("warning: %s is statically linked: nothing can be preloaded into it", program);
    if (executable.raised)
        complain("warning: %s is setuid or has capabilities: the loader ignores LD_PRELOAD",
                 program);
    if (executable.elf && executable.bits != (int)sizeof(void *) * 8)
        complain("warning: %s is a %d-bit program, and the library has %d bits", program,
                 executable.bits, (int)sizeof(void *) * 8);
}

static volatile pid_t running;

static void forward(int number)
{
    if (running > 0)
        kill(running, number);
}

/* Becomes the program; or returns our exit code, which `failure` gets too. */
static int run_program(const char **argv, int failure)
{
    int code = EXIT_OURS;

    setting_options_export();
    if (library_preload()) {
        execvp(argv[0], (char *const *)argv);
        code = errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
        complain("%s: %s", argv[0], strerror(errno));
    }
    (void)!write(failure, &code, sizeof code);
    return code;
}

pid_t spawn(const char **argv, int *ret_status)
{
    /* SIGINT and SIGQUIT come from the terminal to both; the program's answer is ours. */
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction pass = {.sa_handler = forward, .sa_flags = SA_RESTART};
    struct sigaction interrupt, quit, broken;
    sigset_t ends, before;
    int failure[2]; /* closed by a successful exec; else it gives our exit code */
    pid_t pid;

    warn(argv[0]);
    *ret_status = EXIT_OURS;
    sigaction(SIGINT, &ignore, &interrupt);
    sigaction(SIGQUIT, &ignore, &quit);
    /* Who reads what we print may go: the program runs on, and what we made goes at its end. */
    sigaction(SIGPIPE, &ignore, &broken);
    /* One that comes before there is a program waits until it can be passed on. */
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGHUP);
    sigprocmask(SIG_BLOCK, &ends, &before);
    if (pipe2(failure, O_CLOEXEC) != 0 || (pid = fork()) < 0) {
        complain("cannot start a process: %s", strerror(errno));
        return -1;
    }
    if (pid == 0) {
        sigaction(SIGINT, &interrupt, NULL);
        sigaction(SIGQUIT, &quit, NULL);
        sigaction(SIGPIPE, &broken, NULL);
        sigprocmask(SIG_SETMASK, &before, NULL);
        _exit(run_program(argv, failure[1]));
    }
    running = pid;
    sigaction(SIGTERM, &pass, NULL);
    sigaction(SIGHUP, &pass, NULL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(failure[1]);
    if (read(failure[0], ret_status, sizeof *ret_status) == sizeof *ret_status) {
        close(failure[0]);
        waitpid(pid, NULL, 0);
        return -1;
    }
    close(failure[0]);
    return pid;
}

bool spawn_ended(pid_t pid, int milliseconds, int *ret_status)
{
    if (milliseconds >= 0) {
        struct pollfd wait = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
        int got = poll(&wait, wait.fd >= 0, milliseconds);

        if (wait.fd >= 0)
            close(wait.fd);
        if (got <= 0 && waitpid(pid, ret_status, WNOHANG) != pid)
            return false;
        if (got <= 0)
            return true;
    }
    while (waitpid(pid, ret_status, 0) < 0)
        if (errno != EINTR)
            return true;
    return true;
}

int spawn_exit(int status)
{
    struct rlimit none = {0, 0};

    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    /* So that a shell sees what strace would let it see; but the core is the program's alone. */
    setrlimit(RLIMIT_CORE, &none);
    signal(WTERMSIG(status), SIG_DFL);
    raise(WTERMSIG(status));
    return 128 + WTERMSIG(status);
}
