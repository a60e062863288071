/* SPDX-License-Identifier: MIT */
#ifndef WSRX_PROGRAM_PROGRAM_PATH_H
#define WSRX_PROGRAM_PROGRAM_PATH_H

#include <limits.h>

/* Looks a program up as execvp(3) does. 0, or the errno that says why it cannot be run. */
int program_find(const char *program, char path[PATH_MAX]);

#endif
