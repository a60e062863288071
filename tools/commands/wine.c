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

/* Its word size; or -1 after the line that says why not, and the exit code. */
static int check_program(const char *program, int *ret_exit)
{
    /* Who opens a pipe to read waits for one who writes. */
    int fd = open(program, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    unsigned machine;

    if (fd < 0) {
        complain("%s: %s", program, strerror(errno));
        *ret_exit = errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
        return -1;
    }
    machine = pe_machine(fd);
    if (machine == 0)
        machine = pe_winelib_machine(fd);
    close(fd);
    *ret_exit = EXIT_CANNOT_RUN;
    switch (machine) {
    case PE_MACHINE_AMD64:
        return WINE_64;
    case PE_MACHINE_I386:
        return WINE_32;
    case 0:
        complain("%s: not a Windows program", program);
        return -1;
    default:
        complain("%s: a Windows program for another processor (machine 0x%x)", program, machine);
        return -1;
    }
}

/* A DLL beside the program that it cannot load. We give it another one; but without us it does not
 * start, or fails with error 193, which names no file. */
static void check_beside(const char *program, enum wine_word word)
{
    static const char *const names[] = {"mswsock.dll", "wsock32.dll"};
    const char *slash = strrchr(program, '/');

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        unsigned expected = word == WINE_32 ? PE_MACHINE_I386 : PE_MACHINE_AMD64, machine;
        char path[PATH_MAX];
        int fd;

        wine_path(path, "%.*s/%s", slash ? (int)(slash - program) : 0, program, names[i]);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0)
            continue;
        machine = pe_machine(fd);
        if (machine == 0)
            machine = pe_winelib_machine(fd);
        close(fd);
        if (machine != 0 && machine != expected)
            complain("warning: %s: a %s-bit DLL beside a %s-bit program, which cannot load it",
                     path, word == WINE_32 ? "64" : "32", word == WINE_32 ? "32" : "64");
    }
}

static void put_before(const char *variable, const char *value, char between)
{
    const char *old = getenv(variable);
    size_t room = strlen(value) + (old ? strlen(old) : 0) + 2;
    char *text = malloc(room);

    if (!text)
        return;
    snprintf(text, room, "%s%.*s%s", value, old && *old ? 1 : 0, &between, old ? old : "");
    setenv(variable, text, 1);
    free(text);
}

/* What a 32-bit program in a 64-bit process needs: Windows files under the names of Wine's own DLLs,
 * which it takes only if told so (with the star for a full path too), and their pair. Elsewhere this
 * has no effect. */
static void prepare_pe(const char *pair)
{
    put_before("WINEDLLPATH", pair, ':');
    put_before("WINEDLLOVERRIDES", "*mswsock,*wsock32=n,b", ';');
}

/* Without the ELF DLLs, those that are Windows files do, if their other half is there; what stands
 * for neither is known to the launcher, which alone knows whether this Wine needs them. */
static bool find_elf(const struct wine_files *files, enum wine_word word, const char *pe,
                     char elf[PATH_MAX])
{
    char half[PATH_MAX];

    if (*files->word[word].elf)
        return realpath(files->word[word].elf, elf) != NULL;
    wine_path(half, "%s/%s/wsrx.so", files->pair, word == WINE_32 ? "i386-unix" : "x86_64-unix");
    strcpy(elf, wine_path_exists(half) ? pe : "-");
    return true;
}

static int become_wine(const struct wine_files *files, enum wine_word word, int argc,
                       const char **argv)
{
    char elf[PATH_MAX], pe[PATH_MAX], pair[PATH_MAX], program[PATH_MAX];
    const char **words = calloc((size_t)argc + 5, sizeof *words);

    if (!words)
        return EXIT_OURS;
    if (!realpath(argv[0], program) || !realpath(files->word[word].pe, pe) ||
        !realpath(files->pair, pair) || !find_elf(files, word, pe, elf)) {
        complain("%s: %s", argv[0], strerror(errno));
        free(words);
        return EXIT_OURS;
    }
    check_beside(program, word);
    if (word == WINE_32)
        prepare_pe(pair);
    words[0] = "wine";
    words[1] = files->word[word].launcher;
    words[2] = elf;
    words[3] = pe;
    words[4] = program;
    memcpy(words + 5, argv + 1, (size_t)argc * sizeof *words); /* with the NULL */
    execvp("wine", (char *const *)(uintptr_t)words);
    complain("wine: %s", strerror(errno));
    free(words);
    return EXIT_CANNOT_RUN;
}

static int run(int argc, const char **argv)
{
    struct wine_files files;
    char wine[PATH_MAX];
    int word, error;

    if (argc > 1 && strcmp(argv[1], "--") == 0)
        argc--, argv++;
    if (argc < 2) {
        complain("usage: wsrx wine run PROGRAM.exe [ARGUMENT...]");
        return EXIT_OURS;
    }
    word = check_program(argv[1], &error);
    if (word < 0)
        return error;
    if (program_find("wine", wine) != 0) {
        complain("no wine on the PATH: install it first (Debian: wine, wine64; wine32:i386 for "
                 "32-bit programs)");
        return EXIT_NOT_FOUND;
    }
    if (!wine_files_find(&files))
        return EXIT_OURS;
    if (!*files.word[word].launcher || !*files.word[word].pe) {
        complain("%s: a %s-bit program, and wsrx's parts for those are not there", argv[1],
                 word == WINE_32 ? "32" : "64");
        return EXIT_CANNOT_RUN;
    }
    return become_wine(&files, (enum wine_word)word, argc - 1, argv + 1);
}

/* --- the subcommand -------------------------------------------------------------------------- */

static const struct command actions[] = {
    {"run", "PROGRAM.exe [ARGUMENT...]  run a program so; no file is changed", run},
    {"install", "[PREFIX]               for all programs of a prefix", wine_install},
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
