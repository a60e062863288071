/* SPDX-License-Identifier: MIT
 *
 * wsrx run: becomes the program, with the library, every setting an option.
 */
#include "commands/command.h"
#include "program/run_program.h"
#include "program/setting_options.h"
#include "util/exit_code.h"

#include <stddef.h>

static int run(int argc, const char **argv)
{
    poptContext context = command_options(&command_run, argc, argv, setting_options(true),
                                          "[OPTION...] [--] PROGRAM [ARGUMENT...]", true);
    int result = EXIT_OURS;

    if (context)
        result = run_program(poptGetArgs(context));
    poptFreeContext(context);
    return result;
}

const struct command command_run = {"run", "run a program with the library", run};
