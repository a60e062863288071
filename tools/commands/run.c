/* SPDX-License-Identifier: MIT
 *
 * wsrx run: becomes the program, with the library, every setting an option.
 */
#define _GNU_SOURCE
#include "commands/command.h"
#include "program/beside.h"
#include "program/run_directory.h"
#include "program/setting_options.h"
#include "program/spawn.h"
#include "program/users.h"
#include "util/complain.h"
#include "util/exit_code.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Only in the default mode and in mode error are tails held. */
static bool holds_tails(void)
{
    const char *mode = setting_value(INDEX_WSRX_MODE);

    return !mode || strcmp(mode, "continue") == 0 || strcmp(mode, "error") == 0;
}

static void remove_table(int pidfd, void *context)
{
    beside_wait(pidfd);
    users_wait(context);
    run_directory_remove();
}

/* By a file, a tail survives exec. It is removed when neither the program nor one that it has
 * started uses it. */
static void make_table(void)
{
    static char path[PATH_MAX + 8];
    const char *directory = run_directory();

    if (!directory)
        return;
    users_begin();
    snprintf(path, sizeof path, "%s/table", directory);
    setenv("WSRX_TABLE", path, 1);
    if (beside_is_possible())
        beside_start(remove_table, (void *)directory, false);
}

static int run(int argc, const char **argv)
{
    poptContext context = command_options(&command_run, argc, argv, setting_options(true),
                                          "[OPTION...] [--] PROGRAM [ARGUMENT...]", true);
    const char **program;
    int result;

    if (!context || !setting_options_check("run"))
        return EXIT_OURS;
    program = poptGetArgs(context);
    if (!program) {
        complain("run: missing PROGRAM");
        return EXIT_OURS;
    }
    if (!setting_value(INDEX_WSRX_TABLE) && holds_tails())
        make_table();
    result = spawn_become(program);
    run_directory_remove();
    poptFreeContext(context);
    return result;
}

const struct command command_run = {"run", "run a program with the library", run};
