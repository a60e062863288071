/* SPDX-License-Identifier: MIT
 *
 * What an executable file tells of itself before it runs. It must never run it.
 */
#ifndef WSRX_PROGRAM_ELF_PROBE_H
#define WSRX_PROGRAM_ELF_PROBE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum { IMPORTS_MAX = 64 };

struct executable {
    char path[PATH_MAX];        /* as found in PATH */
    char interpreter[PATH_MAX]; /* of a script, which is then what is examined; or "" */
    bool elf;
    bool damaged; /* an ELF file that ends too early; all else of it is not known then */
    bool symbols; /* there is a table of what it imports */
    bool library; /* it is no program, but what programs load */
    int bits;     /* 32 or 64 */
    bool is_static, go, setuid, io_uring;
    bool raised; /* we would run it with other rights than ours: LD_PRELOAD is ignored */
    const char *import[IMPORTS_MAX]; /* calls that receive, wait or go past the library */
    size_t imports;
};

/* Looks a program up as execvp(3) does. 0, or the errno that says why it cannot be run: where
 * there is an interpreter, why that one cannot. A library, which nobody runs, is looked at by its
 * path. */
int elf_probe(const char *program, struct executable *executable);

#endif
