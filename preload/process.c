/* SPDX-License-Identifier: MIT
 *
 * The library's start, and the interposed calls that make processes.
 */
#define _GNU_SOURCE
#include "engine.h"
#include "interest.h"
#include "real.h"
#include "tell.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

extern char **environ;

/* Wine's loader, and its server: LD_PRELOAD passes through Debian's wrapper scripts into all. */
static bool program_is(const char *prefix)
{
    return strncmp(program_invocation_short_name, prefix, strlen(prefix)) == 0;
}

static void before_fork(void)
{
    engine_forks();
    interest_before_fork();
}

static void after_fork(void)
{
    interest_after_fork();
}

__attribute__((constructor)) static void start(void)
{
    struct settings settings;
    struct system_calls system;
    int saved = errno;
    unsigned bad;
    int error;

    real_resolve();
    /* A setuid program: as if we were not there. */
    if (getauxval(AT_SECURE) || program_is("wineserver"))
        return;

    bad = settings_read(&settings, environ);
    if (settings.help)
        settings_help();
    if (bad && settings.strict)
        _exit(125);

    system.recvfrom = real.recvfrom;
    system.recvmsg = real.recvmsg;
    system.ppoll = real.ppoll;
    system.pselect = real.pselect;
    system.epoll_ctl = real.epoll_ctl;
    system.fcntl = real.fcntl;
    system.close = real.close;
    pthread_atfork(before_fork, after_fork, after_fork);
    error = engine_start(&settings, &system, program_is("wine"));
    if (error)
        tell("cannot start: %s; receives are as without the library", strerrordesc_np(-error));
    errno = saved;
}

/* Skips the atfork handlers. */
INTERPOSED pid_t _Fork(void)
{
    pid_t pid;

    before_fork();
    pid = REAL(_Fork)();
    after_fork();
    return pid;
}
