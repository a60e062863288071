/* SPDX-License-Identifier: MIT
 *
 * What the subcommands share: the table of them, and how they fail.
 */
#ifndef WSRX_TOOLS_H
#define WSRX_TOOLS_H

#include <popt.h>
#include <stdbool.h>
#include <stdio.h>

/* Exit codes of our own, as env(1) has them; else it is the program's. */
enum {
    EXIT_TROUBLE = 1,      /* what was asked for could not be done */
    EXIT_OURS = 125,       /* wsrx itself failed, or was called wrongly */
    EXIT_CANNOT_RUN = 126, /* the program was found but cannot be run */
    EXIT_NOT_FOUND = 127,
};

struct command {
    const char *name;
    const char *summary;
    int (*run)(int argc, const char **argv); /* argv[0] is the subcommand's name */
};

/* Ends with NULL. */
extern const struct command commands[];

int command_run(int argc, const char **argv);
int command_trace(int argc, const char **argv);
int command_stat(int argc, const char **argv);
int command_report(int argc, const char **argv);
int command_convert(int argc, const char **argv);
int command_doctor(int argc, const char **argv);
int command_wine(int argc, const char **argv);
int command_help(int argc, const char **argv);

/* "wsrx: …" on stderr. */
__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);

/* Whether all that was printed has left us; else it is told, once. `name` is the option's argument
 * that the stream was opened for, or NULL. */
bool is_written(FILE *out, const char *name);

/* Its argument, or the end of wsrx where that is NULL: no memory. */
void *need(void *memory);

/* The options of a subcommand, with --help; parsing ends at the first word that is none, so that
 * the program's own options stay its own. NULL: something was wrong, and told. Exits on --help. */
poptContext options_of(int argc, const char **argv, const struct poptOption *options,
                       const char *usage, bool program_follows);

#endif
