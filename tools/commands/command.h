/* SPDX-License-Identifier: MIT
 *
 * A subcommand: its name, its options, and what is the same in all of them.
 */
#ifndef WSRX_COMMANDS_COMMAND_H
#define WSRX_COMMANDS_COMMAND_H

#include <popt.h>
#include <stdbool.h>

struct command {
    const char *name;
    const char *summary;
    int (*run)(int argc, const char **argv); /* argv[0] is the subcommand's name */
};

extern const struct command command_run, command_trace, command_stat, command_report,
    command_convert, command_doctor, command_wine, command_top, command_refuse;

/* Parses the options of a subcommand, with --help; stops at the first word that is no option if
 * `program_follows`, since what is behind it is the program's. NULL: something was wrong, and was
 * reported. Exits on --help. */
poptContext command_options(const struct command *command, int argc, const char **argv,
                            const struct poptOption *options, const char *usage,
                            bool program_follows);

/* "WHAT: no such KIND; did you mean …? HELP lists them". */
void complain_unknown(const char *what, const char *kind, const char *meant, const char *help);

/* The exit code after a subcommand's result: a success whose output could not be written is a
 * failure; the program's own exit code stays. */
int commands_end(int result);

#endif
