/* SPDX-License-Identifier: MIT
 *
 * What would have kept the bytes that were lost: the setting, or the buffer.
 */
#ifndef WSRX_COMMANDS_CURE_H
#define WSRX_COMMANDS_CURE_H

#include "input/summary.h"

#include <stdio.h>

/* Prints nothing if nothing was lost. `program`: the command line, which ends with NULL; or
 * NULL, if it is not known. */
void cure_print(FILE *out, const struct summary *summary, const char *const *program);

#endif
