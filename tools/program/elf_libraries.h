/* SPDX-License-Identifier: MIT
 *
 * The libraries that a program needs, and that these need in turn, found as ld.so(8) finds them.
 * Nothing is run or loaded for it, as ldd(1) would. What a program loads by dlopen(3) is not known.
 */
#ifndef WSRX_PROGRAM_ELF_LIBRARIES_H
#define WSRX_PROGRAM_ELF_LIBRARIES_H

#include "program/elf_probe.h"

struct elf_library {
    const char *name;       /* as it is needed */
    struct executable file; /* `path` is "" if it was not found */
    struct elf_library *next;
};

/* Breadth first, as they are loaded. */
struct elf_library *elf_libraries_of(const struct executable *executable);
void elf_libraries_free(struct elf_library *libraries);

#endif
