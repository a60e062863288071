/* SPDX-License-Identifier: MIT
 *
 * Where our own files are, seen from the command, which may be in a build or under any prefix.
 */
#ifndef WSRX_PROGRAM_PLACE_H
#define WSRX_PROGRAM_PLACE_H

#include <limits.h>
#include <stdbool.h>

/* The directory of this command, with a slash at its end. */
void place_of_self(char to[PATH_MAX]);

/* Whether a readable file is at `place`, seen from that directory unless it begins with a slash; and
 * its path, without links. */
bool place_has(const char *place, char path[PATH_MAX]);

#endif
