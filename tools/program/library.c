/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "program/library.h"

#include "program/elf_libraries.h"
#include "util/complain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where the library may be, seen from us: in the build tree; under the prefix, wherever that is
 * now; where it was to be installed. */
static const char *const places[] = {"../preload/libwsrx.so", WSRX_LIBRARY_FROM_HERE, WSRX_LIBRARY};

bool library_find(char path[PATH_MAX], bool report)
{
    char place[PATH_MAX], self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);

    strcpy(self + (length > 0 ? length : 0), length > 0 ? "" : "/");
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        int directory = places[i][0] == '/' ? 0 : (int)(strrchr(self, '/') + 1 - self);

        if (snprintf(place, sizeof place, "%.*s%s", directory, self, places[i]) < PATH_MAX &&
            access(place, R_OK) == 0 && realpath(place, path))
            return true;
    }
    if (report)
        complain("the library is not there: no %s, and none beside %s", WSRX_LIBRARY, self);
    return false;
}

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

bool library_words(const char *path, char directory[PATH_MAX], char name[PATH_MAX])
{
    const char *slash = strrchr(path, '/');

    directory[0] = '\0';
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

bool library_preload(const char *first)
{
    char path[PATH_MAX], directory[PATH_MAX], name[PATH_MAX];

    if (!library_find(path, true))
        return false;
    if (!library_words(path, directory, name)) {
        complain("%s: LD_PRELOAD cannot name a path with a colon", path);
        return false;
    }
    if (*directory)
        put_before("LD_LIBRARY_PATH", directory);
    put_before("LD_PRELOAD", name);
    if (*first)
        put_before("LD_PRELOAD", first);
    return true;
}
