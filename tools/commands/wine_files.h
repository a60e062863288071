/* SPDX-License-Identifier: MIT
 *
 * What the parts of `wsrx wine` share: where our files for Wine are, and what Wine says of itself.
 */
#ifndef WSRX_COMMANDS_WINE_FILES_H
#define WSRX_COMMANDS_WINE_FILES_H

#include <limits.h>
#include <stdbool.h>

enum wine_word { WINE_64, WINE_32, WINE_WORDS };

/* "" for what is not there. */
struct wine_files {
    struct {
        char elf[PATH_MAX]; /* the folder of the winelib DLLs */
        char pe[PATH_MAX];  /* of those that are Windows files; they need `pair` */
        char launcher[PATH_MAX];
    } word[WINE_WORDS];
    char pair[PATH_MAX]; /* wsrx.dll and wsrx.so, in a layout that Wine searches */
};

/* Beside a command that runs from its build directory, else as installed. False: there is nothing,
 * and that is reported. `word[].launcher` says whether there is anything for programs of a size. */
bool wine_files_find(struct wine_files *files);

/* Builds a path; "" if it would be too long: such a file does not exist. */
__attribute__((format(printf, 2, 3))) const char *wine_path(char path[PATH_MAX], const char *format,
                                                            ...);
bool wine_path_exists(const char *path);

/* What 32-bit programs of a prefix are to Wine. */
struct wine_kind {
    bool in_64_bits;          /* it runs them in 64-bit processes, which load no 32-bit ELF DLL */
    char directory[PATH_MAX]; /* in which it searches first for its own DLLs */
};

/* Starts Wine to ask it; `order` as wsrx-run.exe takes it, or NULL. False: it did not answer, for
 * example because it runs no 32-bit programs. */
bool wine_ask(const struct wine_files *files, const char *prefix, const char *order,
              struct wine_kind *kind);

/* The actions on a prefix; see wine_prefix.c. */
int wine_install(int argc, const char **argv);
int wine_remove(int argc, const char **argv);
int wine_status(int argc, const char **argv);

#endif
