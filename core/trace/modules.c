/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "trace/modules.h"

#include "base/libc.h"
#include "base/strbuf.h"
#include "trace/program.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

/* Where it is missing callers stay plain addresses. */
extern __typeof__(_dl_find_object) _dl_find_object __attribute__((weak));

static struct record_module module[MODULES];
static atomic_uint claimed;
static const char *directory = "";

void modules_start(const char *in)
{
    directory = in;
}

unsigned modules_number(const struct record_module *one)
{
    return (unsigned)(one - module);
}

static bool is_ready(const struct record_module *one)
{
    return __atomic_load_n(&one->start, __ATOMIC_ACQUIRE) != 0;
}

const struct record_module *modules_get(unsigned number)
{
    return is_ready(&module[number]) ? &module[number] : NULL;
}

/* --- a module's file --------------------------------------------------------------------- */

/* The notes at `at`: elf(5). */
static void take_build_id(struct record_module *to, const char *at, size_t size)
{
    while (size >= sizeof(ElfW(Nhdr))) {
        const ElfW(Nhdr) *note = (const void *)at;
        size_t name = sizeof *note, data = name + ((note->n_namesz + 3u) & ~(size_t)3);
        size_t next = data + ((note->n_descsz + 3u) & ~(size_t)3);

        if (next > size)
            return;
        if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
            memcmp(at + name, "GNU", 4) == 0 && note->n_descsz <= sizeof to->build_id) {
            to->build_id_length = (uint8_t)note->n_descsz;
            memcpy(to->build_id, at + data, note->n_descsz);
            return;
        }
        at += next;
        size -= next;
    }
}

/* Whether the module has these bytes in memory, from its file. */
static bool is_loaded(const ElfW(Phdr) * header, unsigned count, uint64_t address, uint64_t size)
{
    for (unsigned i = 0; i < count; i++)
        if (header[i].p_type == PT_LOAD && (header[i].p_flags & PF_R) &&
            address >= header[i].p_vaddr &&
            address + size <= (uint64_t)header[i].p_vaddr + header[i].p_filesz)
            return true;
    return false;
}

/* The caller runs there, so it is not about to be unloaded. Its first bytes are the file's header,
 * if the first segment begins with the file. */
static void read_notes(struct record_module *to, const char *at)
{
    const ElfW(Ehdr) *file = (const void *)at;
    const ElfW(Phdr) *header = (const void *)(at + file->e_phoff);

    if (memcmp(file->e_ident, ELFMAG, SELFMAG) != 0 || file->e_phentsize != sizeof *header)
        return;
    if (!is_loaded(header, file->e_phnum, (uintptr_t)at - to->bias,
                   file->e_phoff + file->e_phnum * sizeof *header))
        return;
    for (unsigned i = 0; i < file->e_phnum && !to->build_id_length; i++)
        if (header[i].p_type == PT_NOTE &&
            is_loaded(header, file->e_phnum, header[i].p_vaddr, header[i].p_filesz))
            take_build_id(to, (const char *)(uintptr_t)(to->bias + header[i].p_vaddr),
                          header[i].p_filesz);
}

static void set_path(struct record_module *to, const char *path)
{
    size_t length, before = *path && *path != '/' ? strlen(directory) + 1 : 0;

    if (!*path)
        path = trace_program.path;
    length = strlen(path);
    if (before + length < sizeof to->path) {
        struct strbuf text = strbuf_in(to->path, sizeof to->path);

        if (before) {
            strbuf_add(&text, directory);
            strbuf_add_char(&text, '/');
        }
        strbuf_add(&text, path);
        return;
    }
    if (length >= sizeof to->path)
        path += length - (sizeof to->path - 1);
    *put_string(to->path, path) = '\0';
}

/* --- the modules ------------------------------------------------------------------------- */

static struct record_module *add(const struct dl_find_object *object)
{
    unsigned number = atomic_load(&claimed);
    struct record_module *to;

    do
        if (number >= MODULES)
            return NULL;
    while (!atomic_compare_exchange_weak(&claimed, &number, number + 1));
    to = &module[number];
    to->end = (uintptr_t)object->dlfo_map_end;
    to->bias = object->dlfo_link_map->l_addr;
    set_path(to, object->dlfo_link_map->l_name);
    read_notes(to, object->dlfo_map_start);
    __atomic_store_n(&to->start, (uintptr_t)object->dlfo_map_start, __ATOMIC_RELEASE);
    return to;
}

const struct record_module *modules_find(uint64_t address)
{
    struct dl_find_object object;
    unsigned count = atomic_load(&claimed);

    if (!_dl_find_object || _dl_find_object((void *)(uintptr_t)address, &object) != 0)
        return NULL;
    /* Where a library was unloaded another one may lie; so the last one counts. */
    while (count-- > 0)
        if (is_ready(&module[count]) && module[count].end > address &&
            module[count].start <= address) {
            if (module[count].start == (uintptr_t)object.dlfo_map_start &&
                module[count].bias == object.dlfo_link_map->l_addr)
                return &module[count];
            break;
        }
    return add(&object);
}
