/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "program/elf_libraries.h"

#include "util/memory.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LIBRARIES_MAX = 1000 }; /* no program needs so many */

/* --- the cache of ldconfig(8) ------------------------------------------------------------ */

/* Its format since glibc 2.2 (sysdeps/generic/dl-cache.h): numbers are those of the machine. */
#define CACHE_MAGIC "glibc-ld.so.cache1.1"

struct cache_entry {
    int32_t flags;
    uint32_t name, path; /* offsets from the start of the file */
    uint32_t os_version;
    uint64_t hardware;
};

struct cache {
    char magic[sizeof CACHE_MAGIC - 1];
    uint32_t entries, strings_size;
    uint32_t unused[5];
    struct cache_entry entry[];
};

/* A text of the file that ends in it; else "". */
static const char *text_at(const struct cache *cache, size_t size, uint32_t offset)
{
    const char *text = (const char *)cache + offset;

    return offset < size && memchr(text, '\0', size - offset) ? text : "";
}

/* Whether it is a file for the same kind of program. */
static bool is_kind(const char *path, const struct executable *program, struct executable *ret_file)
{
    elf_probe_file(path, ret_file);
    if (ret_file->elf && ret_file->bits == program->bits && ret_file->machine == program->machine)
        return true;
    elf_probe_free(ret_file);
    return false;
}

static bool look_in_cache(const char *name, const struct executable *program,
                          struct executable *ret_file)
{
    int fd = open("/etc/ld.so.cache", O_RDONLY | O_CLOEXEC);
    const struct cache *cache = MAP_FAILED;
    bool found = false;
    struct stat file;

    if (fd >= 0 && fstat(fd, &file) == 0 && (size_t)file.st_size >= sizeof *cache)
        cache = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (fd >= 0)
        close(fd);
    if (cache == MAP_FAILED)
        return false;
    for (uint32_t i = 0; memcmp(cache->magic, CACHE_MAGIC, sizeof cache->magic) == 0 &&
                         i < cache->entries && !found;
         i++) {
        const struct cache_entry *entry = &cache->entry[i];

        if ((size_t)file.st_size - sizeof *cache < (i + UINT64_C(1)) * sizeof *entry)
            break;
        found = strcmp(text_at(cache, (size_t)file.st_size, entry->name), name) == 0 &&
                is_kind(text_at(cache, (size_t)file.st_size, entry->path), program, ret_file);
    }
    munmap((void *)cache, (size_t)file.st_size);
    return found;
}

/* --- directories ------------------------------------------------------------------------- */

/* A list with colons. $ORIGIN stands for the directory of the file `from`. */
static bool look_in(const char *list, const char *from, const char *name,
                    const struct executable *program, struct executable *ret_file)
{
    const char *slash = strrchr(from, '/');
    int origin = slash ? (int)(slash - from) : 0;

    for (; list && *list; list += strspn(list, ":")) {
        int length = (int)strcspn(list, ":"), skip = 0;
        char path[PATH_MAX];

        if (strncmp(list, "$ORIGIN", 7) == 0)
            skip = 7;
        else if (strncmp(list, "${ORIGIN}", 9) == 0)
            skip = 9;
        if (skip > length)
            skip = 0;
        if (snprintf(path, sizeof path, "%.*s%.*s/%s", skip ? origin : 0, from, length - skip,
                     list + skip, name) < (int)sizeof path &&
            is_kind(path, program, ret_file))
            return true;
        list += length;
    }
    return false;
}

/* The order of ld.so(8). */
static bool look(const char *name, const struct executable *from, const struct executable *program,
                 struct executable *ret_file)
{
    if (strchr(name, '/'))
        return is_kind(name, program, ret_file);
    return look_in(from->search, from->path, name, program, ret_file) ||
           look_in(program->search, program->path, name, program, ret_file) ||
           look_in(getenv("LD_LIBRARY_PATH"), from->path, name, program, ret_file) ||
           look_in_cache(name, program, ret_file) ||
           look_in("/lib:/usr/lib:/lib64:/usr/lib64", from->path, name, program, ret_file);
}

/* --- all of them ------------------------------------------------------------------------- */

static bool is_listed(const struct elf_library *list, const char *name)
{
    for (; list; list = list->next)
        if (strcmp(list->name, name) == 0)
            return true;
    return false;
}

struct elf_library *elf_libraries_of(const struct executable *executable)
{
    struct elf_library *first = NULL, **last = &first, *next = NULL;
    const struct executable *from = executable;
    size_t count = 0;

    for (;;) {
        for (size_t i = 0; i < from->neededs && count < LIBRARIES_MAX; i++) {
            struct elf_library *library;

            if (is_listed(first, from->needed[i]))
                continue;
            library = need(calloc(1, sizeof *library));
            library->name = from->needed[i];
            if (!look(library->name, from, executable, &library->file))
                library->file = (struct executable){.elf = false};
            *last = library;
            last = &library->next;
            count++;
        }
        next = next ? next->next : first;
        if (!next)
            return first;
        from = &next->file;
    }
}

void elf_libraries_free(struct elf_library *libraries)
{
    while (libraries) {
        struct elf_library *next = libraries->next;

        elf_probe_free(&libraries->file);
        free(libraries);
        libraries = next;
    }
}
