/* SPDX-License-Identifier: MIT
 *
 * What the file of a program or library says of itself. It never runs it.
 */
#ifndef WSRX_PROGRAM_ELF_PROBE_H
#define WSRX_PROGRAM_ELF_PROBE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* Whose C library a program or library is built for. */
enum elf_libc { LIBC_GLIBC, LIBC_MUSL, LIBC_OTHER };

enum { IMPORTS_MAX = 64, NEEDED_MAX = 128 };

struct executable {
    char path[PATH_MAX];        /* as found in PATH */
    char interpreter[PATH_MAX]; /* of a script, which is then what is described; or "" */
    char loader[256];           /* of a dynamic program; or "" */
    char search[PATH_MAX];      /* DT_RUNPATH or DT_RPATH; or "" */
    bool elf;
    bool windows;
    bool damaged;           /* an ELF file that ends too early; nothing else is known of it then */
    bool symbols;           /* there is a table of what it imports */
    bool library;           /* not a program, but what programs load */
    int bits;               /* 32 or 64 */
    unsigned machine, type; /* as in elf(5) */
    bool is_static, go, setuid, io_uring;
    bool asan;          /* built with AddressSanitizer */
    enum elf_libc libc; /* by its loader; of a library by what it needs */
    bool raised;        /* we would run it with other rights than ours: LD_PRELOAD is ignored */
    const char *import[IMPORTS_MAX]; /* calls that receive, wait or go past the library */
    size_t imports;
    char *needed[NEEDED_MAX]; /* libraries, by name */
    size_t neededs;
};

/* Looks a program up as execvp(3) does. 0, or the errno that says why it cannot be run; of a
 * script, why its interpreter cannot. A library, which nobody runs, is found by its path. To be
 * freed also after an error. */
int elf_probe(const char *program, struct executable *executable);

/* The same for a file that need not be executable. What it is not, its fields say. */
void elf_probe_file(const char *path, struct executable *executable);

void elf_probe_free(struct executable *executable);

bool elf_imports(const struct executable *executable, const char *name);

#endif
