/* SPDX-License-Identifier: MIT
 *
 * wsrx wine install, status and remove: two DLLs of a Wine prefix.
 *
 * It keeps Wine's own files beside ours. It must never touch a program's folder.
 */
#define _GNU_SOURCE
#include "commands/wine_files.h"
#include "util/complain.h"
#include "util/exit_code.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The DLLs of a prefix that we replace. Wine's own is kept as "wsrx-NAME": ours forwards to it. */
static const struct dll {
    const char *name;
    const char *ours; /* among the installed files */
} dlls[] = {
    {"mswsock.dll", "mswsock.dll"},
    {"wsock32.dll", "wsock32-prefix.dll"},
};
enum { DLLS = sizeof dlls / sizeof *dlls };

/* Its directory system32; false after the line that says why not. */
static bool find_prefix(int argc, const char **argv, char prefix[PATH_MAX], char system32[PATH_MAX])
{
    const char *named = argc > 1 ? argv[1] : getenv("WINEPREFIX"), *home = getenv("HOME");
    char probe[PATH_MAX], line[128];
    bool is_32_bit = false;
    FILE *registry;

    if (argc > 2) {
        complain("usage: wsrx wine %s [PREFIX]", argv[0]);
        return false;
    }
    if (named && *named)
        wine_path(prefix, "%s", named);
    else
        wine_path(prefix, "%s/.wine", home ? home : "");
    wine_path(system32, "%s/drive_c/windows/system32", prefix);
    registry = fopen(wine_path(probe, "%s/system.reg", prefix), "re");
    if (!registry || !wine_path_exists(system32)) {
        complain("%s: not a Wine prefix (wineboot makes one)", prefix);
        if (registry)
            fclose(registry);
        return false;
    }
    for (int i = 0; i < 8 && fgets(line, sizeof line, registry); i++)
        is_32_bit = is_32_bit || strncmp(line, "#arch=win32", 11) == 0;
    fclose(registry);
    if (is_32_bit) {
        complain("%s: a 32-bit prefix, and this wsrx has no 32-bit parts", prefix);
        return false;
    }
    return true;
}

enum owner { NOBODY, OURS, WINES };

/* Ours are ELF files, Wine's are Windows files. */
static enum owner owner_of(const char *path)
{
    char start[4] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return NOBODY;
    if (read(fd, start, sizeof start) != (ssize_t)sizeof start)
        start[0] = '\0';
    close(fd);
    return memcmp(start, "\177ELF", sizeof start) == 0 ? OURS : WINES;
}

/* A whole file beside its place, then in its place at once. */
static int copy_file(const char *from, const char *to)
{
    char beside[PATH_MAX], piece[1 << 16];
    int in = open(from, O_RDONLY | O_CLOEXEC), out = -1, error = 0;
    ssize_t got = 0;

    wine_path(beside, "%s.wsrx-new", to);
    if (in >= 0)
        out = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    if (in < 0 || out < 0)
        error = errno;
    while (!error && (got = read(in, piece, sizeof piece)) > 0)
        if (write(out, piece, (size_t)got) != got)
            error = errno ? errno : ENOSPC;
    if (got < 0)
        error = errno;
    if (in >= 0)
        close(in);
    if (out >= 0 && close(out) != 0 && !error)
        error = errno;
    if (!error && rename(beside, to) != 0)
        error = errno;
    if (error && out >= 0)
        unlink(beside);
    return error;
}

static int trouble(const char *path, int error)
{
    complain("%s: %s", path, strerror(error));
    return EXIT_TROUBLE;
}

int wine_install(int argc, const char **argv)
{
    char prefix[PATH_MAX], system32[PATH_MAX], at[PATH_MAX], kept[PATH_MAX], from[PATH_MAX];
    struct wine_files files;

    if (!find_prefix(argc, argv, prefix, system32))
        return EXIT_OURS;
    if (!wine_files_find(&files))
        return EXIT_OURS;
    for (unsigned i = 0; i < DLLS; i++) {
        enum owner before;
        int error;

        wine_path(at, "%s/%s", system32, dlls[i].name);
        wine_path(kept, "%s/wsrx-%s", system32, dlls[i].name);
        wine_path(from, "%s/%s", files.dlls, dlls[i].ours);
        before = owner_of(at);
        /* Linked, not renamed: at no moment is there no such DLL. */
        if (before == WINES && ((unlink(kept) != 0 && errno != ENOENT) || link(at, kept) != 0))
            return trouble(kept, errno);
        error = copy_file(from, at);
        if (error)
            return trouble(at, error);
        printf("%s: %s; Wine's own is kept as wsrx-%s\n", at,
               before == OURS ? "ours, put there again" : "ours from now on", dlls[i].name);
    }
    printf("%s: its 64-bit programs have a WSARecvEx that works; `wsrx wine remove` undoes it\n",
           prefix);
    return 0;
}

int wine_remove(int argc, const char **argv)
{
    char prefix[PATH_MAX], system32[PATH_MAX], at[PATH_MAX], kept[PATH_MAX];
    int result = 0;

    if (!find_prefix(argc, argv, prefix, system32))
        return EXIT_OURS;
    for (unsigned i = 0; i < DLLS; i++) {
        enum owner now;

        wine_path(at, "%s/%s", system32, dlls[i].name);
        wine_path(kept, "%s/wsrx-%s", system32, dlls[i].name);
        now = owner_of(at);
        if (now == WINES) {
            printf("%s: %s\n", at,
                   unlink(kept) == 0 ? "Wine's already (an update of the prefix?); the copy is gone"
                                     : "Wine's; nothing to do");
        } else if (!wine_path_exists(kept)) {
            complain("%s: Wine's own is not there; `wineboot -u` makes it anew", kept);
            result = EXIT_TROUBLE;
        } else if (rename(kept, at) != 0) {
            return trouble(at, errno);
        } else {
            printf("%s: Wine's again\n", at);
        }
    }
    return result;
}

int wine_status(int argc, const char **argv)
{
    char prefix[PATH_MAX], system32[PATH_MAX], at[PATH_MAX], kept[PATH_MAX];
    unsigned ours = 0;

    if (!find_prefix(argc, argv, prefix, system32))
        return EXIT_OURS;
    for (unsigned i = 0; i < DLLS; i++) {
        static const char *const words[] = {"missing", "ours", "Wine's"};
        enum owner owner = owner_of(wine_path(at, "%s/%s", system32, dlls[i].name));

        ours += owner == OURS;
        printf("%s: %s%s\n", at, words[owner],
               owner == OURS &&
                       !wine_path_exists(wine_path(kept, "%s/wsrx-%s", system32, dlls[i].name))
                   ? ", and Wine's own is not kept"
                   : "");
    }
    printf("%s: %s\n", prefix,
           ours == DLLS ? "installed"
           : ours       ? "installed in part"
                        : "not installed");
    return ours == DLLS ? 0 : EXIT_TROUBLE;
}
