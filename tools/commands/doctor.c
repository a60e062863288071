/* SPDX-License-Identifier: MIT
 *
 * wsrx doctor: what of a program the library will see, and the line to type.
 */
#define _GNU_SOURCE
#include "commands/command.h"
#include "program/elf_probe.h"
#include "program/library.h"
#include "util/complain.h"
#include "util/exit_code.h"
#include "util/printable.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_one_of(const char *name, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(*list, name) == 0)
            return true;
    return false;
}

/* Prints those of the imports that are in the list; says whether there are any. */
static bool print_imports(const struct executable *executable, const char *title,
                          const char *const *list)
{
    bool any = false;

    for (size_t i = 0; i < executable->imports; i++) {
        if (!is_one_of(executable->import[i], list))
            continue;
        printf("%s%s", any ? ", " : title, executable->import[i]);
        any = true;
    }
    if (any)
        printf("\n");
    return any;
}

/* Whether the library cannot be in the program at all, and why. */
static bool print_blind(const struct executable *found)
{
    bool blind = false;

    if (found->bits != (int)sizeof(void *) * 8) {
        printf("  not seen: it needs a library of %d bits, and this one has %d\n", found->bits,
               (int)sizeof(void *) * 8);
        blind = true;
    }
    if (found->is_static) {
        printf("  not seen: nothing can be preloaded into a static program\n");
        blind = true;
    }
    if (found->raised) {
        printf("  not seen: the loader ignores LD_PRELOAD for set-user-ID programs\n");
        blind = true;
    }
    return blind;
}

/* What of it is seen; whether anything may be. `*ret_reports`: it receives by reporting calls
 * only. */
static bool print_seen(const struct executable *found, bool *ret_reports)
{
    static const char *const plain[] = {"recv",           "__recv_chk", "recvfrom",
                                        "__recvfrom_chk", "read",       "__read_chk",
                                        "readv",          "preadv2",    NULL};
    static const char *const reporting[] = {"recvmsg", "recvmmsg", NULL};
    static const char *const waits[] = {"poll",        "__poll_chk",   "ppoll",
                                        "select",      "pselect",      "epoll_wait",
                                        "epoll_pwait", "epoll_pwait2", NULL};
    static const char *const streams[] = {"fread", "fgets", "getline", "getdelim", "fgetc", NULL};
    static const char *const raw[] = {"syscall", NULL};
    bool receives, reports;

    if (found->go)
        printf("  not seen: Go's own receives make system calls past libc; only C code in it is "
               "seen\n");
    if (found->io_uring)
        printf("  not seen: its receives by io_uring\n");
    receives = print_imports(found, "  seen, plain calls: ", plain);
    reports = print_imports(found,
                            "  seen, reporting calls (traced; held with --calls=all): ", reporting);
    print_imports(found, "  waits that return at once while a tail is held: ", waits);
    print_imports(found, "  stdio, not seen on sockets: ", streams);
    print_imports(found, "  system calls by number, seen if they are receives: ", raw);
    if (!found->symbols)
        printf("  its imports are unknown: it has no section table\n");
    else if (!receives && !reports)
        printf("  imports no receive call itself; the libraries that it loads may\n");
    *ret_reports = reports && !receives;
    /* libc is all that most Go programs load. */
    return receives || reports || !found->go;
}

/* As the command was called: so it is found again. */
static void print_lines(const char *program, bool reports)
{
    char library[PATH_MAX], *wsrx = printable_word(program_invocation_name);
    char *word = printable_word(program);

    printf("\nWho loses what?      %s stat %s\n", wsrx, word);
    printf("Lose nothing:        %s run%s %s\n", wsrx, reports ? " --calls=all" : "", word);
    /* LD_PRELOAD has no quotes. */
    if (library_find(library, false) && !strpbrk(library, " :"))
        printf("Without wsrx:        LD_PRELOAD=%s %s%s\n", library,
               reports ? "WSRX_CALLS=all " : "", word);
    free(word);
    free(wsrx);
}

static int diagnose(const char *program, const struct executable *found)
{
    char *path = printable(found->path), *interpreter = printable(found->interpreter);
    bool reports;

    printf("%s%s%s%s\n", path, *interpreter ? ", a script for " : "", interpreter,
           *interpreter ? "; of which:" : "");
    free(path);
    free(interpreter);
    if (!found->elf || found->damaged) {
        printf("  %s\n", found->elf ? "truncated or damaged" : "not an ELF program");
        return EXIT_TROUBLE;
    }
    printf("  %d bits, %s%s%s\n", found->bits,
           found->library     ? "a library"
           : found->is_static ? "statically linked"
                              : "dynamically linked",
           found->go ? ", Go" : "", found->setuid ? ", setuid or with capabilities" : "");
    if (print_blind(found))
        return EXIT_TROUBLE;
    if (!print_seen(found, &reports))
        return EXIT_TROUBLE;
    if (!found->library)
        print_lines(program, reports);
    return 0;
}

static int run(int argc, const char **argv)
{
    static const struct poptOption none[] = {POPT_TABLEEND};
    poptContext context = command_options(&command_doctor, argc, argv, none, "PROGRAM", false);
    struct executable found;
    const char *program;
    int error, result;

    if (!context)
        return EXIT_OURS;
    program = poptGetArg(context);
    if (!program || poptPeekArg(context)) {
        complain("doctor: expected exactly one PROGRAM");
        return EXIT_OURS;
    }
    error = elf_probe(program, &found);
    if (error) {
        complain("%s: %s%s%s%s", program, found.interpreter[0] ? "its interpreter " : "",
                 found.interpreter, found.interpreter[0] ? ": " : "", strerror(error));
        return error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
    }
    result = diagnose(program, &found);
    poptFreeContext(context);
    return result;
}

const struct command command_doctor = {"doctor", "check what libwsrx can see of a program", run};
