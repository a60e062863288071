/* SPDX-License-Identifier: MIT
 *
 * wsrx wine: Windows programs with a WSARecvEx that works. `run` changes no file.
 */
#define _GNU_SOURCE
#include "commands/command.h"
#include "commands/wine_files.h"
#include "program/pe_probe.h"
#include "program/program_path.h"
#include "util/complain.h"
#include "util/exit_code.h"
#include "util/suggest.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- run ------------------------------------------------------------------------------------- */

/* 0, or the exit code after the line that says why not. */
static int check_program(const char *program)
{
    /* Who opens a pipe to read waits for one who writes. */
    int fd = open(program, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    unsigned machine;

    if (fd < 0) {
        complain("%s: %s", program, strerror(errno));
        return errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
    }
    machine = pe_machine(fd);
    if (machine == 0)
        machine = pe_winelib_machine(fd);
    close(fd);
    switch (machine) {
    case PE_MACHINE_AMD64:
        return 0;
    case PE_MACHINE_I386:
        complain("%s: a 32-bit program, and this wsrx has no 32-bit parts", program);
        return EXIT_CANNOT_RUN;
    default:
        complain("%s: not a Windows program", program);
        return EXIT_CANNOT_RUN;
    }
}

static int run(int argc, const char **argv)
{
    struct wine_files files;
    char directory[PATH_MAX], program[PATH_MAX], library[PATH_MAX], preload[2 * PATH_MAX];
    char wine[PATH_MAX];
    const char *before = getenv("LD_PRELOAD");
    const char **words;
    int error;

    if (argc > 1 && strcmp(argv[1], "--") == 0)
        argc--, argv++;
    if (argc < 2) {
        complain("usage: wsrx wine run PROGRAM.exe [ARGUMENT...]");
        return EXIT_OURS;
    }
    error = check_program(argv[1]);
    if (error)
        return error;
    if (program_find("wine", wine) != 0) {
        complain("no wine on the PATH: install it first (Debian: wine, wine64)");
        return EXIT_NOT_FOUND;
    }
    if (!wine_files_find(&files))
        return EXIT_OURS;
    if (!realpath(argv[1], program) || !realpath(files.dlls, directory) ||
        !realpath(files.library, library)) {
        complain("%s: %s", argv[1], strerror(errno));
        return EXIT_OURS;
    }
    if (strpbrk(library, " :")) {
        complain("%s: LD_PRELOAD cannot name a path with a space or a colon", library);
        return EXIT_OURS;
    }
    snprintf(preload, sizeof preload, "%s%s%s", library, before && *before ? ":" : "",
             before ? before : "");
    setenv("LD_PRELOAD", preload, 1);

    words = calloc((size_t)argc + 4, sizeof *words);
    if (!words)
        return EXIT_OURS;
    words[0] = "wine";
    words[1] = files.launcher;
    words[2] = directory;
    words[3] = program;
    memcpy(words + 4, argv + 2, (size_t)(argc - 1) * sizeof *words); /* with the NULL */
    execvp("wine", (char *const *)(uintptr_t)words);
    complain("wine: %s", strerror(errno));
    return EXIT_CANNOT_RUN;
}

/* --- the subcommand -------------------------------------------------------------------------- */

static const struct command actions[] = {
    {"run", "PROGRAM.exe [ARGUMENT...]  run a program so; no file is changed", run},
    {"install", "[PREFIX]               for all 64-bit programs of a prefix", wine_install},
    {"status", "[PREFIX]                show whether it is installed", wine_status},
    {"remove", "[PREFIX]                undo install completely", wine_remove},
    {NULL, NULL, NULL},
};

static int help(FILE *to)
{
    fputs("wsrx wine: Windows programs with a WSARecvEx that works\n\n"
          "Usage: wsrx wine ACTION ...\n\n",
          to);
    for (const struct command *action = actions; action->name; action++)
        fprintf(to, "  wsrx wine %s %s\n", action->name, action->summary);
    fputs("\nPREFIX is $WINEPREFIX, or ~/.wine, where it is not given.\n"
          "\nHelp:\n  -h, --help     show this help\n",
          to);
    return to == stdout ? 0 : EXIT_OURS;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static const char *meant(const char *word)
{
    struct suggestion suggestion = suggestion_for(word, strlen(word));

    for (const struct command *action = actions; action->name && *word != '-'; action++)
        suggestion_add(&suggestion, action->name);
    if (*word == '-')
        suggestion_add(&suggestion, "--help");
    return suggestion.best;
}

static int wine(int argc, const char **argv)
{
    char what[256];

    if (argc < 2)
        return help(stderr);
    if (is_help(argv[1]))
        return help(stdout);
    for (const struct command *action = actions; action->name; action++)
        if (strcmp(action->name, argv[1]) == 0)
            return argc > 2 && is_help(argv[2]) ? help(stdout) : action->run(argc - 1, argv + 1);
    /* `wsrx wine app.exe` says what is meant. */
    if (strchr(argv[1], '.') || strchr(argv[1], '/'))
        return run(argc, argv);
    snprintf(what, sizeof what, "wine %s", argv[1]);
    complain_unknown(what, "action", meant(argv[1]), "wsrx wine --help");
    return EXIT_OURS;
}

const struct command command_wine = {"wine", "run Windows programs with a WSARecvEx that works",
                                     wine};
