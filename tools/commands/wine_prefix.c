/* SPDX-License-Identifier: MIT
 *
 * wsrx wine install, status and remove: the DLLs of a Wine prefix, for each word size.
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
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* --- the prefix ------------------------------------------------------------------------------ */

/* The DLLs of a prefix that we replace. Wine's own is kept as "wsrx-NAME": ours forwards to it. */
static const struct dll {
    const char *name;
    const char *elf, *pe; /* among the installed files */
} dlls[] = {
    {"mswsock.dll", "mswsock.dll", "mswsock-prefix.dll"},
    {"wsock32.dll", "wsock32-prefix.dll", "wsock32-prefix.dll"},
};
enum { DLLS = sizeof dlls / sizeof *dlls };

/* What Wine loads wsrx.so for; only where our DLLs are Windows files. */
static const char pair_name[] = "wsrx.dll";

/* The part of a prefix that is for programs of one word size. */
struct half {
    enum wine_word word;
    char directory[PATH_MAX];
};

struct prefix {
    char path[PATH_MAX];
    struct half half[WINE_WORDS];
    unsigned halves;
};

/* Wine writes it when its server ends, or after half a minute: so, after a wineboot, in a while. */
static FILE *open_registry(const char *prefix, const char *system32)
{
    enum { STEPS = 400 };
    const struct timespec step = {.tv_nsec = 100000000};
    char path[PATH_MAX];
    FILE *registry = fopen(wine_path(path, "%s/system.reg", prefix), "re");

    for (int i = 0; !registry && wine_path_exists(system32) && i < STEPS; i++) {
        if (i == 0)
            complain("%s: waiting for Wine to write it", prefix);
        nanosleep(&step, NULL);
        registry = fopen(path, "re");
    }
    return registry;
}

static void add_half(struct prefix *prefix, enum wine_word word, const char *name)
{
    struct half *half = &prefix->half[prefix->halves];
    char probe[PATH_MAX];

    half->word = word;
    wine_path(half->directory, "%s/drive_c/windows/%s", prefix->path, name);
    /* A 64-bit Wine alone has the directory for 32-bit ones too, with next to nothing in it. */
    if (wine_path_exists(wine_path(probe, "%s/%s", half->directory, dlls[0].name)))
        prefix->halves++;
}

/* False after the line that says why not. */
static bool find_prefix(int argc, const char **argv, struct prefix *prefix)
{
    const char *named = argc > 1 ? argv[1] : getenv("WINEPREFIX"), *home = getenv("HOME");
    char system32[PATH_MAX], line[128];
    bool is_32_bit = false;
    FILE *registry;

    if (argc > 2) {
        complain("usage: wsrx wine %s [PREFIX]", argv[0]);
        return false;
    }
    prefix->halves = 0;
    if (named && *named)
        wine_path(prefix->path, "%s", named);
    else
        wine_path(prefix->path, "%s/.wine", home ? home : "");
    wine_path(system32, "%s/drive_c/windows/system32", prefix->path);
    registry = open_registry(prefix->path, system32);
    if (!registry || !wine_path_exists(system32)) {
        complain("%s: not a Wine prefix (wineboot makes one)", prefix->path);
        if (registry)
            fclose(registry);
        return false;
    }
    for (int i = 0; i < 8 && fgets(line, sizeof line, registry); i++)
        is_32_bit = is_32_bit || strncmp(line, "#arch=win32", 11) == 0;
    fclose(registry);
    if (!is_32_bit)
        add_half(prefix, WINE_64, "system32");
    add_half(prefix, WINE_32, is_32_bit ? "system32" : "syswow64");
    return true;
}

static const char *bits(const struct half *half)
{
    return half->word == WINE_32 ? "32-bit" : "64-bit";
}

/* --- its files ------------------------------------------------------------------------------- */

enum owner { NOBODY, OURS, OURS_PE, WINES };

/* Ours are ELF files, or Windows files that name their pair. */
static enum owner owner_of(const char *path)
{
    static const char elf[] = "\177ELF", named[] = "w\0s\0r\0x\0.\0d\0l\0l";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum owner owner = WINES;
    struct stat file;
    char *at;

    if (fd < 0)
        return NOBODY;
    if (fstat(fd, &file) == 0 && (size_t)file.st_size > sizeof elf) {
        at = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (at != MAP_FAILED) {
            if (memcmp(at, elf, sizeof elf - 1) == 0)
                owner = OURS;
            else if (memmem(at, (size_t)file.st_size, named, sizeof named - 1))
                owner = OURS_PE;
            munmap(at, (size_t)file.st_size);
        }
    }
    close(fd);
    return owner;
}

static bool is_ours(enum owner owner)
{
    return owner == OURS || owner == OURS_PE;
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

/* --- install --------------------------------------------------------------------------------- */

/* 0, or the exit code. */
static int install_dll(const struct half *half, const struct dll *dll, const char *from)
{
    char at[PATH_MAX], kept[PATH_MAX];
    enum owner before;
    int error;

    wine_path(at, "%s/%s", half->directory, dll->name);
    wine_path(kept, "%s/wsrx-%s", half->directory, dll->name);
    before = owner_of(at);
    /* Linked, not renamed: at no moment is there no such DLL. */
    if (before == WINES && ((unlink(kept) != 0 && errno != ENOENT) || link(at, kept) != 0))
        return trouble(kept, errno);
    error = copy_file(from, at);
    if (error)
        return trouble(at, error);
    printf("%s: %s; Wine's own is kept as wsrx-%s\n", at,
           is_ours(before) ? "ours, put there again" : "ours from now on", dll->name);
    return 0;
}

/* Wine loads the Unix half of a DLL from its own directories only. They are not the prefix's: who
 * may not write there needs a variable. */
static int install_pair(const struct wine_files *files, const struct wine_kind *kind)
{
    static const char *const parts[] = {"i386-windows/wsrx.dll", "x86_64-unix/wsrx.so"};

    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) {
        char from[PATH_MAX], at[PATH_MAX];
        int error;

        wine_path(from, "%s/%s", files->pair, parts[i]);
        wine_path(at, "%s/%s", kind->directory, parts[i]);
        error = copy_file(from, at);
        if (error) {
            complain("%s: %s: install once as who may write there, or set WINEDLLPATH=%s for the "
                     "programs",
                     at, strerror(error), files->pair);
            return EXIT_TROUBLE;
        }
        printf("%s: ours, for all prefixes of this Wine\n", at);
    }
    return 0;
}

/* 32-bit programs in 64-bit processes. */
static int install_pe(const struct wine_files *files, const struct prefix *prefix,
                      const struct half *half, struct wine_kind *kind)
{
    char from[PATH_MAX], at[PATH_MAX];
    int error, result = install_pair(files, kind);

    wine_path(from, "%s/i386-windows/%s", files->pair, pair_name);
    error = copy_file(from, wine_path(at, "%s/%s", half->directory, pair_name));
    if (error)
        return trouble(at, error);
    for (unsigned i = 0; i < DLLS; i++) {
        wine_path(from, "%s/%s", files->word[WINE_32].pe, dlls[i].pe);
        error = install_dll(half, &dlls[i], from);
        if (error)
            return error;
    }
    if (!wine_ask(files, prefix->path, "native,builtin", kind)) {
        complain("%s: its registry cannot be written", prefix->path);
        return EXIT_TROUBLE;
    }
    return result;
}

static int install_half(const struct wine_files *files, const struct prefix *prefix,
                        const struct half *half)
{
    struct wine_kind kind = {.in_64_bits = false};
    int error = 0;

    if (half->word == WINE_32 && !wine_ask(files, prefix->path, NULL, &kind)) {
        complain("%s: its 32-bit programs keep Wine's DLLs: %s", prefix->path,
                 *files->word[WINE_32].launcher ? "this Wine runs none (Debian: wine32:i386)"
                                                : "wsrx's parts for those are not there");
        return EXIT_TROUBLE;
    }
    if (kind.in_64_bits)
        return install_pe(files, prefix, half, &kind);
    if (!*files->word[half->word].elf) {
        complain("%s: its %s programs keep Wine's DLLs: wsrx's for those are not there (Debian: "
                 "wsrx-wine:%s)",
                 prefix->path, bits(half), half->word == WINE_32 ? "i386" : "amd64");
        return EXIT_TROUBLE;
    }
    for (unsigned i = 0; i < DLLS && !error; i++) {
        char from[PATH_MAX];

        wine_path(from, "%s/%s", files->word[half->word].elf, dlls[i].elf);
        error = install_dll(half, &dlls[i], from);
    }
    return error;
}

int wine_install(int argc, const char **argv)
{
    struct wine_files files;
    struct prefix prefix;
    int result = 0;

    if (!find_prefix(argc, argv, &prefix) || !wine_files_find(&files))
        return EXIT_OURS;
    for (unsigned i = 0; i < prefix.halves; i++) {
        int error = install_half(&files, &prefix, &prefix.half[i]);

        if (error)
            result = error;
        else
            printf(
                "%s: its %s programs have a WSARecvEx that works; `wsrx wine remove` undoes it\n",
                prefix.path, bits(&prefix.half[i]));
    }
    return result;
}

/* --- remove ---------------------------------------------------------------------------------- */

/* Adds to `*pe` whether it was a Windows file. */
static int remove_dll(const struct half *half, const struct dll *dll, bool *pe)
{
    char at[PATH_MAX], kept[PATH_MAX];
    enum owner now;

    wine_path(at, "%s/%s", half->directory, dll->name);
    wine_path(kept, "%s/wsrx-%s", half->directory, dll->name);
    now = owner_of(at);
    *pe = *pe || now == OURS_PE;
    if (now == WINES) {
        printf("%s: %s\n", at,
               unlink(kept) == 0 ? "Wine's already (an update of the prefix?); the copy is gone"
                                 : "Wine's; nothing to do");
        return 0;
    }
    if (!wine_path_exists(kept)) {
        complain("%s: Wine's own is not there; `wineboot -u` makes it anew", kept);
        return EXIT_TROUBLE;
    }
    if (rename(kept, at) != 0)
        return trouble(at, errno);
    printf("%s: Wine's again\n", at);
    return 0;
}

int wine_remove(int argc, const char **argv)
{
    struct wine_files files;
    struct wine_kind kind;
    struct prefix prefix;
    int result = 0;

    if (!find_prefix(argc, argv, &prefix))
        return EXIT_OURS;
    for (unsigned h = 0; h < prefix.halves; h++) {
        char pair[PATH_MAX];
        bool pe;

        wine_path(pair, "%s/%s", prefix.half[h].directory, pair_name);
        pe = unlink(pair) == 0;
        for (unsigned i = 0; i < DLLS; i++) {
            int error = remove_dll(&prefix.half[h], &dlls[i], &pe);

            result = error ? error : result;
        }
        if (pe && !(wine_files_find(&files) && wine_ask(&files, prefix.path, "-", &kind))) {
            complain("%s: its registry still prefers native DLLs for mswsock and wsock32 "
                     "(HKCU\\Software\\Wine\\DllOverrides)",
                     prefix.path);
            result = EXIT_TROUBLE;
        }
    }
    return result;
}

/* --- status ---------------------------------------------------------------------------------- */

/* Where our DLLs are Windows files, they need their pair in Wine's own directories. */
static bool has_pair(const struct prefix *prefix)
{
    struct wine_files files;
    struct wine_kind kind;
    char at[PATH_MAX];

    if (!wine_files_find(&files) || !wine_ask(&files, prefix->path, NULL, &kind))
        return false;
    wine_path(at, "%s/x86_64-unix/wsrx.so", kind.directory);
    printf("%s: %s\n", at, wine_path_exists(at) ? "ours" : "missing, and 32-bit programs need it");
    return wine_path_exists(at);
}

/* How many of its DLLs are ours. */
static unsigned show_half(const struct prefix *prefix, const struct half *half)
{
    static const char *const words[] = {"missing", "ours", "ours", "Wine's"};
    unsigned ours = 0;
    bool pe = false;

    for (unsigned i = 0; i < DLLS; i++) {
        char at[PATH_MAX], kept[PATH_MAX];
        enum owner owner = owner_of(wine_path(at, "%s/%s", half->directory, dlls[i].name));

        wine_path(kept, "%s/wsrx-%s", half->directory, dlls[i].name);
        ours += is_ours(owner);
        pe = pe || owner == OURS_PE;
        printf("%s: %s%s\n", at, words[owner],
               is_ours(owner) && !wine_path_exists(kept) ? ", and Wine's own is not kept" : "");
    }
    return pe && !has_pair(prefix) ? ours - 1 : ours;
}

int wine_status(int argc, const char **argv)
{
    struct prefix prefix;
    unsigned ours = 0;

    if (!find_prefix(argc, argv, &prefix))
        return EXIT_OURS;
    for (unsigned h = 0; h < prefix.halves; h++)
        ours += show_half(&prefix, &prefix.half[h]);
    printf("%s: %s\n", prefix.path,
           ours == 0                      ? "not installed"
           : ours == prefix.halves * DLLS ? "installed"
                                          : "installed in part");
    return ours && ours == prefix.halves * DLLS ? 0 : EXIT_TROUBLE;
}
