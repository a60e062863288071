/* SPDX-License-Identifier: MIT
 *
 * wsrx help: the subcommands, the options of one, or the settings.
 */
#define _GNU_SOURCE
#include "settings.h"
#include "suggest.h"
#include "wsrx.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int list(void)
{
    printf("Usage: wsrx SUBCOMMAND [OPTION...] ...\n"
           "       wsrx --help | --version\n\n"
           "Find and fix programs that lose the end of long datagrams.\n\n");
    for (const struct command *command = commands; command->name; command++)
        printf("  %-9s %s\n", command->name, command->summary);
    printf("\nwsrx help SUBCOMMAND lists its options; wsrx help settings lists the WSRX_\n"
           "variables and their values.\n");
    return 0;
}

int command_help(int argc, const char **argv)
{
    static const char *const others[] = {"settings", "--help", NULL};
    const char *word = argc > 1 ? argv[1] : "help", *meant;

    if (strcmp(word, "settings") == 0) {
        int error = settings_help(STDOUT_FILENO);

        if (!error)
            return 0;
        complain("standard output: %s", strerror(-error));
        return EXIT_OURS;
    }
    if (strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return list();
    for (const struct command *command = commands; command->name; command++)
        if (strcmp(word, command->name) == 0)
            return command->run(2, (const char *[]){word, "--help", NULL});
    meant = suggest_command(word, commands);
    if (!meant)
        meant = suggest_word(word, others);
    complain("help: %s: no such subcommand; %s%s%swsrx help lists them", word,
             meant ? "did you mean " : "", meant ? meant : "", meant ? "? " : "");
    return EXIT_OURS;
}
