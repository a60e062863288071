/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "real.h"

#include "base/compiler.h"
#include "elf_symbols.h"

#include <dlfcn.h>
#include <libc_has.h>
#include <stddef.h>
#include <stdint.h>

FAST_PATH_DATA struct real real;

/* The objects behind us in the dynamic linker's list, to libc, as the constructor has found them.
 * None of them is ever unloaded: the program was started with them. */
enum { OBJECTS = 32 };

FAST_PATH_DATA static struct {
    struct elf_symbols object[OBJECTS];
    unsigned count;
    bool behind_us;
    bool incomplete; /* one too many, or one with other tables: dlsym(3) looks for all at once */
    bool vfork_before_us;
    struct dl_phdr_info libc;
} list;

static void *find_behind_us(const char *name)
{
    uint32_t hash = elf_symbols_hash(name);
    void *found = NULL;

    for (unsigned i = 0; i < list.count && !found; i++)
        found = elf_symbols_find(&list.object[i], name, hash);
    return found;
}

static void *find_by_linker(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name), *libc;

    if (found)
        return found;
    /* If a program is linked only with a library that is linked with us, libc comes before us: then
     * nothing is interposed, but our own interface works. */
    libc = dlopen(LIBC_NAME, RTLD_LAZY | RTLD_NOLOAD);
    if (libc) {
        found = dlsym(libc, name);
        dlclose(libc);
    }
    return found;
}

void real_find(void **ret_call, const char *name)
{
    void *found = find_behind_us(name);

    if (!found)
        found = real_by_number(name);
    __atomic_store_n(ret_call, found ? found : find_by_linker(name), __ATOMIC_RELAXED);
}

bool real_is_libc(const void *call)
{
    return elf_object_has(&list.libc, call);
}

bool real_vfork_is_before_us(void)
{
    return list.vfork_before_us;
}

/* Without dladdr(3), which reads all of libc's symbols. */
START_CODE static int next_object(struct dl_phdr_info *object, size_t size, void *unused)
{
    static const char vfork_name[] = "vfork";
    struct elf_symbols symbols;

    (void)size;
    (void)unused;
    if (elf_object_has(object, (const void *)(uintptr_t)LIBC_LANDMARK))
        list.libc = *object;
    if (elf_object_has(object, vfork_name)) {
        list.behind_us = true;
    } else if (!elf_symbols_of(&symbols, object)) {
        list.incomplete |= list.behind_us;
    } else if (!list.behind_us) {
        list.vfork_before_us |=
            elf_symbols_find(&symbols, vfork_name, elf_symbols_hash(vfork_name)) != NULL;
    } else if (list.count == OBJECTS) {
        list.incomplete = true;
    } else {
        list.object[list.count++] = symbols;
    }
    return list.behind_us && list.libc.dlpi_phdr != NULL;
}

START_CODE static void find_all_by_linker(void)
{
    list.count = 0;
#define CALL(type, name, parameters) \
    if (!real.name)                  \
        *(void **)&real.name = LIBC_HAS_##name ? find_by_linker(#name) : real_by_number(#name);
#include "calls.def"
#undef CALL
}

START_CODE void real_start(void)
{
    dl_iterate_phdr(next_object, NULL);
    if (list.incomplete || list.count == 0)
        find_all_by_linker();
}
