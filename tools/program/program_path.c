/* SPDX-License-Identifier: MIT */
#include "program/program_path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int program_find(const char *program, char path[PATH_MAX])
{
    const char *search = getenv("PATH");
    int error = ENOENT;
    struct stat now;

    if (strchr(program, '/')) {
        if (strlen(program) >= PATH_MAX)
            return ENAMETOOLONG;
        strcpy(path, program);
        if (stat(path, &now) != 0)
            return errno;
        return S_ISDIR(now.st_mode) ? EISDIR : access(path, X_OK) != 0 ? errno : 0;
    }
    if (!search)
        search = "/bin:/usr/bin";
    for (;; search++) {
        int length = (int)strcspn(search, ":");

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
