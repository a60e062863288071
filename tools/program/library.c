/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "program/library.h"

#include "program/elf_libraries.h"
#include "program/place.h"
#include "util/complain.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SONAME "libwsrx.so.0"

/* Where the library may be, seen from us: in the build tree; under the prefix, wherever that is
 * now; where it was to be installed. */
static const char *const places[] = {"../preload/libwsrx.so", WSRX_LIBRARY_FROM_HERE, WSRX_LIBRARY};

static char own_path[PATH_MAX]; /* where it is, when it has been found */

static bool find_own(char path[PATH_MAX])
{
    for (size_t i = 0; !*own_path && i < sizeof places / sizeof *places; i++)
        if (!place_has(places[i], own_path))
            own_path[0] = '\0';
    strcpy(path, own_path);
    return *own_path;
}

void library_report_missing(void)
{
    char self[PATH_MAX];

    place_of_self(self);
    complain("the library is not there: no %s, and none near %s", WSRX_LIBRARY, self);
}

/* --- of another kind --------------------------------------------------------------------- */

const char *library_kind(const struct executable *program)
{
    static const struct {
        unsigned machine;
        int bits;
        const char *of[LIBC_OTHER];
    } kinds[] = {
        {EM_X86_64, 64, {"x86_64-linux-gnu", "x86_64-linux-musl"}},
        {EM_386, 32, {"i386-linux-gnu", "i386-linux-musl"}},
        {EM_AARCH64, 64, {"aarch64-linux-gnu", "aarch64-linux-musl"}},
        {EM_ARM, 32, {"arm-linux-gnueabihf", "arm-linux-musleabihf"}},
        {EM_RISCV, 64, {"riscv64-linux-gnu", "riscv64-linux-musl"}},
        {EM_S390, 64, {"s390x-linux-gnu", "s390x-linux-musl"}},
    };

    for (size_t i = 0; program->libc != LIBC_OTHER && i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].machine == program->machine && kinds[i].bits == program->bits)
            return kinds[i].of[program->libc];
    return NULL;
}

static bool is_same_kind(const struct executable *one, const struct executable *other)
{
    return one->machine == other->machine && one->bits == other->bits && one->libc == other->libc;
}

/* The linker's name for the start of our own file, wherever it is mapped. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

/* What this command is built for. */
static const struct executable *self(void)
{
    static struct executable us = {
        .elf = true,
        .bits = 8 * (int)sizeof(void *),
#ifdef __GLIBC__
        .libc = LIBC_GLIBC,
#else
        .libc = LIBC_MUSL,
#endif
    };

    us.machine = __ehdr_start.e_machine;
    return &us;
}

bool library_is_other(const struct executable *program)
{
    /* Nothing is loaded into these; what they start has most likely our own kind. */
    return program && program->elf && !program->damaged && !program->is_static &&
           !is_same_kind(program, self());
}

static bool fits(const char *path, const struct executable *program)
{
    struct executable file;
    bool good;

    elf_probe_file(path, &file);
    good = file.elf && !file.damaged && is_same_kind(&file, program);
    elf_probe_free(&file);
    return good;
}

/* In the directories that distributions have for it, seen from that of our own library. */
static bool find_beside(const char *own, const struct executable *program, char path[PATH_MAX])
{
    static const char *const directories[] = {"..",     ".",           "../lib32",    "../lib64",
                                              "../lib", "../../lib32", "../../lib64", "../../lib"};
    const char *kind = library_kind(program), *slash = strrchr(own, '/');
    char place[PATH_MAX];

    for (size_t i = 0; kind && slash && i < sizeof directories / sizeof *directories; i++) {
        /* In the first two each kind has a directory of its name. */
        bool named = i < 2;

        if (snprintf(place, sizeof place, "%.*s/%s%s%s/libwsrx.so.0", (int)(slash - own), own,
                     directories[i], named ? "/" : "", named ? kind : "") < PATH_MAX &&
            place_has(place, path) && fits(path, program))
            return true;
    }
    return false;
}

bool library_find(const struct executable *program, char path[PATH_MAX])
{
    if (!library_is_other(program))
        return find_own(path);
    return find_beside(WSRX_LIBRARY_FROM_HERE, program, path) ||
           find_beside(WSRX_LIBRARY, program, path);
}

/* --- for LD_PRELOAD ---------------------------------------------------------------------- */

bool library_before(const struct executable *executable, char path[PATH_MAX])
{
    struct elf_library *libraries = NULL;

    path[0] = '\0';
    if (executable->asan)
        libraries = elf_libraries_of(executable);
    for (const struct elf_library *library = libraries; library; library = library->next)
        if (strncmp(library->name, "libasan.so", 10) == 0 && library->file.elf)
            strcpy(path, library->file.path);
    elf_libraries_free(libraries);
    /* The words of LD_PRELOAD end at a space or a colon, and nothing quotes these. */
    if (strpbrk(path, " :"))
        path[0] = '\0';
    return *path;
}

/* Whether a word is in a list with colons or lines. */
static bool lists(const char *list, const char *word, size_t length)
{
    for (; *list; list += strspn(list, ":\n")) {
        size_t one = strcspn(list, ":\n");

        if (one == length && strncmp(list, word, length) == 0)
            return true;
        list += one;
    }
    return false;
}

/* The directories that the loader of a library of this kind searches: see ld.so(8); for musl, its
 * file. */
static void searched(const struct executable *library, char to[PATH_MAX])
{
    const char *kind = library_kind(library);
    int file = -1;
    ssize_t got;

    if (library->libc == LIBC_GLIBC) {
        snprintf(to, PATH_MAX, "/lib/%s:/usr/lib/%s:%s", kind ? kind : "", kind ? kind : "",
                 library->bits == 64 ? "/lib64:/usr/lib64" : "/lib:/usr/lib");
        return;
    }
    snprintf(to, PATH_MAX, "/etc/ld-musl-%.*s.path", kind ? (int)strcspn(kind, "-") : 0,
             kind ? kind : "");
    file = open(to, O_RDONLY | O_CLOEXEC);
    strcpy(to, "/lib:/usr/local/lib:/usr/lib");
    if (file < 0)
        return;
    got = read(file, to, PATH_MAX - 1);
    to[got > 0 ? got : 0] = '\0';
    close(file);
}

static bool is_searched(const struct executable *library, const char *path, size_t directory)
{
    char list[PATH_MAX];

    searched(library, list);
    return lists(list, path, directory);
}

/* By its name alone each loader finds the library of its own kind. */
static bool is_found_by_name(const char *path, size_t directory)
{
    struct executable library;
    bool found;

    if (strcmp(path, own_path) == 0)
        return is_searched(self(), path, directory);
    elf_probe_file(path, &library);
    found = library.elf && is_searched(&library, path, directory);
    elf_probe_free(&library);
    return found;
}

bool library_words(const char *path, char directory[PATH_MAX], char name[PATH_MAX])
{
    const char *slash = strrchr(path, '/');

    directory[0] = '\0';
    if (slash && is_found_by_name(path, (size_t)(slash - path))) {
        strcpy(name, SONAME);
        return true;
    }
    snprintf(name, PATH_MAX, "%s", path);
    if (!strpbrk(path, " :"))
        return true;
    /* The directories of LD_LIBRARY_PATH may have spaces. */
    if (!slash || strpbrk(path, ":;"))
        return false;
    snprintf(directory, PATH_MAX, "%.*s", (int)(slash - path), path);
    snprintf(name, PATH_MAX, "%s", slash + 1);
    return !strpbrk(name, " ");
}

/* A list with one more in front of it. */
static void put_before(const char *variable, const char *first)
{
    char list[3 * PATH_MAX];
    const char *rest = getenv(variable);

    snprintf(list, sizeof list, "%s%s%s", first, rest && *rest ? ":" : "", rest ? rest : "");
    setenv(variable, list, 1);
}

/* Where Debian's loader finds libraries of its kind: it puts $LIB in, and other loaders find nothing
 * of such a name, and say nothing. */
static void by_kind(char name[PATH_MAX])
{
    static const char *const directories[] = {"/lib/x86_64-linux-gnu", "/lib/i386-linux-gnu"};
    char *slash = strrchr(name, '/');

    for (size_t i = 0; slash && i < sizeof directories / sizeof *directories; i++) {
        size_t length = strlen(directories[i]);

        if ((size_t)(slash - name) > length && access(directories[i], X_OK) == 0 &&
            strncmp(slash - length, directories[i], length) == 0) {
            strcpy(slash - length, "/$LIB/" SONAME);
            return;
        }
    }
}

bool library_preload(const char *path, const char *first)
{
    char directory[PATH_MAX], name[PATH_MAX];

    if (!library_words(path, directory, name)) {
        complain("%s: LD_PRELOAD cannot name a path with a colon", path);
        return false;
    }
    if (*directory)
        put_before("LD_LIBRARY_PATH", directory);
    else
        by_kind(name);
    put_before("LD_PRELOAD", name);
    if (*first)
        put_before("LD_PRELOAD", first);
    return true;
}
