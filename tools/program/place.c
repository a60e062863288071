/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "program/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void place_of_self(char to[PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", to, PATH_MAX - 1);

    strcpy(to + (length > 0 ? length : 0), length > 0 ? "" : "/");
    strrchr(to, '/')[1] = '\0';
}

bool place_has(const char *place, char path[PATH_MAX])
{
    char self[PATH_MAX], full[PATH_MAX];

    place_of_self(self);
    return snprintf(full, sizeof full, "%s%s", place[0] == '/' ? "" : self, place) < PATH_MAX &&
           access(full, R_OK) == 0 && realpath(full, path);
}
