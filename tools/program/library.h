/* SPDX-License-Identifier: MIT
 *
 * Where the library is, and how programs get it.
 */
#ifndef WSRX_PROGRAM_LIBRARY_H
#define WSRX_PROGRAM_LIBRARY_H

#include "program/elf_probe.h"

#include <limits.h>
#include <stdbool.h>

/* The library that programs get. False: there is none; and with `report` that was reported. */
bool library_find(char path[PATH_MAX], bool report);

/* The library that a program wants to be loaded before all others: AddressSanitizer's runtime. If
 * it has one, true, and its path; else "". */
bool library_before(const struct executable *executable, char path[PATH_MAX]);

/* How the loader is told of a library, since nothing quotes what LD_PRELOAD says: its `name` there,
 * and if its path has a space, its `directory` for LD_LIBRARY_PATH; else "". False: a path with a
 * colon. */
bool library_words(const char *path, char directory[PATH_MAX], char name[PATH_MAX]);

/* Puts it into LD_PRELOAD, in front of what is there, but behind the library `first`, if there is
 * one ("": none). False: reported. */
bool library_preload(const char *first);

#endif
