/* SPDX-License-Identifier: MIT
 *
 * wsrx doctor: what of a program the library will see, and the line to type.
 */
#define _GNU_SOURCE
#include "examine.h"
#include "wsrx.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

int command_doctor(int argc, const char **argv)
{
    static const char *const plain[] = {"recv", "__recv_chk", "recvfrom", "__recvfrom_chk", "read",
                                        "__read_chk", "readv", "preadv2", NULL};
    static const char *const reporting[] = {"recvmsg", "recvmmsg", NULL};
    static const char *const waits[] = {"poll", "__poll_chk", "ppoll", "select", "pselect",
                                        "epoll_wait", "epoll_pwait", "epoll_pwait2", NULL};
    static const char *const streams[] = {"fread", "fgets", "getline", "getdelim", "fgetc", NULL};
    static const char *const raw[] = {"syscall", NULL};
    static const struct poptOption none[] = {POPT_TABLEEND};
    poptContext context = options_of(argc, argv, none, "PROGRAM", false);
    struct executable found;
    const char *program;
    bool receives, reports;
    int blind = 0, error;

    if (!context)
        return EXIT_OURS;
    program = poptGetArg(context);
    if (!program || poptPeekArg(context)) {
        complain("doctor: one PROGRAM, please");
        return EXIT_OURS;
    }
    error = examine(program, &found);
    if (error) {
        complain("%s: %s", program, strerror(error));
        return error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
    }
    printf("%s", found.path);
    if (found.interpreter[0])
        printf(", a script for %s; of which:", found.interpreter);
    printf("\n");
    if (!found.elf) {
        printf("  is no ELF program that can be read: nothing can be said of it\n");
        poptFreeContext(context);
        return EXIT_TROUBLE;
    }
    printf("  %d bits, %s%s%s\n", found.bits,
           found.is_static ? "statically linked" : "dynamically linked", found.go ? ", Go" : "",
           found.setuid ? ", setuid or with capabilities" : "");
    if (found.bits != (int)sizeof(void *) * 8) {
        printf("  not seen: it needs a library of %d bits, and this one has %d\n", found.bits,
               (int)sizeof(void *) * 8);
        blind = 1;
    }
    if (found.is_static) {
        printf("  not seen: nothing can be preloaded into a static program\n");
        blind = 1;
    }
    if (found.go && !found.is_static)
        printf("  not seen: Go's own receives make system calls past libc; only C code in it is "
               "seen\n");
    if (found.setuid && geteuid() != 0)
        printf("  not seen: the loader ignores LD_PRELOAD for it, but when root runs it\n");
    if (found.io_uring)
        printf("  not seen: its receives by io_uring\n");
    receives = print_imports(&found, "  seen, plain calls: ", plain);
    reports = print_imports(&found, "  seen, reporting calls (traced; held with --calls=all): ",
                            reporting);
    print_imports(&found, "  waits that a held tail ends: ", waits);
    print_imports(&found, "  by libc's stdio, not seen where it reads a socket: ", streams);
    print_imports(&found, "  system calls by number, seen where they are receives: ", raw);
    if (!blind && !receives && !reports) {
        printf("  imports no receive call itself; the libraries that it loads may\n");
        blind = found.go; /* libc is all that most of them load */
    }
    if (!blind) {
        printf("\nWho loses what?      wsrx stat %s\n", program);
        printf("Lose nothing:        wsrx run%s %s\n", receives || !reports ? "" : " --calls=all",
               program);
        printf("Without wsrx:        LD_PRELOAD=libwsrx.so %s%s\n",
               receives || !reports ? "" : "WSRX_CALLS=all ", program);
    }
    poptFreeContext(context);
    return blind ? EXIT_TROUBLE : 0;
}
