/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "program/symbols.h"

#include "util/memory.h"
#include "util/printable.h"

#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct symbol {
    uint64_t start, end;
    const char *name;
};

/* The functions of a module, by address. It is read once; a file that cannot be read has none. */
struct symbols {
    char path[MODULE_PATH];
    struct symbol *symbol;
    size_t count;
    struct symbols *next;
};

static void add_symbol(struct symbols *symbols, const GElf_Sym *from, const char *name)
{
    if (GELF_ST_TYPE(from->st_info) != STT_FUNC || from->st_shndx == SHN_UNDEF ||
        from->st_size == 0 || from->st_value > UINT64_MAX - from->st_size || !name || !*name)
        return;
    if ((symbols->count & (symbols->count - 1)) == 0) /* a power of two: the array is full */
        symbols->symbol = need(realloc(symbols->symbol, (symbols->count ? 2 * symbols->count : 1) *
                                                            sizeof *symbols->symbol));
    symbols->symbol[symbols->count++] =
        (struct symbol){from->st_value, from->st_value + from->st_size, name};
}

static void add_section(struct symbols *symbols, Elf *elf, Elf_Scn *section,
                        const GElf_Shdr *header)
{
    Elf_Data *data = elf_getdata(section, NULL);
    size_t count = header->sh_entsize ? header->sh_size / header->sh_entsize : 0;
    GElf_Sym symbol;

    for (size_t i = 0; data && i < count && i <= INT_MAX; i++)
        if (gelf_getsym(data, (int)i, &symbol))
            add_symbol(symbols, &symbol, elf_strptr(elf, header->sh_link, symbol.st_name));
}

/* Whether the file is the one that the program had: another one may have come in its place. */
static bool has_build_id(Elf *elf, const struct record_module *module)
{
    Elf_Scn *section = NULL;
    GElf_Shdr header;
    GElf_Nhdr note;

    while ((section = elf_nextscn(elf, section))) {
        Elf_Data *data = gelf_getshdr(section, &header) && header.sh_type == SHT_NOTE
                             ? elf_getdata(section, NULL)
                             : NULL;
        size_t at = 0, next, name, words;

        for (; data && (next = gelf_getnote(data, at, &note, &name, &words)) > 0; at = next)
            if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof "GNU" &&
                memcmp((char *)data->d_buf + name, "GNU", sizeof "GNU") == 0)
                return note.n_descsz == module->build_id_length &&
                       memcmp((char *)data->d_buf + words, module->build_id, note.n_descsz) == 0;
    }
    return module->build_id_length == 0;
}

/* What is read stays open: the names lie in it. */
static void add_file(struct symbols *symbols, const struct record_module *module, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    Elf_Scn *section = NULL;
    struct stat kind;
    GElf_Shdr header;
    Elf *elf;

    if (fd < 0)
        return;
    if (fstat(fd, &kind) != 0 || !S_ISREG(kind.st_mode) ||
        !(elf = elf_begin(fd, ELF_C_READ_MMAP, NULL))) {
        close(fd);
        return;
    }
    if (elf_kind(elf) != ELF_K_ELF || !has_build_id(elf, module)) {
        elf_end(elf);
        close(fd);
        return;
    }
    while ((section = elf_nextscn(elf, section)))
        if (gelf_getshdr(section, &header) &&
            (header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM))
            add_section(symbols, elf, section, &header);
}

/* Where Debian and others put the symbols that were stripped off. */
static void add_debug_file(struct symbols *symbols, const struct record_module *module)
{
    char path[PATH_MAX] = "/usr/lib/debug/.build-id/";
    size_t at = strlen(path);

    if (module->build_id_length < 2 || module->build_id_length > sizeof module->build_id)
        return;
    for (size_t i = 0; i < module->build_id_length; i++)
        at += (size_t)snprintf(path + at, sizeof path - at, "%02x%s", module->build_id[i],
                               i == 0 ? "/" : "");
    snprintf(path + at, sizeof path - at, ".debug");
    add_file(symbols, module, path);
}

static int by_start(const void *one, const void *other)
{
    const struct symbol *a = one, *b = other;

    return a->start < b->start ? -1 : a->start > b->start;
}

static const struct symbols *symbols_of(const struct record_module *module)
{
    static struct symbols *all;
    struct symbols *found = all;

    while (found && strcmp(found->path, module->path) != 0)
        found = found->next;
    if (found)
        return found;
    found = need(calloc(1, sizeof *found));
    strcpy(found->path, module->path);
    found->next = all;
    all = found;
    elf_version(EV_CURRENT);
    add_file(found, module, module->path);
    add_debug_file(found, module);
    if (found->count > 0)
        qsort(found->symbol, found->count, sizeof *found->symbol, by_start);
    return found;
}

/* The function that has the address, or NULL. */
static const struct symbol *find(const struct symbols *symbols, uint64_t address)
{
    size_t low = 0, high = symbols->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (symbols->symbol[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && address < symbols->symbol[low - 1].end ? &symbols->symbol[low - 1] : NULL;
}

char *symbol_at(const struct record_module *module, uint64_t caller, char to[SYMBOL_MAX])
{
    const struct symbol *symbol;
    char *name, *function;

    if (!module->path[0]) {
        snprintf(to, SYMBOL_MAX, "0x%" PRIx64, caller);
        return to;
    }
    name = printable(module_name(module));
    /* The call itself lies before the address that it returns to. */
    symbol = find(symbols_of(module), caller - module->bias - 1);
    if (symbol) {
        function = printable(symbol->name);
        snprintf(to, SYMBOL_MAX, "%.160s(%.300s+0x%" PRIx64 ")", name, function,
                 caller - module->bias - symbol->start);
        free(function);
    } else {
        snprintf(to, SYMBOL_MAX, "%.400s+0x%" PRIx64, name, caller - module->bias);
    }
    free(name);
    return to;
}
