/* SPDX-License-Identifier: MIT
 *
 * wsrx doctor: what libwsrx can see of a program, and what to type.
 */
#define _GNU_SOURCE
#include "commands/command.h"
#include "commands/system.h"
#include "program/elf_libraries.h"
#include "program/elf_probe.h"
#include "program/library.h"
#include "util/complain.h"
#include "util/exit_code.h"
#include "util/printable.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const plain[] = {"recv",           "__recv_chk", "recvfrom",
                                    "__recvfrom_chk", "read",       "__read_chk",
                                    "readv",          "preadv2",    NULL};
static const char *const reporting[] = {"recvmsg", "recvmmsg", NULL};
/* Calls that a library makes for sockets only: with read() it mostly reads files. */
static const char *const sockets[] = {"recv",    "__recv_chk", "recvfrom", "__recvfrom_chk",
                                      "recvmsg", "recvmmsg",   NULL};

/* What was found in the program and in its libraries together. */
struct receives {
    bool plain, reporting;
};

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
    char library[PATH_MAX];
    const char *kind = library_kind(found);
    bool missing = library_is_other(found) && !library_find(found, library);

    if (missing && kind)
        printf("  not seen: libwsrx is not installed for %s\n", kind);
    if (found->is_static)
        printf("  not seen: nothing can be preloaded into a static program\n");
    if (missing && !kind) {
        char *loader = printable(found->loader);

        printf("  not seen: there is no libwsrx for its loader, %s\n", loader);
        free(loader);
    }
    if (found->raised)
        printf("  not seen: the loader ignores LD_PRELOAD for set-user-ID programs\n");
    return missing || found->is_static || found->raised;
}

/* What of the program's own calls is seen. */
static void print_seen(const struct executable *found, struct receives *receives)
{
    static const char *const waits[] = {"poll",        "__poll_chk",   "ppoll",
                                        "select",      "pselect",      "epoll_wait",
                                        "epoll_pwait", "epoll_pwait2", NULL};
    static const char *const streams[] = {"fread", "fgets", "getline", "getdelim", "fgetc", NULL};
    static const char *const raw[] = {"syscall", NULL};

    if (found->go)
        printf("  not seen: Go's own receives make system calls past libc; only C code in it is "
               "seen\n");
    if (found->io_uring)
        printf("  not seen: its receives by io_uring\n");
    receives->plain = print_imports(found, "  seen, plain calls: ", plain);
    receives->reporting = print_imports(
        found, "  seen, reporting calls (traced; held with --calls=all): ", reporting);
    print_imports(found, "  waits that return at once while a tail is held: ", waits);
    print_imports(found, "  stdio, not seen on sockets: ", streams);
    print_imports(found, "  system calls by number, seen if they are receives: ", raw);
    if (!found->symbols)
        printf("  its imports are unknown: it has no section table\n");
    else if (!receives->plain && !receives->reporting)
        printf("  imports no receive call itself\n");
}

/* The calls of the libraries that it needs, and what cannot be known of them. */
static void print_libraries(const struct executable *found, struct receives *receives)
{
    struct elf_library *libraries = elf_libraries_of(found);

    for (const struct elf_library *library = libraries; library; library = library->next) {
        char title[512], *name = printable(library->name);

        snprintf(title, sizeof title, "  seen in its library %s: ", name);
        if (!library->file.elf)
            printf("  its library %s was not found\n", name);
        else if (print_imports(&library->file, title, sockets)) {
            receives->reporting = receives->reporting || elf_imports(&library->file, "recvmsg") ||
                                  elf_imports(&library->file, "recvmmsg");
            receives->plain = receives->plain || elf_imports(&library->file, "recv") ||
                              elf_imports(&library->file, "recvfrom");
        }
        free(name);
    }
    elf_libraries_free(libraries);
    if (elf_imports(found, "dlopen"))
        printf("  loads more libraries while it runs; their calls are not listed here\n");
}

/* What to type where there is no wsrx. */
static void print_variables(const struct executable *found, const char *word, bool all)
{
    char first[PATH_MAX], path[PATH_MAX], directory[PATH_MAX], name[PATH_MAX], *quoted;

    library_before(found, first);
    if (!library_find(found, path) || !library_words(path, directory, name))
        return;
    quoted = printable_word(directory);
    printf("Without wsrx:        %s%s%sLD_PRELOAD=%s%s%s %s%s\n",
           *directory ? "LD_LIBRARY_PATH=" : "", *directory ? quoted : "", *directory ? " " : "",
           first, *first ? ":" : "", name, all ? "WSRX_CALLS=all " : "", word);
    free(quoted);
}

/* As the command was called, so that it can be pasted. `all`: the mode has to apply to the
 * reporting calls too. */
static void print_lines(const char *program, const struct executable *found, bool all)
{
    char *wsrx = printable_word(program_invocation_name), *word = printable_word(program);

    printf("\nWho loses what?      %s stat %s\n", wsrx, word);
    printf("Keep the tails:      %s run%s %s\n", wsrx, all ? " --calls=all" : "", word);
    print_variables(found, word, all);
    free(word);
    free(wsrx);
}

static void print_kind(const struct executable *found)
{
    const char *linked = found->library     ? "a library"
                         : found->is_static ? "statically linked"
                                            : "dynamically linked";

    printf("  %d bits, %s%s%s%s\n", found->bits, linked, found->go ? ", Go" : "",
           found->asan ? ", with AddressSanitizer" : "",
           found->setuid ? ", setuid or with capabilities" : "");
    if (found->asan)
        printf("  AddressSanitizer's runtime must be loaded first; wsrx run sees to that\n");
}

/* A Windows program, or nothing that can be run at all. */
static int diagnose_other(const char *program, const struct executable *found)
{
    char *wsrx, *word;

    if (!found->windows) {
        printf("  %s\n", found->elf ? "truncated or damaged" : "not an ELF program");
        return EXIT_TROUBLE;
    }
    wsrx = printable_word(program_invocation_name);
    word = printable_word(program);
    printf("  a Windows program: its receives are seen under Wine\n");
    printf("\nGive it a WSARecvEx that works:      %s wine run %s\n", wsrx, word);
    free(word);
    free(wsrx);
    return 0;
}

static int diagnose(const char *program, const struct executable *found)
{
    char *path = printable(found->path), *interpreter = printable(found->interpreter);
    struct receives receives;

    printf("%s%s%s%s\n", path, *interpreter ? ", a script for " : "", interpreter,
           *interpreter ? "; of which:" : "");
    free(path);
    free(interpreter);
    if (!found->elf || found->damaged)
        return diagnose_other(program, found);
    print_kind(found);
    if (print_blind(found))
        return EXIT_TROUBLE;
    print_seen(found, &receives);
    if (found->library)
        return 0;
    print_libraries(found, &receives);
    /* libc is all that most Go programs load. */
    if (found->go && !receives.plain && !receives.reporting)
        return EXIT_TROUBLE;
    print_lines(program, found, receives.reporting);
    return 0;
}

static int examine(const char *program)
{
    struct executable found;
    int error = elf_probe(program, &found), result;

    if (error) {
        complain("%s: %s%s%s%s", program, found.interpreter[0] ? "its interpreter " : "",
                 found.interpreter, found.interpreter[0] ? ": " : "", strerror(error));
        return error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
    }
    result = diagnose(program, &found);
    elf_probe_free(&found);
    return result;
}

static int run(int argc, const char **argv)
{
    int system = 0;
    const struct poptOption options[] = {
        {"system", 0, POPT_ARG_NONE, &system, 0,
         "check what of all processes this kernel shows to wsrx trace --system and wsrx top", NULL},
        POPT_TABLEEND,
    };
    poptContext context =
        command_options(&command_doctor, argc, argv, options, "PROGRAM... | --system", false);
    const char *program;
    int worst = 0;

    if (!context)
        return EXIT_OURS;
    if (!poptPeekArg(context) != !!system) {
        complain("doctor: %s",
                 system ? "--system and PROGRAM cannot be combined" : "missing PROGRAM");
        return EXIT_OURS;
    }
    if (system)
        worst = system_doctor();
    while ((program = poptGetArg(context))) {
        int result = examine(program);

        worst = result > worst ? result : worst;
        if (poptPeekArg(context))
            putchar('\n');
    }
    poptFreeContext(context);
    return worst;
}

const struct command command_doctor = {"doctor", "check what libwsrx can see of a program", run};
