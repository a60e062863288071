/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "launch.h"

#include "examine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- settings ---------------------------------------------------------------------------- */

static char *values[SETTINGS];
static const char *const variables[SETTINGS] = {
#define SETTING(variable, ...) #variable,
#include "settings.def"
};

/* Which subcommands have an option. */
enum { RUN, ALL };

static const struct {
    struct poptOption option;
    enum settings_index setting;
    int subcommands;
} rows[] = {
#define OPTION(variable, option, letter, argument, subcommands)                       \
    {{option, letter, POPT_ARG_STRING, &values[INDEX_##variable], 0, NULL, argument}, \
     INDEX_##variable,                                                                \
     subcommands},
#include "settings.def"
};

enum { OPTIONS = sizeof rows / sizeof *rows };

const struct poptOption *launch_options(bool for_run)
{
    static struct poptOption options[OPTIONS + 1];
    static char texts[OPTIONS][512];
    size_t count = 0;

    for (size_t i = 0; i < OPTIONS; i++) {
        char purpose[256], accepted[256];

        if (rows[i].subcommands == RUN && !for_run)
            continue;
        snprintf(texts[i], sizeof texts[i], "%s: %s",
                 settings_purpose(rows[i].setting, purpose, sizeof purpose),
                 settings_values(rows[i].setting, accepted, sizeof accepted));
        options[count] = rows[i].option;
        options[count++].descrip = texts[i];
    }
    options[count] = (struct poptOption)POPT_TABLEEND;
    return options;
}

const char *launch_setting(enum settings_index setting)
{
    return values[setting] ? values[setting] : getenv(variables[setting]);
}

/* --- the library ------------------------------------------------------------------------- */

/* Where the library may be, seen from us: in the build tree; under the prefix, wherever that is
 * now; where it was to be installed. */
static const char *const places[] = {"../preload/libwsrx.so", WSRX_LIBRARY_FROM_HERE, WSRX_LIBRARY};

bool launch_library(char path[PATH_MAX], bool tell)
{
    char place[PATH_MAX], self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);

    strcpy(self + (length > 0 ? length : 0), length > 0 ? "" : "/");
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        int directory = places[i][0] == '/' ? 0 : (int)(strrchr(self, '/') + 1 - self);

        if (snprintf(place, sizeof place, "%.*s%s", directory, self, places[i]) < PATH_MAX &&
            access(place, R_OK) == 0 && realpath(place, path))
            return true;
    }
    if (tell)
        complain("the library is not there: no %s, and none beside %s", WSRX_LIBRARY, self);
    return false;
}

static bool set_environment(void)
{
    char path[PATH_MAX], list[2 * PATH_MAX];
    const char *before = getenv("LD_PRELOAD");

    if (!launch_library(path, true))
        return false;
    /* LD_PRELOAD's words end at a space or a colon, and nothing quotes these. */
    if (strpbrk(path, " :")) {
        complain("%s: LD_PRELOAD cannot name a path with a space or a colon", path);
        return false;
    }
    snprintf(list, sizeof list, "%s%s%s", path, before && *before ? ":" : "", before ? before : "");
    setenv("LD_PRELOAD", list, 1);
    for (size_t i = 0; i < SETTINGS; i++)
        if (values[i])
            setenv(variables[i], values[i], 1);
    return true;
}

/* --- the directory ----------------------------------------------------------------------- */

static char directory[PATH_MAX];

const char *launch_directory(void)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");

    if (directory[0])
        return directory;
    if (!runtime || *runtime != '/' || access(runtime, W_OK) != 0)
        runtime = "/tmp";
    snprintf(directory, sizeof directory, "%s/wsrx-XXXXXX", runtime);
    if (!mkdtemp(directory)) {
        complain("%s: %s", directory, strerror(errno));
        directory[0] = '\0';
        return NULL;
    }
    return directory;
}

void launch_clean(void)
{
    DIR *open;
    struct dirent *entry;

    if (!directory[0] || !(open = opendir(directory)))
        return;
    while ((entry = readdir(open)))
        unlinkat(dirfd(open), entry->d_name, 0);
    closedir(open);
    rmdir(directory);
    directory[0] = '\0';
}

/* --- the program ------------------------------------------------------------------------- */

static void warn(const char *program)
{
    struct executable executable;

    if (examine(program, &executable) != 0)
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

    if (set_environment()) {
        execvp(argv[0], (char *const *)argv);
        code = errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
        complain("%s: %s", argv[0], strerror(errno));
    }
    (void)!write(failure, &code, sizeof code);
    return code;
}

pid_t launch(const char **argv, int *ret_status)
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

bool launch_ended(pid_t pid, int milliseconds, int *ret_status)
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

int launch_exit(int status)
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
