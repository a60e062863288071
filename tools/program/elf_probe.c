/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "program/elf_probe.h"

#include "program/elf_file.h"
#include "program/pe_probe.h"
#include "program/program_path.h"
#include "util/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* What a program may import that matters here. */
static const char *const calls[] = {
    "recv",           "__recv_chk",  "recvfrom",     "__recvfrom_chk", "recvmsg",
    "recvmmsg",       "read",        "__read_chk",   "readv",          "preadv2",
    "poll",           "__poll_chk",  "ppoll",        "select",         "pselect",
    "epoll_wait",     "epoll_pwait", "epoll_pwait2", "fread",          "fgets",
    "getline",        "getdelim",    "fgetc",        "syscall",        "io_uring_queue_init",
    "io_uring_setup", "dlopen",
};

static void note_import(struct executable *executable, const char *name)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (strcmp(calls[i], name) == 0 && executable->imports < IMPORTS_MAX)
            executable->import[executable->imports++] = calls[i];
    if (strncmp(name, "io_uring_", 9) == 0)
        executable->io_uring = true;
}

static void read_symbols(const struct elf_file *file, const struct elf_piece *symbols,
                         const struct elf_piece *names, struct executable *executable)
{
    for (size_t i = 0; i < symbols->count; i++) {
        const char *symbol = symbols->bytes + i * ELF_SIZE(file, Sym);
        const char *name = elf_piece_text(names, ELF_FIELD(file, Sym, symbol, st_name));

        if (name && ELF_FIELD(file, Sym, symbol, st_shndx) == SHN_UNDEF)
            note_import(executable, name);
        else if (name && strcmp(name, "__asan_init") == 0)
            executable->asan = true;
    }
}

/* A text of the file, which ends there too. */
static void read_text(int fd, uint64_t offset, uint64_t size, char *to, size_t room)
{
    ssize_t got = pread(fd, to, size < room ? size : room - 1, (off_t)offset);

    to[got > 0 ? got : 0] = '\0';
}

/* How the program is loaded. */
static void read_segments(const struct elf_file *file, struct executable *executable)
{
    struct elf_piece headers;

    executable->is_static = true;
    executable->damaged = !elf_file_segments(file, &headers) || file->cut;
    for (size_t i = 0; i < headers.count; i++) {
        const char *header = headers.bytes + i * ELF_SIZE(file, Phdr);
        uint64_t type = ELF_FIELD(file, Phdr, header, p_type);
        uint64_t offset = ELF_FIELD(file, Phdr, header, p_offset);
        uint64_t size = ELF_FIELD(file, Phdr, header, p_filesz);

        if (type == PT_LOAD && (offset > file->size || size > file->size - offset)) {
            executable->damaged = true;
        } else if (type == PT_INTERP) {
            executable->is_static = false;
            read_text(file->fd, offset, size, executable->loader, sizeof executable->loader);
        }
    }
    free(headers.bytes);
}

static enum elf_libc libc_of_loader(const char *loader)
{
    const char *slash = strrchr(loader, '/'), *name = slash ? slash + 1 : loader;

    if (!*name || strncmp(name, "ld-linux", 8) == 0 || strncmp(name, "ld.so", 5) == 0 ||
        strncmp(name, "ld64.so", 7) == 0)
        return LIBC_GLIBC;
    return strncmp(name, "ld-musl-", 8) == 0 ? LIBC_MUSL : LIBC_OTHER;
}

static void take_needed(struct executable *executable, const char *name)
{
    if (executable->neededs == NEEDED_MAX)
        return;
    executable->needed[executable->neededs++] = need(strdup(name));
    /* musl's own name is the first, and Alpine's the second. */
    if (strcmp(name, "libc.so") == 0 || strncmp(name, "libc.musl-", 10) == 0)
        executable->libc = LIBC_MUSL;
    /* AddressSanitizer's runtime wants to be loaded before all other libraries. */
    if (strncmp(name, "libasan.so", 10) == 0)
        executable->asan = true;
}

/* Without an interpreter it is a static program or a library. Static programs for a fixed address
 * are ET_EXEC; of those that can be loaded anywhere the linker marks the programs. */
static void read_dynamic(const struct elf_file *file, const struct elf_piece *entries,
                         const struct elf_piece *texts, struct executable *executable)
{
    bool program = executable->type != ET_DYN;

    for (size_t i = 0; i < entries->count; i++) {
        const char *entry = entries->bytes + i * ELF_SIZE(file, Dyn);
        uint64_t tag = ELF_FIELD(file, Dyn, entry, d_tag);
        uint64_t value = ELF_FIELD(file, Dyn, entry, d_un.d_val);
        const char *text = elf_piece_text(texts, value);

        program = program || (tag == DT_FLAGS_1 && (value & DF_1_PIE));
        if (text && tag == DT_NEEDED)
            take_needed(executable, text);
        else if (text &&
                 (tag == DT_RPATH || tag == DT_RUNPATH)) /* the latter overrides the former */
            snprintf(executable->search, sizeof executable->search, "%s", text);
    }
    if (executable->is_static && !program) {
        executable->library = true;
        executable->is_static = false;
    }
}

static void read_section(const struct elf_file *file, const struct elf_piece *sections,
                         uint64_t number, struct executable *executable)
{
    const char *header = sections->bytes + number * ELF_SIZE(file, Shdr);
    uint64_t type = ELF_FIELD(file, Shdr, header, sh_type);
    struct elf_piece records, texts;

    if (type != SHT_DYNAMIC && type != SHT_DYNSYM)
        return;
    records = elf_file_section(file, sections, number);
    texts = elf_file_section(file, sections, ELF_FIELD(file, Shdr, header, sh_link));
    if (type == SHT_DYNAMIC) {
        read_dynamic(file, &records, &texts, executable);
    } else {
        executable->symbols = true;
        read_symbols(file, &records, &texts, executable);
    }
    free(records.bytes);
    free(texts.bytes);
}

static void read_elf(const struct elf_file *file, struct executable *executable)
{
    struct elf_piece sections, names;
    size_t names_at;

    executable->elf = true;
    executable->bits = file->wide ? 64 : 32;
    executable->machine = (unsigned)ELF_HEADER(file, e_machine);
    executable->type = (unsigned)ELF_HEADER(file, e_type);
    executable->libc = libc_of_loader(executable->loader);
    sections = elf_file_sections(file, &names_at);
    names = elf_file_section(file, &sections, names_at);
    for (size_t i = 0; i < sections.count; i++) {
        const char *header = sections.bytes + i * ELF_SIZE(file, Shdr);
        const char *name = elf_piece_text(&names, ELF_FIELD(file, Shdr, header, sh_name));

        if (name && (strcmp(name, ".go.buildinfo") == 0 || strcmp(name, ".note.go.buildid") == 0))
            executable->go = true;
        read_section(file, &sections, i, executable);
    }
    free(names.bytes);
    free(sections.bytes);
}

/* "#!/usr/bin/env python3" is python3's business, and so is "#!/usr/bin/env -S A=1 python3 -u". */
static char *word_for_env(char **rest)
{
    char *word;

    while ((word = strtok_r(NULL, " \t", rest))) {
        if (strncmp(word, "-S", 2) == 0 && word[2])
            return word + 2;
        if (*word != '-' && !strchr(word, '='))
            break;
    }
    return word;
}

static bool read_script(int fd, char *interpreter)
{
    char line[PATH_MAX + 1];
    ssize_t got = pread(fd, line, sizeof line - 1, 0);
    char *word, *rest;

    if (got < 3 || memcmp(line, "#!", 2) != 0)
        return false;
    line[got] = '\0';
    line[strcspn(line, "\n")] = '\0';
    word = strtok_r(line + 2, " \t", &rest);
    if (word && strcmp(word, "/usr/bin/env") == 0)
        word = word_for_env(&rest);
    if (!word)
        return false;
    snprintf(interpreter, PATH_MAX, "%s", word);
    return true;
}

/* execve(2): what is ignored then, ld.so(8) says under "secure-execution mode". */
static void read_rights(int fd, const struct stat *now, struct executable *executable)
{
    bool user = now->st_mode & S_ISUID;
    bool group = (now->st_mode & S_ISGID) && (now->st_mode & S_IXGRP);
    bool capable = fgetxattr(fd, "security.capability", NULL, 0) > 0;

    executable->setuid = user || group || capable;
    executable->raised = (user && now->st_uid != getuid()) || (group && now->st_gid != getgid()) ||
                         (capable && getuid() != 0);
}

/* A script's interpreter may be a script: the kernel follows so many. */
enum { SCRIPTS = 4 };

static int read_file(const char *path, struct executable *executable, int depth)
{
    /* Who opens a pipe to read waits for one who writes. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat now;
    struct elf_file file;

    if (fd < 0)
        return errno == EACCES ? 0 : errno; /* it can be run, though not read */
    if (fstat(fd, &now) != 0 || !S_ISREG(now.st_mode)) {
        close(fd);
        return EACCES; /* as execve(2) says */
    }
    read_rights(fd, &now, executable);
    if (depth < SCRIPTS && read_script(fd, executable->interpreter)) {
        char found[PATH_MAX];
        int error = program_find(executable->interpreter, found);

        /* The kernel heeds no such bits of a script. */
        executable->setuid = executable->raised = false;
        close(fd);
        return error ? error : read_file(found, executable, depth + 1);
    }
    if (elf_file_open(fd, (uint64_t)now.st_size, &file)) {
        read_segments(&file, executable);
        read_elf(&file, executable);
    }
    executable->windows = !executable->elf && pe_machine(fd) != 0;
    close(fd);
    return 0;
}

void elf_probe_file(const char *path, struct executable *executable)
{
    memset(executable, 0, sizeof *executable);
    snprintf(executable->path, sizeof executable->path, "%s", path);
    read_file(path, executable, SCRIPTS);
}

void elf_probe_free(struct executable *executable)
{
    for (size_t i = 0; i < executable->neededs; i++)
        free(executable->needed[i]);
    executable->neededs = 0;
}

bool elf_imports(const struct executable *executable, const char *name)
{
    for (size_t i = 0; i < executable->imports; i++)
        if (strcmp(executable->import[i], name) == 0)
            return true;
    return false;
}

int elf_probe(const char *program, struct executable *executable)
{
    int error;

    memset(executable, 0, sizeof *executable);
    error = program_find(program, executable->path);
    if (error == EACCES && read_file(executable->path, executable, SCRIPTS) == 0 &&
        executable->library)
        return 0;
    return error ? error : read_file(executable->path, executable, 0);
}
