/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "observe/observed_modules.h"

#include "util/memory.h"

#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* --- the file of a module ---------------------------------------------------------------- */

static void take_build_id(struct record_module *to, Elf *elf, const GElf_Phdr *notes)
{
    Elf_Data *data =
        elf_getdata_rawchunk(elf, (int64_t)notes->p_offset, notes->p_filesz, ELF_T_NHDR);
    size_t at = 0, next, name, words;
    GElf_Nhdr note;

    for (; data && (next = gelf_getnote(data, at, &note, &name, &words)) > 0; at = next) {
        if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 ||
            memcmp((char *)data->d_buf + name, "GNU", 4) != 0 ||
            note.n_descsz > sizeof to->build_id)
            continue;
        to->build_id_length = (uint8_t)note.n_descsz;
        memcpy(to->build_id, (char *)data->d_buf + words, note.n_descsz);
        return;
    }
}

/* The mapping at `start` is of the file's bytes at `offset`: which of the file's addresses that is, its
 * program headers say. False: none. */
static bool read_file(struct record_module *to, Elf *elf, uint64_t start, uint64_t offset)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    size_t headers = 0;
    bool found = false;
    GElf_Phdr header;

    if (elf_getphdrnum(elf, &headers) != 0)
        return false;
    for (size_t i = 0; i < headers && i <= INT_MAX && gelf_getphdr(elf, (int)i, &header); i++) {
        if (header.p_type == PT_NOTE && !to->build_id_length)
            take_build_id(to, elf, &header);
        if (header.p_type != PT_LOAD || found || !(header.p_flags & PF_X) ||
            offset < (header.p_offset & -page) || offset >= header.p_offset + header.p_filesz)
            continue;
        to->bias = start - offset + header.p_offset - header.p_vaddr;
        found = true;
    }
    return found;
}

static bool read_module(struct record_module *to, uint32_t pid, uint64_t start, uint64_t offset)
{
    char path[PATH_MAX + 32];
    bool found = false;
    Elf *elf;
    int fd;

    snprintf(path, sizeof path, "/proc/%u/root%s", pid, to->path);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return false;
    elf_version(EV_CURRENT);
    elf = elf_begin(fd, ELF_C_READ, NULL);
    if (elf)
        found = read_file(to, elf, start, offset);
    elf_end(elf);
    close(fd);
    return found;
}

/* --- the mappings ------------------------------------------------------------------------ */

struct mapping {
    uint64_t start, end, offset;
    char path[PATH_MAX];
};

/* proc(5): "start-end perms offset device inode path". False: it has no file. */
static bool parse(const char *line, struct mapping *ret_mapping)
{
    int at = 0;

    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %*s %n", &ret_mapping->start,
               &ret_mapping->end, &ret_mapping->offset, &at) < 3 ||
        line[at] != '/')
        return false;
    snprintf(ret_mapping->path, sizeof ret_mapping->path, "%.*s", (int)strcspn(line + at, "\n"),
             line + at);
    return true;
}

/* The mapping of the address, and from where to where its file is mapped in one row: a second row of
 * the same file begins with the file again. */
static bool find_row(FILE *file, uint64_t address, struct mapping *ret_mapping,
                     struct record_module *ret_module)
{
    struct mapping one, before = {0};
    char *line = NULL;
    size_t room = 0;
    bool found = false;

    while (getline(&line, &room, file) > 0) {
        if (!parse(line, &one))
            continue;
        if (strcmp(one.path, before.path) != 0 || one.offset == 0) {
            if (found)
                break;
            ret_module->start = one.start;
        }
        before = one;
        ret_module->end = one.end;
        if (one.start <= address && address < one.end) {
            *ret_mapping = one;
            found = true;
        }
    }
    free(line);
    return found;
}

static bool find_mapping(uint32_t pid, uint64_t address, struct mapping *ret_mapping,
                         struct record_module *ret_module)
{
    char path[64];
    bool found;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%u/maps", pid);
    file = fopen(path, "re");
    if (!file)
        return false;
    found = find_row(file, address, ret_mapping, ret_module);
    fclose(file);
    return found && memccpy(ret_module->path, ret_mapping->path, '\0', sizeof ret_module->path);
}

static const struct record_module *add(struct observed_modules *modules, uint32_t pid,
                                       uint64_t address)
{
    struct record_module module = {0};
    struct mapping mapping;

    if (!find_mapping(pid, address, &mapping, &module) ||
        !read_module(&module, pid, mapping.start, mapping.offset))
        return NULL;
    if (!modules->module)
        modules->module = need(calloc(OBSERVED_MODULES, sizeof *modules->module));
    modules->module[modules->count] = module;
    return &modules->module[modules->count++];
}

static uint64_t seconds(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec;
}

const struct record_module *observed_modules_find(struct observed_modules *modules, uint32_t pid,
                                                  uint64_t address)
{
    const struct record_module *found;

    for (size_t i = modules->count; i-- > 0;)
        if (modules->module[i].start <= address && address < modules->module[i].end)
            return &modules->module[i];
    /* Code that was made while the program ran is in no file: it is not looked for each time. */
    if (modules->count == OBSERVED_MODULES || address == 0 || modules->looked_at == seconds())
        return NULL;
    found = add(modules, pid, address);
    if (!found)
        modules->looked_at = seconds();
    return found;
}
