/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "program/run_directory.h"

#include "util/complain.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char directory[PATH_MAX];

static bool make_in(const char *parent)
{
    snprintf(directory, sizeof directory, "%s/wsrx-XXXXXX", parent);
    return mkdtemp(directory) != NULL;
}

/* In memory rather than on a disk, where the first page of a file takes milliseconds. */
const char *run_directory(void)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");

    if (directory[0])
        return directory;
    if (!(runtime && *runtime == '/' && access(runtime, W_OK) == 0 && make_in(runtime)) &&
        !make_in("/dev/shm") && !make_in("/tmp")) {
        complain("%s: %s", directory, strerror(errno));
        directory[0] = '\0';
        return NULL;
    }
    return directory;
}

void run_directory_remove(void)
{
    DIR *open;
    struct dirent *entry;

    if (!directory[0] || !(open = opendir(directory)))
        return;
    while ((entry = readdir(open)))
        unlinkat(dirfd(open), entry->d_name, 0);
    closedir(open);
    rmdir(directory);
    directory[0] = '\0';
}
