/* SPDX-License-Identifier: MIT
 *
 * wsrx help: the subcommands, the options of one, or the settings.
 */
#define _GNU_SOURCE
#include "settings.h"
#include "wsrx.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int command_help(int argc, const char **argv)
{
    static const char *const with_help[] = {NULL, "--help", NULL};

    if (argc > 1 && strcmp(argv[1], "settings") == 0) {
        settings_help(STDOUT_FILENO);
        return 0;
    }
    for (const struct command *command = commands; argc > 1 && command->name; command++) {
        const char *arguments[3];

        if (strcmp(argv[1], command->name) != 0 || command->run == command_help)
            continue;
        printf("wsrx %s: %s\n\n", command->name, command->summary);
        memcpy(arguments, with_help, sizeof arguments);
        arguments[0] = command->name;
        return command->run(2, arguments);
    }
    if (argc > 1 && argv[1][0] != '-' && strcmp(argv[1], "help") != 0) {
        complain("help: %s is no subcommand", argv[1]);
        return EXIT_OURS;
    }
    printf("Usage: wsrx SUBCOMMAND [OPTION...] …\n"
           "What happens to datagrams that are longer than the buffer.\n\n");
    for (const struct command *command = commands; command->name; command++)
        printf("  %-9s %s\n", command->name, command->summary);
    printf("\nwsrx help SUBCOMMAND lists its options; wsrx help settings the WSRX_ variables with "
           "their values.\n");
    return 0;
}
