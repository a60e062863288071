/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "program/spawn.h"

#include "program/elf_probe.h"
#include "program/forward.h"
#include "program/library.h"
#include "program/setting_options.h"
#include "util/complain.h"
#include "util/exit_code.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The program is of another kind than the command, and its library is not there. */
static void warn_of_kind(const char *program, const struct executable *executable)
{
    const char *kind = library_kind(executable);

    if (kind)
        complain("warning: %s runs without libwsrx, which is not installed for %s", program, kind);
    else
        complain("warning: %s runs without libwsrx, which there is not for its loader, %s", program,
                 executable->loader);
}

/* Warns if nothing of the program will be seen, or not all. `library`: what is to be loaded into it;
 * "": nothing, and the program runs without. `first`: what must be loaded before the library. False:
 * there is no library at all, and that was reported. */
static bool choose(const char *program, char library[PATH_MAX], char first[PATH_MAX])
{
    struct executable executable;
    bool found;

    first[0] = library[0] = '\0';
    if (elf_probe(program, &executable) != 0) { /* exec says what is wrong */
        elf_probe_free(&executable);
        return library_find(NULL, library) || (library_report_missing(), false);
    }
    found = library_find(&executable, library);
    if (executable.windows)
        complain("warning: %s is a Windows program: wsrx wine run runs it", program);
    if (executable.go)
        complain("warning: %s is a Go program: its receives do not go through libc, and are not "
                 "seen",
                 program);
    else if (executable.is_static && executable.elf && !executable.damaged)
        complain("warning: %s is statically linked: nothing can be preloaded into it", program);
    if (!found && library_is_other(&executable)) {
        library[0] = '\0';
        warn_of_kind(program, &executable);
        found = true;
    } else if (!found) {
        library_report_missing();
    }
    if (executable.raised)
        complain("warning: %s is setuid or has capabilities: the loader ignores LD_PRELOAD",
                 program);
    library_before(&executable, first);
    elf_probe_free(&executable);
    return found;
}

static int become_bare(const char **argv)
{
    int error;

    execvp(argv[0], (char *const *)argv);
    error = errno;
    complain("%s: %s", argv[0], strerror(error));
    return error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}

int spawn_become(const char **argv)
{
    char first[PATH_MAX], library[PATH_MAX];

    setting_options_export();
    if (!choose(argv[0], library, first) || (*library && !library_preload(library, first)))
        return EXIT_OURS;
    return become_bare(argv);
}

/* A pid that names us means the program, which has another one as our child: sd_listen_fds(3),
 * sd_watchdog_enabled(3). */
static void pass_pid(const char *variable, pid_t us)
{
    const char *value = getenv(variable);
    char text[16];

    if (!value || strtol(value, NULL, 10) != us)
        return;
    snprintf(text, sizeof text, "%d", getpid());
    setenv(variable, text, 1);
}

static pid_t start(const char **argv, int become(const char **argv), int *ret_status)
{
    pid_t pid, us = getpid();
    int failure[2]; /* closed by a successful exec; else it gives our exit code */

    *ret_status = EXIT_OURS;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    forward_prepare();
    if (pipe2(failure, O_CLOEXEC) != 0 || (pid = fork()) < 0) {
        complain("cannot start a process: %s", strerror(errno));
        forward_undo();
        return -1;
    }
    if (pid == 0) {
        int code;

        forward_undo();
        pass_pid("LISTEN_PID", us);
        pass_pid("WATCHDOG_PID", us);
        code = become(argv);
        (void)!write(failure[1], &code, sizeof code);
        _exit(code);
    }
    forward_to(pid);
    close(failure[1]);
    if (read(failure[0], ret_status, sizeof *ret_status) == sizeof *ret_status) {
        close(failure[0]);
        waitpid(pid, NULL, 0);
        return -1;
    }
    close(failure[0]);
    return pid;
}

pid_t spawn(const char **argv, int *ret_status)
{
    return start(argv, spawn_become, ret_status);
}

pid_t spawn_bare(const char **argv, int *ret_status)
{
    return start(argv, become_bare, ret_status);
}

bool spawn_ended(pid_t pid, int milliseconds, int *ret_status)
{
    struct pollfd wait = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
    bool ended = false;
    pid_t one;
    int status;

    (void)poll(&wait, wait.fd >= 0, milliseconds);
    if (wait.fd >= 0)
        close(wait.fd);
    /* We get those whom the program leaves behind, too. */
    while ((one = waitpid(-1, &status, WNOHANG)) > 0)
        if (one == pid) {
            *ret_status = status;
            ended = true;
        }
    return ended || (one < 0 && errno == ECHILD);
}

bool spawn_left(int milliseconds)
{
    pid_t one;

    while ((one = waitpid(-1, NULL, WNOHANG)) > 0)
        ;
    if (one < 0 && errno == ECHILD)
        return false;
    poll(NULL, 0, milliseconds);
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
