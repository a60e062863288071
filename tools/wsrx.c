/* SPDX-License-Identifier: MIT
 *
 * wsrx: the command. It knows its subcommands by the table, and nothing of what they do.
 */
#define _GNU_SOURCE
#include "printable.h"
#include "suggest.h"
#include "wsrx.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct command commands[] = {
    {"run", "run a program with the library", command_run},
    {"trace", "run a program and show every receive, or show a running one's ring", command_trace},
    {"stat", "run a program and count what its sockets received and lost", command_stat},
    {"report", "sum up files of records, as text or as one HTML page", command_report},
    {"convert", "turn records into text, JSON Lines, pcapng or a Perfetto trace", command_convert},
    {"doctor", "tell what of a program the library will see", command_doctor},
    {"wine", "run Windows programs with a WSARecvEx that works", command_wine},
    {"help", "explain a subcommand, or the settings", command_help},
    {NULL, NULL, NULL},
};

void complain(const char *format, ...)
{
    char *text = NULL, *shown;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    shown = printable(text ? text : format);
    fprintf(stderr, "wsrx: %s\n", shown);
    free(shown);
    free(text);
}

bool is_written(FILE *out, const char *name)
{
    static bool told;

    errno = 0;
    if (fflush(out) == 0 && !ferror(out))
        return true;
    if (!name || strcmp(name, "-") == 0)
        name = out == stderr ? "standard error" : "standard output";
    /* What went wrong with an earlier piece is not known any more. */
    if (!told)
        complain("%s: %s", name, errno ? strerror(errno) : "not all of it could be written");
    told = true;
    return false;
}

void *need(void *memory)
{
    if (memory)
        return memory;
    complain("no memory");
    exit(EXIT_OURS);
}

static const struct poptOption help_options[] = {
    {"help", 'h', POPT_ARG_NONE, NULL, 'h', "show this help", NULL},
    POPT_TABLEEND,
};

static void print_help(poptContext context, const char *name)
{
    for (const struct command *command = commands; command->name; command++)
        if (strcmp(command->name, name) == 0)
            printf("wsrx %s: %s\n\n", name, command->summary);
    poptPrintHelp(context, stdout, 0);
}

poptContext options_of(int argc, const char **argv, const struct poptOption *options,
                       const char *usage, bool program_follows)
{
    static struct poptOption all[3];
    static char name[64];
    poptContext context;
    int found;

    all[0] = (struct poptOption){NULL, 0, POPT_ARG_INCLUDE_TABLE, (void *)options, 0,
                                 options->longName || options->arg ? "Options:" : NULL, NULL};
    all[1] = (struct poptOption){NULL, 0, POPT_ARG_INCLUDE_TABLE, (void *)help_options, 0, "Help:",
                                 NULL};
    all[2] = (struct poptOption)POPT_TABLEEND;
    snprintf(name, sizeof name, "wsrx %s", argv[0]);
    argv[0] = name;
    context = poptGetContext(name, argc, argv, all,
                             program_follows ? POPT_CONTEXT_POSIXMEHARDER : 0);
    poptSetOtherOptionHelp(context, usage);
    while ((found = poptGetNextOpt(context)) > 0) {
        if (found == 'h') {
            print_help(context, name + strlen("wsrx "));
            exit(is_written(stdout, NULL) ? 0 : EXIT_OURS);
        }
    }
    if (found < -1) {
        const char *bad = poptBadOption(context, POPT_BADOPTION_NOALIAS);
        const char *meant = found == POPT_ERROR_BADOPT ? suggest_option(bad, all) : NULL;

        complain("%s: %s; %s%s%swsrx %s --help lists the options", bad, poptStrerror(found),
                 meant ? "did you mean --" : "", meant ? meant : "", meant ? "? " : "", name + 5);
        poptFreeContext(context);
        return NULL;
    }
    return context;
}

/* What could not be printed makes a success none; a program's own exit code stays. */
static int end(int result)
{
    return is_written(stdout, NULL) || result > EXIT_TROUBLE ? result : EXIT_OURS;
}

int main(int argc, char **argv)
{
    static const char *const options[] = {"--help", "--version", NULL};
    const char *name = argc > 1 ? argv[1] : "help", *meant;

    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        puts("wsrx " WSRX_VERSION);
        return end(0);
    }
    for (const struct command *command = commands; command->name; command++)
        if (strcmp(command->name, name) == 0)
            return end(command->run(argc > 1 ? argc - 1 : 1, (const char **)argv + (argc > 1)));
    meant = name[0] == '-' ? suggest_word(name, options) : NULL;
    if (!meant)
        meant = suggest_command(name + strspn(name, "-"), commands);
    complain("%s: no such subcommand; %s%s%swsrx help lists them", name,
             meant ? "did you mean " : "", meant ? meant : "", meant ? "? " : "");
    return EXIT_OURS;
}
