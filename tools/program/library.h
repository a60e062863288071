/* SPDX-License-Identifier: MIT
 *
 * Where the library is, and how programs get it.
 */
#ifndef WSRX_PROGRAM_LIBRARY_H
#define WSRX_PROGRAM_LIBRARY_H

#include <limits.h>
#include <stdbool.h>

/* The library that programs get. False: there is none; and with `report` that was reported. */
bool library_find(char path[PATH_MAX], bool report);

/* Puts it into LD_PRELOAD, in front of what is there. False: reported. */
bool library_preload(void);

#endif
