/* SPDX-License-Identifier: MIT
 *
 * The symbols of a loaded object, found as the dynamic linker finds them (DT_GNU_HASH), without its
 * locks, its memory and the error that dlsym(3) leaves for dlerror(3). A hundred names cost a tenth
 * of what they cost with dlsym(3).
 */
#ifndef WSRX_ELF_SYMBOLS_H
#define WSRX_ELF_SYMBOLS_H

#include <link.h>
#include <stdbool.h>
#include <stdint.h>

struct elf_symbols {
    uintptr_t base; /* what is added to a symbol's value */
    const uint32_t *hash;
    const ElfW(Sym) * symbols;
    const char *strings;
    const ElfW(Half) * versions; /* NULL: there are none */
};

/* False: the object has no such table. */
bool elf_symbols_of(struct elf_symbols *ret_symbols, const struct dl_phdr_info *object);

uint32_t elf_symbols_hash(const char *name);

/* The definition that a program without versions gets; NULL: none, or one whose address only the
 * dynamic linker can tell. */
void *elf_symbols_find(const struct elf_symbols *in, const char *name, uint32_t hash);

/* Whether the address lies in the object. */
bool elf_object_has(const struct dl_phdr_info *object, const void *address);

#endif
