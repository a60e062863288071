/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "commands/command.h"

#include "util/complain.h"
#include "util/exit_code.h"
#include "util/suggest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct poptOption help_options[] = {
    {"help", 'h', POPT_ARG_NONE, NULL, 'h', "show this help", NULL},
    POPT_TABLEEND,
};

static void add_options(struct suggestion *suggestion, const struct poptOption *options)
{
    for (; options->longName || options->shortName || options->arg; options++) {
        if (options->argInfo == POPT_ARG_INCLUDE_TABLE)
            add_options(suggestion, options->arg);
        else if (options->longName)
            suggestion_add(suggestion, options->longName);
    }
}

static const char *meant_option(const char *word, const struct poptOption *options)
{
    struct suggestion suggestion;

    if (strncmp(word, "--", 2) != 0)
        return NULL;
    suggestion = suggestion_for(word + 2, strcspn(word + 2, "="));
    add_options(&suggestion, options);
    return suggestion.best;
}

poptContext command_options(const struct command *command, int argc, const char **argv,
                            const struct poptOption *options, const char *usage,
                            bool program_follows)
{
    static struct poptOption all[3];
    static char name[64];
    poptContext context;
    int found;

    all[0] = (struct poptOption){NULL,
                                 0,
                                 POPT_ARG_INCLUDE_TABLE,
                                 (void *)options,
                                 0,
                                 options->longName || options->arg ? "Options:" : NULL,
                                 NULL};
    all[1] = (struct poptOption){NULL,    0,   POPT_ARG_INCLUDE_TABLE, (void *)help_options, 0,
                                 "Help:", NULL};
    all[2] = (struct poptOption)POPT_TABLEEND;
    snprintf(name, sizeof name, "wsrx %s", command->name);
    argv[0] = name;
    context =
        poptGetContext(name, argc, argv, all, program_follows ? POPT_CONTEXT_POSIXMEHARDER : 0);
    poptSetOtherOptionHelp(context, usage);
    while ((found = poptGetNextOpt(context)) > 0) {
        if (found == 'h') {
            printf("%s: %s\n\n", name, command->summary);
            poptPrintHelp(context, stdout, 0);
            exit(is_written(stdout, NULL) ? 0 : EXIT_OURS);
        }
    }
    if (found < -1) {
        const char *bad = poptBadOption(context, POPT_BADOPTION_NOALIAS);
        const char *meant = found == POPT_ERROR_BADOPT ? meant_option(bad, all) : NULL;

        complain("%s: %s; %s%s%s%s --help lists the options", bad, poptStrerror(found),
                 meant ? "did you mean --" : "", meant ? meant : "", meant ? "? " : "", name);
        poptFreeContext(context);
        return NULL;
    }
    return context;
}

void complain_unknown(const char *what, const char *kind, const char *meant, const char *help)
{
    complain("%s: no such %s; %s%s%s%s lists them", what, kind, meant ? "did you mean " : "",
             meant ? meant : "", meant ? "? " : "", help);
}

int commands_end(int result)
{
    return is_written(stdout, NULL) || result > EXIT_TROUBLE ? result : EXIT_OURS;
}
