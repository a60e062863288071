/* SPDX-License-Identifier: MIT
 *
 * wsrx wine: Windows programs with a WSARecvEx that works.
 *
 * `run` changes no file. `install` changes two files of a prefix, keeps Wine's own beside them, and
 * `remove` puts them back. It must never touch a program's folder.
 */
#define _GNU_SOURCE
#include "suggest.h"
#include "wsrx.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
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

/* What a path is made of, cut where it would not fit: such a file is not there then. */
__attribute__((format(printf, 2, 3))) static const char *path_of(char path[PATH_MAX],
                                                                 const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (vsnprintf(path, PATH_MAX, format, args) >= PATH_MAX)
        path[0] = '\0';
    va_end(args);
    return path;
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* --- where our files are --------------------------------------------------------------------- */

struct places {
    char dlls[PATH_MAX]; /* the winelib DLLs, and wsrx-run.exe */
    char launcher[PATH_MAX];
    char library[PATH_MAX];
};

/* Beside a command that runs from its build directory, else as installed. */
static bool find_places(struct places *places)
{
    char self[PATH_MAX], probe[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash;

    self[length > 0 ? length : 0] = '\0';
    slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    if (exists(path_of(probe, "%s/../shim/winelib/mswsock.dll", self))) {
        path_of(places->dlls, "%s/../shim/winelib", self);
        path_of(places->launcher, "%s/../shim/pe/wsrx-run.exe", self);
        path_of(places->library, "%s/../preload/libwsrx.so", self);
    } else {
        path_of(places->dlls, "%s", WSRX_WINE_DIR);
        path_of(places->launcher, "%s/wsrx-run.exe", WSRX_WINE_DIR);
        path_of(places->library, "%s/libwsrx.so.0", WSRX_LIBRARY_DIR);
    }
    if (exists(path_of(probe, "%s/mswsock.dll", places->dlls)) && exists(places->library) &&
        exists(places->launcher))
        return true;
    complain("this wsrx was built without its parts for Wine (%s/mswsock.dll is not there)",
             places->dlls);
    return false;
}

/* --- run ------------------------------------------------------------------------------------- */

enum { MACHINE_I386 = 0x14c, MACHINE_AMD64 = 0x8664 };

/* Whether the shell would find it. */
static bool is_on_path(const char *name)
{
    const char *path = getenv("PATH");
    char copy[PATH_MAX], probe[PATH_MAX], *rest = copy, *directory;

    path_of(copy, "%s", path ? path : "/usr/bin:/bin");
    while ((directory = strsep(&rest, ":")) != NULL)
        if (access(path_of(probe, "%s/%s", *directory ? directory : ".", name), X_OK) == 0)
            return true;
    return false;
}

/* A Windows program's machine by its file; 0: it is none. Numbers are little-endian, as we are. */
static unsigned windows_machine(int fd)
{
    enum { DOS_SIZE = 0x40, OFFSET_AT = 0x3c };
    unsigned char dos[DOS_SIZE], nt[6];
    uint32_t offset;

    if (pread(fd, dos, sizeof dos, 0) != (ssize_t)sizeof dos || memcmp(dos, "MZ", 2) != 0)
        return 0;
    memcpy(&offset, dos + OFFSET_AT, sizeof offset);
    if (pread(fd, nt, sizeof nt, offset) != (ssize_t)sizeof nt || memcmp(nt, "PE\0", 4) != 0)
        return 0;
    return nt[4] | (unsigned)nt[5] << 8;
}

/* The same for a program built with winegcc (NAME.exe.so): a shared object with the header of a
 * Windows program in it, which Wine finds by its symbol. */
static unsigned winelib_machine(int fd)
{
    static const char symbol[] = "__wine_spec_nt_header";
    unsigned machine = 0;
    struct stat file;
    char *at;

    if (fstat(fd, &file) != 0 || (size_t)file.st_size < sizeof(Elf64_Ehdr))
        return 0;
    at = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED)
        return 0;
    if (memcmp(at, ELFMAG, SELFMAG) == 0 && memmem(at, (size_t)file.st_size, symbol, sizeof symbol))
        machine = at[EI_CLASS] == ELFCLASS64 ? MACHINE_AMD64 : MACHINE_I386;
    munmap(at, (size_t)file.st_size);
    return machine;
}

/* 0, or the exit code after the line that says why not. */
static int check_program(const char *program)
{
    /* Who opens a pipe to read waits for one who writes. */
    int fd = open(program, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    unsigned machine;

    if (fd < 0) {
        complain("%s: %s", program, strerror(errno));
        return errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
    }
    machine = windows_machine(fd);
    if (machine == 0)
        machine = winelib_machine(fd);
    close(fd);
    switch (machine) {
    case MACHINE_AMD64:
        return 0;
    case MACHINE_I386:
        complain("%s: a 32-bit program, and this wsrx has no 32-bit parts", program);
        return EXIT_CANNOT_RUN;
    default:
        complain("%s: not a Windows program", program);
        return EXIT_CANNOT_RUN;
    }
}

static int run(int argc, const char **argv)
{
    struct places places;
    char directory[PATH_MAX], program[PATH_MAX], library[PATH_MAX], preload[2 * PATH_MAX];
    const char *before = getenv("LD_PRELOAD");
    const char **words;
    int error;

    if (argc > 1 && strcmp(argv[1], "--") == 0)
        argc--, argv++;
    if (argc < 2) {
        complain("usage: wsrx wine run PROGRAM.exe [ARGUMENT...]");
        return EXIT_OURS;
    }
    error = check_program(argv[1]);
    if (error)
        return error;
    if (!is_on_path("wine")) {
        complain("no wine on the PATH: install it first (Debian: wine, wine64)");
        return EXIT_NOT_FOUND;
    }
    if (!find_places(&places))
        return EXIT_OURS;
    if (!realpath(argv[1], program) || !realpath(places.dlls, directory) ||
        !realpath(places.library, library)) {
        complain("%s: %s", argv[1], strerror(errno));
        return EXIT_OURS;
    }
    if (strpbrk(library, " :")) {
        complain("%s: LD_PRELOAD cannot name a path with a space or a colon", library);
        return EXIT_OURS;
    }
    snprintf(preload, sizeof preload, "%s%s%s", library, before && *before ? ":" : "",
             before ? before : "");
    setenv("LD_PRELOAD", preload, 1);

    words = calloc((size_t)argc + 4, sizeof *words);
    if (!words)
        return EXIT_OURS;
    words[0] = "wine";
    words[1] = places.launcher;
    words[2] = directory;
    words[3] = program;
    memcpy(words + 4, argv + 2, (size_t)(argc - 1) * sizeof *words); /* with the NULL */
    execvp("wine", (char *const *)(uintptr_t)words);
    complain("wine: %s", strerror(errno));
    return EXIT_CANNOT_RUN;
}

/* --- a prefix -------------------------------------------------------------------------------- */

/* Its directory system32; false after the line that says why not. */
static bool find_prefix(int argc, const char **argv, char prefix[PATH_MAX],
                        char system32[PATH_MAX])
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
        path_of(prefix, "%s", named);
    else
        path_of(prefix, "%s/.wine", home ? home : "");
    path_of(system32, "%s/drive_c/windows/system32", prefix);
    registry = fopen(path_of(probe, "%s/system.reg", prefix), "re");
    if (!registry || !exists(system32)) {
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

    path_of(beside, "%s.wsrx-new", to);
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

static int install(int argc, const char **argv)
{
    char prefix[PATH_MAX], system32[PATH_MAX], at[PATH_MAX], kept[PATH_MAX], from[PATH_MAX];
    struct places places;

    if (!find_prefix(argc, argv, prefix, system32))
        return EXIT_OURS;
    if (!find_places(&places))
        return EXIT_OURS;
    for (unsigned i = 0; i < DLLS; i++) {
        enum owner before;
        int error;

        path_of(at, "%s/%s", system32, dlls[i].name);
        path_of(kept, "%s/wsrx-%s", system32, dlls[i].name);
        path_of(from, "%s/%s", places.dlls, dlls[i].ours);
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

static int remove_(int argc, const char **argv)
{
    char prefix[PATH_MAX], system32[PATH_MAX], at[PATH_MAX], kept[PATH_MAX];
    int result = 0;

    if (!find_prefix(argc, argv, prefix, system32))
        return EXIT_OURS;
    for (unsigned i = 0; i < DLLS; i++) {
        enum owner now;

        path_of(at, "%s/%s", system32, dlls[i].name);
        path_of(kept, "%s/wsrx-%s", system32, dlls[i].name);
        now = owner_of(at);
        if (now == WINES) {
            printf("%s: %s\n", at,
                   unlink(kept) == 0 ? "Wine's already (an update of the prefix?); the copy is gone"
                                     : "Wine's; nothing to do");
        } else if (!exists(kept)) {
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

static int status(int argc, const char **argv)
{
    char prefix[PATH_MAX], system32[PATH_MAX], at[PATH_MAX], kept[PATH_MAX];
    unsigned ours = 0;

    if (!find_prefix(argc, argv, prefix, system32))
        return EXIT_OURS;
    for (unsigned i = 0; i < DLLS; i++) {
        static const char *const words[] = {"missing", "ours", "Wine's"};
        enum owner owner = owner_of(path_of(at, "%s/%s", system32, dlls[i].name));

        ours += owner == OURS;
        printf("%s: %s%s\n", at, words[owner],
               owner == OURS && !exists(path_of(kept, "%s/wsrx-%s", system32, dlls[i].name))
                   ? ", and Wine's own is not kept"
                   : "");
    }
    printf("%s: %s\n", prefix,
           ours == DLLS ? "installed" : ours ? "installed in part" : "not installed");
    return ours == DLLS ? 0 : EXIT_TROUBLE;
}

/* --- the subcommand -------------------------------------------------------------------------- */

static const struct command actions[] = {
    {"run", "PROGRAM.exe [ARGUMENT...]  run a program so; no file is changed", run},
    {"install", "[PREFIX]               for all 64-bit programs of a prefix", install},
    {"status", "[PREFIX]                tell whether it is installed", status},
    {"remove", "[PREFIX]                undo it", remove_},
    {NULL, NULL, NULL},
};

static int help(FILE *to)
{
    fputs("wsrx wine: Windows programs with a WSARecvEx that works\n\n"
          "Usage: wsrx wine ACTION ...\n\n", to);
    for (const struct command *action = actions; action->name; action++)
        fprintf(to, "  wsrx wine %s %s\n", action->name, action->summary);
    fputs("\nPREFIX is $WINEPREFIX, or ~/.wine, where it is not given.\n"
          "\nHelp:\n  -h, --help     show this help\n", to);
    return to == stdout ? 0 : EXIT_OURS;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int command_wine(int argc, const char **argv)
{
    static const char *const options[] = {"--help", NULL};
    const char *meant;

    if (argc < 2)
        return help(stderr);
    if (is_help(argv[1]))
        return help(stdout);
    for (const struct command *action = actions; action->name; action++)
        if (strcmp(action->name, argv[1]) == 0)
            return argc > 2 && is_help(argv[2]) ? help(stdout) : action->run(argc - 1, argv + 1);
    /* `wsrx wine app.exe` says what is meant. */
    if (strchr(argv[1], '.') || strchr(argv[1], '/'))
        return run(argc, argv);
    meant = argv[1][0] == '-' ? suggest_word(argv[1], options) : suggest_command(argv[1], actions);
    complain("wine %s: no such action; %s%s%swsrx wine --help lists them", argv[1],
             meant ? "did you mean " : "", meant ? meant : "", meant ? "? " : "");
    return EXIT_OURS;
}
