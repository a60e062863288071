/* SPDX-License-Identifier: MIT
 *
 * wsrx refuse: a receive that would lose the end of a message fails with EMSGSIZE.
 */
#define _GNU_SOURCE
#include "commands/command.h"
#include "commands/system.h"
#include "observe/refuser.h"
#include "program/spawn.h"
#include "util/complain.h"
#include "util/exit_code.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { INTERVAL = 100 }; /* milliseconds */

static struct {
    char *pid, *cgroup;
    int always, system;
} asked;

/* Nothing of it stays in the kernel: the sums are told. */
static void conclude(struct refuser *refuser)
{
    uint64_t count = refuser_count(refuser);

    complain("%llu receive%s refused (EMSGSIZE)", (unsigned long long)count,
             count == 1 ? " was" : "s were");
    refuser_end(refuser);
}

/* Until it is interrupted, or the process ends. */
static int stay(struct refuser *refuser, pid_t pid)
{
    char of[64];

    if (pid && !refuser_add(refuser, pid)) {
        complain("refuse: process %d: %s", pid, strerror(errno));
        refuser_end(refuser);
        return EXIT_OURS;
    }
    snprintf(of, sizeof of,
             pid            ? "process %d"
             : asked.cgroup ? "the control group"
                            : "all",
             (int)pid);
    complain("refusing receives of %s that would cut a message; ^C ends it", of);
    while (!system_is_interrupted() && !system_has_ended((unsigned)pid))
        poll(NULL, 0, INTERVAL);
    conclude(refuser);
    return 0;
}

/* We are a target ourselves for a moment, so that the program is one from its start. */
static int run_program(struct refuser *refuser, const char **program)
{
    int status;
    pid_t pid;

    if (!refuser_add(refuser, getpid())) {
        complain("refuse: %s", strerror(errno));
        refuser_end(refuser);
        return EXIT_OURS;
    }
    pid = spawn_bare(program, &status);
    if (pid < 0) {
        refuser_end(refuser);
        return status;
    }
    while (!spawn_ended(pid, INTERVAL, &status))
        continue;
    conclude(refuser);
    return spawn_exit(status);
}

static struct refuser *start(int cgroup)
{
    const struct observe_config config = {
        .always = (unsigned)asked.always, .system = (unsigned)asked.system, .cgroup = cgroup >= 0};
    char why[256];
    struct refuser *refuser = refuser_start(&config, cgroup, why, sizeof why);

    if (!refuser)
        complain("refuse: %s; wsrx doctor --system tells more", why);
    return refuser;
}

/* -1: reported. */
static int open_cgroup(const char *path)
{
    int cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct statfs facts;

    if (cgroup >= 0 && fstatfs(cgroup, &facts) == 0 && facts.f_type == CGROUP2_SUPER_MAGIC)
        return cgroup;
    complain("refuse: %s: %s", path,
             cgroup < 0 ? strerror(errno) : "expected a control group (version 2)");
    if (cgroup >= 0)
        close(cgroup);
    return -1;
}

static int refuse(const char **program)
{
    struct refuser *refuser;
    unsigned pid = 0;
    int cgroup = -1, error;

    if (asked.pid && (error = system_process("refuse", asked.pid, &pid)))
        return error;
    if (asked.cgroup) {
        cgroup = open_cgroup(asked.cgroup);
        if (cgroup < 0)
            return EXIT_TROUBLE;
    }
    if (!program)
        system_catch();
    refuser = start(cgroup);
    if (!refuser)
        return EXIT_OURS;
    return program ? run_program(refuser, program) : stay(refuser, (pid_t)pid);
}

static int run(int argc, const char **argv)
{
    static const struct poptOption options[] = {
        {"pid", 'p', POPT_ARG_STRING, &asked.pid, 0, "that process, and those that it will start",
         "PID"},
        {"cgroup", 0, POPT_ARG_STRING, &asked.cgroup, 0,
         "the processes of that control group, and of those below it", "DIRECTORY"},
        {"system", 0, POPT_ARG_NONE, &asked.system, 0, "all processes", NULL},
        {"always", 0, POPT_ARG_NONE, &asked.always, 0,
         "refuse each receive; else each message is refused once, and then cut", NULL},
        POPT_TABLEEND,
    };
    poptContext context = command_options(
        &command_refuse, argc, argv, options,
        "[OPTION...] -p PID | --cgroup DIRECTORY | --system | [--] PROGRAM [ARGUMENT...]", true);
    const char **program;
    int result;

    if (!context)
        return EXIT_OURS;
    program = poptGetArgs(context);
    if (!!program + !!asked.pid + !!asked.cgroup + asked.system != 1) {
        complain("refuse: expected one of -p PID, --cgroup DIRECTORY, --system and PROGRAM");
        return EXIT_OURS;
    }
    result = refuse(program);
    poptFreeContext(context);
    return result;
}

const struct command command_refuse = {
    "refuse", "make receives that would lose a message's end fail, by the kernel", run};
