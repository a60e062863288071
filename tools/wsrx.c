/* SPDX-License-Identifier: MIT
 *
 * wsrx: the command. It knows its subcommands by the table, and nothing of what they do.
 */
#include "wsrx.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct command commands[] = {
    {"wine", "run a Windows program with a WSARecvEx that works, or install that in a prefix",
     command_wine},
    {NULL, NULL, NULL},
};

void complain(const char *format, ...)
{
    va_list args;

    fputs("wsrx: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

static int help(FILE *to)
{
    fputs("usage: wsrx SUBCOMMAND ...\n", to);
    for (const struct command *command = commands; command->name; command++)
        fprintf(to, "  %-8s %s\n", command->name, command->summary);
    return 0;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "help";

    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return help(stdout);
    if (strcmp(name, "--version") == 0) {
        puts("wsrx " WSRX_VERSION);
        return 0;
    }
    for (const struct command *command = commands; command->name; command++)
        if (strcmp(command->name, name) == 0)
            return command->run(argc - 1, (const char **)argv + 1);
    complain("%s: no such subcommand; wsrx help lists them", name);
    return EXIT_OURS;
}
