/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "examine.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* What a program may import that matters here. */
static const char *const calls[] = {
    "recv", "__recv_chk", "recvfrom", "__recvfrom_chk", "recvmsg", "recvmmsg", "read",
    "__read_chk", "readv", "preadv2", "poll", "__poll_chk", "ppoll", "select", "pselect",
    "epoll_wait", "epoll_pwait", "epoll_pwait2", "fread", "fgets", "getline", "getdelim", "fgetc",
    "syscall", "io_uring_queue_init", "io_uring_setup",
};

static int find(const char *program, char *path)
{
    const char *search = getenv("PATH");
    int error = ENOENT;

    if (strchr(program, '/')) {
        snprintf(path, PATH_MAX, "%s", program);
        return access(path, F_OK) != 0 ? errno : access(path, X_OK) != 0 ? errno : 0;
    }
    if (!search)
        search = "/bin:/usr/bin";
    for (;; search++) {
        int length = (int)strcspn(search, ":");
        struct stat now;

        snprintf(path, PATH_MAX, "%.*s%s%s", length, search, length ? "/" : "", program);
        if (stat(path, &now) == 0 && S_ISREG(now.st_mode)) {
            if (access(path, X_OK) == 0)
                return 0;
            error = EACCES;
        }
        search += length;
        if (!*search)
            return error;
    }
}

static void note_import(struct executable *executable, const char *name)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (strcmp(calls[i], name) == 0 && executable->imports < IMPORTS_MAX)
            executable->import[executable->imports++] = calls[i];
    if (strncmp(name, "io_uring_", 9) == 0)
        executable->io_uring = true;
}

static void read_symbols(Elf *elf, Elf_Scn *section, const GElf_Shdr *header,
                         struct executable *executable)
{
    Elf_Data *data = elf_getdata(section, NULL);
    size_t count = header->sh_entsize ? header->sh_size / header->sh_entsize : 0;

    for (size_t i = 0; data && i < count && i <= INT_MAX; i++) {
        GElf_Sym symbol;
        const char *name;

        if (gelf_getsym(data, (int)i, &symbol) && symbol.st_shndx == SHN_UNDEF &&
            (name = elf_strptr(elf, header->sh_link, symbol.st_name)))
            note_import(executable, name);
    }
}

static void read_elf(Elf *elf, struct executable *executable)
{
    bool interpreted = false;
    size_t headers = 0, names;
    Elf_Scn *section = NULL;

    executable->elf = true;
    executable->bits = gelf_getclass(elf) == ELFCLASS32 ? 32 : 64;
    elf_getphdrnum(elf, &headers);
    for (size_t i = 0; i < headers && i <= INT_MAX; i++) {
        GElf_Phdr header;

        if (gelf_getphdr(elf, (int)i, &header) && header.p_type == PT_INTERP)
            interpreted = true;
    }
    executable->is_static = !interpreted;
    if (elf_getshdrstrndx(elf, &names) != 0)
        return;
    while ((section = elf_nextscn(elf, section))) {
        GElf_Shdr header;
        const char *name;

        if (!gelf_getshdr(section, &header))
            continue;
        name = elf_strptr(elf, names, header.sh_name);
        if (name && (strcmp(name, ".go.buildinfo") == 0 || strcmp(name, ".note.go.buildid") == 0))
            executable->go = true;
        if (header.sh_type == SHT_DYNSYM)
            read_symbols(elf, section, &header, executable);
    }
}

/* "#!/usr/bin/env python3" is python3's business. */
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
        word = strtok_r(NULL, " \t", &rest);
    if (!word)
        return false;
    snprintf(interpreter, PATH_MAX, "%s", word);
    return true;
}

static int read_file(const char *path, struct executable *executable, bool script)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat now;
    Elf *elf;

    if (fd < 0)
        return errno == EACCES ? 0 : errno; /* it can be run, though not read */
    if (fstat(fd, &now) == 0 &&
        ((now.st_mode & S_ISUID) || ((now.st_mode & S_ISGID) && (now.st_mode & S_IXGRP)) ||
         fgetxattr(fd, "security.capability", NULL, 0) > 0))
        executable->setuid = true;
    if (!script && read_script(fd, executable->interpreter)) {
        char found[PATH_MAX];
        int error = find(executable->interpreter, found);

        close(fd);
        return error ? error : read_file(found, executable, true);
    }
    elf_version(EV_CURRENT);
    elf = elf_begin(fd, ELF_C_READ, NULL);
    if (elf && elf_kind(elf) == ELF_K_ELF)
        read_elf(elf, executable);
    elf_end(elf);
    close(fd);
    return 0;
}

int examine(const char *program, struct executable *executable)
{
    int error;

    memset(executable, 0, sizeof *executable);
    error = find(program, executable->path);
    return error ? error : read_file(executable->path, executable, false);
}
