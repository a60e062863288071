/* SPDX-License-Identifier: MIT
 *
 * The library's start, and the interposed calls that make processes.
 */
#define _GNU_SOURCE
#include "engine.h"
#include "real.h"
#include "tell.h"

#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

extern char **environ;

/* Wine's loader, and its server: LD_PRELOAD passes through Debian's wrapper scripts into all. */
static bool program_is(const char *prefix)
{
    return strncmp(program_invocation_short_name, prefix, strlen(prefix)) == 0;
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
    error = engine_start(&settings, &system, program_is("wine"));
    if (error)
        tell("cannot start: %s; receives are as without the library", strerrordesc_np(-error));
    errno = saved;
}

INTERPOSED pid_t fork(void)
{
    engine_forks();
    return REAL(fork)();
}

INTERPOSED pid_t __fork(void)
{
    return fork();
}

INTERPOSED pid_t _Fork(void)
{
    engine_forks();
    return REAL(_Fork)();
}
