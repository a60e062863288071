/* SPDX-License-Identifier: MIT
 *
 * wsrx run: a program with the library, every setting an option.
 */
#define _GNU_SOURCE
#include "launch.h"

#include <stdio.h>
#include <stdlib.h>

int command_run(int argc, const char **argv)
{
    poptContext context = options_of(argc, argv, launch_options(true),
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
    if (!launch_setting(INDEX_WSRX_TABLE)) {
        char path[4096 + 8];
        const char *directory = launch_directory();

        if (directory) {
            snprintf(path, sizeof path, "%s/table", directory);
            setenv("WSRX_TABLE", path, 1);
        }
    }
    pid = launch(program, &status);
    if (pid > 0)
        launch_ended(pid, -1, &status);
    launch_clean();
    poptFreeContext(context);
    return pid > 0 ? launch_exit(status) : status;
}
