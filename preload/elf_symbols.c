/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "elf_symbols.h"

#include "base/compiler.h"

#include <elf.h>
#include <stddef.h>
#include <string.h>

enum { HIDDEN_VERSION = 0x8000, WORD_BITS = 8 * sizeof(ElfW(Addr)) };

/* The dynamic linker adds the base to these addresses, but not on each machine. */
START_CODE static const void *address(const struct dl_phdr_info *object, ElfW(Addr) of)
{
    return (const void *)(uintptr_t)(of < object->dlpi_addr ? of + object->dlpi_addr : of);
}

START_CODE static const ElfW(Dyn) * dynamic_section(const struct dl_phdr_info *object)
{
    for (size_t i = 0; i < object->dlpi_phnum; i++)
        if (object->dlpi_phdr[i].p_type == PT_DYNAMIC)
            return (const void *)(uintptr_t)(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr);
    return NULL;
}

START_CODE bool elf_symbols_of(struct elf_symbols *ret_symbols, const struct dl_phdr_info *object)
{
    *ret_symbols = (struct elf_symbols){.base = object->dlpi_addr};
    for (const ElfW(Dyn) *at = dynamic_section(object); at && at->d_tag != DT_NULL; at++) {
        if (at->d_tag == DT_GNU_HASH)
            ret_symbols->hash = address(object, at->d_un.d_ptr);
        else if (at->d_tag == DT_SYMTAB)
            ret_symbols->symbols = address(object, at->d_un.d_ptr);
        else if (at->d_tag == DT_STRTAB)
            ret_symbols->strings = address(object, at->d_un.d_ptr);
        else if (at->d_tag == DT_VERSYM)
            ret_symbols->versions = address(object, at->d_un.d_ptr);
    }
    return ret_symbols->hash && ret_symbols->symbols && ret_symbols->strings;
}

START_CODE uint32_t elf_symbols_hash(const char *name)
{
    uint32_t hash = 5381;

    for (; *name; name++)
        hash = hash * 33 + (unsigned char)*name;
    return hash;
}

START_CODE static void *value(const struct elf_symbols *in, const ElfW(Sym) * symbol)
{
    unsigned type = symbol->st_info & 0xf;

    if (symbol->st_shndx == SHN_UNDEF || symbol->st_value == 0 || type == STT_GNU_IFUNC ||
        type == STT_TLS)
        return NULL;
    return (void *)(in->base + symbol->st_value);
}

/* The table: buckets, symoffset, the words and the shift of its Bloom filter; then the filter, the
 * buckets, and a chain of hashes, whose last bit ends a bucket. */
START_CODE void *elf_symbols_find(const struct elf_symbols *in, const char *name, uint32_t hash)
{
    uint32_t buckets = in->hash[0], offset = in->hash[1], words = in->hash[2], shift = in->hash[3];
    const ElfW(Addr) *filter = (const void *)(in->hash + 4);
    const uint32_t *bucket = (const void *)(filter + words), *chain = bucket + buckets;
    ElfW(Addr) word = filter[hash / WORD_BITS % words];
    uint32_t at;

    if (!(word >> hash % WORD_BITS & word >> (hash >> shift) % WORD_BITS & 1))
        return NULL;
    at = bucket[hash % buckets];
    if (at < offset)
        return NULL;
    for (;; at++) {
        uint32_t other = chain[at - offset];

        if ((other | 1) == (hash | 1) && !(in->versions && in->versions[at] & HIDDEN_VERSION) &&
            strcmp(in->strings + in->symbols[at].st_name, name) == 0)
            return value(in, &in->symbols[at]);
        if (other & 1)
            return NULL;
    }
}

START_CODE bool elf_object_has(const struct dl_phdr_info *object, const void *address)
{
    uintptr_t wanted = (uintptr_t)address - object->dlpi_addr;

    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];

        if (part->p_type == PT_LOAD && wanted - part->p_vaddr < part->p_memsz)
            return true;
    }
    return false;
}
