/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "commands/wine_files.h"

#include "util/complain.h"
#include "util/exit_code.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

const char *wine_path(char path[PATH_MAX], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (vsnprintf(path, PATH_MAX, format, args) >= PATH_MAX)
        path[0] = '\0';
    va_end(args);
    return path;
}

bool wine_path_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static void keep_if_there(char *path)
{
    if (!wine_path_exists(path))
        *path = '\0';
}

static void find_word(struct wine_files *files, enum wine_word word, const char *elf,
                      const char *pe, const char *launcher)
{
    const char *under = word == WINE_32 ? "/i386" : "";
    char dll[PATH_MAX];

    wine_path(files->word[word].elf, "%s%s", elf, under);
    wine_path(files->word[word].pe, "%s%s", pe, under);
    wine_path(files->word[word].launcher, "%s%s/wsrx-run.exe", launcher, under);
    if (!wine_path_exists(wine_path(dll, "%s/mswsock.dll", files->word[word].elf))) {
        /* Debian has them in a package of the other architecture. */
        wine_path(files->word[word].elf, "%s/../../i386-linux-gnu/wsrx/i386", elf);
        wine_path(dll, "%s/mswsock.dll", files->word[word].elf);
        if (word != WINE_32 || !wine_path_exists(dll))
            files->word[word].elf[0] = '\0';
    }
    if (!wine_path_exists(wine_path(dll, "%s/mswsock.dll", files->word[word].pe)))
        files->word[word].pe[0] = '\0';
    keep_if_there(files->word[word].launcher);
}

bool wine_files_find(struct wine_files *files)
{
    char self[PATH_MAX], shim[PATH_MAX], elf[PATH_MAX], pe[PATH_MAX], probe[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    bool built;
    char *slash;

    self[length > 0 ? length : 0] = '\0';
    slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    wine_path(shim, "%s/../shim", self);
    built = wine_path_exists(wine_path(probe, "%s/winelib/mswsock.dll", shim));
    wine_path(elf, built ? "%s/winelib" : "%s", built ? shim : WSRX_WINE_DIR);
    wine_path(pe, "%s/pe", built ? shim : WSRX_WINE_DIR);
    wine_path(files->pair, "%s/unixlib", built ? shim : WSRX_WINE_DIR);
    for (enum wine_word word = 0; word < WINE_WORDS; word++)
        find_word(files, word, elf, pe, built ? pe : WSRX_WINE_DIR);
    for (enum wine_word word = 0; word < WINE_WORDS; word++)
        if (*files->word[word].elf && *files->word[word].launcher)
            return true;
    complain("wsrx's parts for Wine are not there (no %s/mswsock.dll; Debian: wsrx-wine)", elf);
    return false;
}

bool wine_ask(const struct wine_files *files, const char *prefix, const char *order,
              struct wine_kind *kind)
{
    char answer[PATH_MAX + 8] = "", first[8] = "";
    ssize_t got = 0, more;
    int ends[2], status = -1;
    pid_t pid;

    if (!*files->word[WINE_32].launcher || pipe2(ends, O_CLOEXEC) != 0)
        return false;
    pid = fork();
    if (pid == 0) {
        int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

        dup2(nothing, STDIN_FILENO);
        dup2(ends[1], STDOUT_FILENO);
        dup2(nothing, STDERR_FILENO);
        setenv("WINEPREFIX", prefix, 1);
        setenv("WINEDEBUG", "-all", 1);
        unsetenv("WINEDLLPATH");
        execlp("wine", "wine", files->word[WINE_32].launcher, "--ask", order, (char *)NULL);
        _exit(EXIT_NOT_FOUND);
    }
    close(ends[1]);
    /* Up to the line's end: what Wine starts, too, has the pipe, and stays. */
    while (pid > 0 && !strchr(answer, '\n') && got < (ssize_t)sizeof answer - 1 &&
           (more = read(ends[0], answer + got, sizeof answer - 1 - (size_t)got)) > 0)
        got += more;
    close(ends[0]);
    if (pid > 0)
        waitpid(pid, &status, 0);
    answer[strcspn(answer, "\r\n")] = '\0';
    if (status != 0 || sscanf(answer, "%3s", first) != 1 || strlen(answer) <= strlen(first))
        return false;
    kind->in_64_bits = strcmp(first, "PE") == 0;
    wine_path(kind->directory, "%s", answer + strlen(first) + 1);
    return strcmp(first, "PE") == 0 || strcmp(first, "ELF") == 0;
}
