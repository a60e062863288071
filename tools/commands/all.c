/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "commands/all.h"

#include "commands/command.h"
#include "settings.h"
#include "util/complain.h"
#include "util/exit_code.h"
#include "util/suggest.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int help(int argc, const char **argv);

static const struct command command_help = {"help", "explain a subcommand, or the settings", help};

static const struct command *const commands[] = {
    &command_run,    &command_trace, &command_stat, &command_report, &command_convert,
    &command_doctor, &command_wine,  &command_top,  &command_refuse, &command_help,
};

enum { COMMANDS = sizeof commands / sizeof *commands };

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static const char *meant(const char *word)
{
    struct suggestion suggestion = suggestion_for(word, strlen(word));

    for (size_t i = 0; i < COMMANDS; i++)
        suggestion_add(&suggestion, commands[i]->name);
    return suggestion.best;
}

static int list(void)
{
    printf("Usage: wsrx SUBCOMMAND [OPTION...] ...\n"
           "       wsrx --help | --version\n\n"
           "Find and fix programs that lose the end of long datagrams.\n\n");
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  %-9s %s\n", commands[i]->name, commands[i]->summary);
    printf("\nwsrx help SUBCOMMAND lists its options; wsrx help settings lists the WSRX_\n"
           "variables and their values.\n");
    return 0;
}

static int help(int argc, const char **argv)
{
    static const char *const others[] = {"settings", "--help", NULL};
    const char *word = argc > 1 ? argv[1] : "help", *near;
    const struct command *command;
    char what[256];

    if (strcmp(word, "settings") == 0) {
        int error = settings_help(STDOUT_FILENO);

        if (!error)
            return 0;
        complain("standard output: %s", strerror(-error));
        return EXIT_OURS;
    }
    if (strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return list();
    command = find(word);
    if (command)
        return command->run(2, (const char *[]){word, "--help", NULL});
    near = meant(word);
    snprintf(what, sizeof what, "help: %s", word);
    complain_unknown(what, "subcommand", near ? near : suggest_word(word, others), "wsrx help");
    return EXIT_OURS;
}

int wsrx_commands_main(int argc, const char **argv)
{
    static const char *const options[] = {"--help", "--version", NULL};
    const char *name = argc > 1 ? argv[1] : "help", *near;
    const struct command *command;

    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        puts("wsrx " WSRX_VERSION);
        return commands_end(0);
    }
    command = find(name);
    if (command)
        return commands_end(command->run(argc > 1 ? argc - 1 : 1, argv + (argc > 1)));
    near = name[0] == '-' ? suggest_word(name, options) : NULL;
    complain_unknown(name, "subcommand", near ? near : meant(name + strspn(name, "-")),
                     "wsrx help");
    return EXIT_OURS;
}
