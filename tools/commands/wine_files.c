/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "commands/wine_files.h"

#include "util/complain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
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

bool wine_files_find(struct wine_files *files)
{
    char self[PATH_MAX], probe[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash;

    self[length > 0 ? length : 0] = '\0';
    slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    if (wine_path_exists(wine_path(probe, "%s/../shim/winelib/mswsock.dll", self))) {
        wine_path(files->dlls, "%s/../shim/winelib", self);
        wine_path(files->launcher, "%s/../shim/pe/wsrx-run.exe", self);
        wine_path(files->library, "%s/../preload/libwsrx.so", self);
    } else {
        wine_path(files->dlls, "%s", WSRX_WINE_DIR);
        wine_path(files->launcher, "%s/wsrx-run.exe", WSRX_WINE_DIR);
        wine_path(files->library, "%s/libwsrx.so.0", WSRX_LIBRARY_DIR);
    }
    if (wine_path_exists(wine_path(probe, "%s/mswsock.dll", files->dlls)) &&
        wine_path_exists(files->library) && wine_path_exists(files->launcher))
        return true;
    complain("this wsrx was built without its parts for Wine (%s/mswsock.dll is not there)",
             files->dlls);
    return false;
}
