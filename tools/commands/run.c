/* SPDX-License-Identifier: MIT
 *
 * wsrx run: a program with the library, every setting an option.
 */
#define _GNU_SOURCE
#include "commands/command.h"
#include "program/run_directory.h"
#include "program/setting_options.h"
#include "program/spawn.h"
#include "util/complain.h"
#include "util/exit_code.h"

#include <stdio.h>
#include <stdlib.h>

static int run(int argc, const char **argv)
{
    poptContext context = command_options(&command_run, argc, argv, setting_options(true),
                                          "[OPTION...] [--] PROGRAM [ARGUMENT...]", true);
    const char **program;
    int status;
    pid_t pid;

    if (!context)
        return EXIT_OURS;
    program = poptGetArgs(context);
    if (!program) {
        complain("run: missing PROGRAM");
        return EXIT_OURS;
    }
    /* A tail follows its descriptor into other programs by a file, which is of no use after. */
    if (!setting_value(INDEX_WSRX_TABLE)) {
        char path[4096 + 8];
        const char *directory = run_directory();

        if (directory) {
            snprintf(path, sizeof path, "%s/table", directory);
            setenv("WSRX_TABLE", path, 1);
        }
    }
    pid = spawn(program, &status);
    if (pid > 0)
        spawn_ended(pid, -1, &status);
    run_directory_remove();
    poptFreeContext(context);
    return pid > 0 ? spawn_exit(status) : status;
}

const struct command command_run = {"run", "run a program with the library", run};
