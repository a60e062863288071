/* SPDX-License-Identifier: MIT
 *
 * What the parts of `wsrx wine` share: where our files for Wine are.
 */
#ifndef WSRX_COMMANDS_WINE_FILES_H
#define WSRX_COMMANDS_WINE_FILES_H

#include <limits.h>
#include <stdbool.h>

struct wine_files {
    char dlls[PATH_MAX]; /* the winelib DLLs, and wsrx-run.exe */
    char launcher[PATH_MAX];
    char library[PATH_MAX];
};

/* Beside a command that runs from its build directory, else as installed. False: reported. */
bool wine_files_find(struct wine_files *files);

/* Builds a path; "" if it would be too long: such a file does not exist. */
__attribute__((format(printf, 2, 3))) const char *wine_path(char path[PATH_MAX], const char *format,
                                                            ...);
bool wine_path_exists(const char *path);

/* The actions on a prefix; see wine_prefix.c. */
int wine_install(int argc, const char **argv);
int wine_remove(int argc, const char **argv);
int wine_status(int argc, const char **argv);

#endif
