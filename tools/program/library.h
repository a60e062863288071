/* SPDX-License-Identifier: MIT
 *
 * Where the library is, and how programs get it.
 */
#ifndef WSRX_PROGRAM_LIBRARY_H
#define WSRX_PROGRAM_LIBRARY_H

#include "program/elf_probe.h"

#include <limits.h>
#include <stdbool.h>

/* The library for a program: of its processor, word size and C library. NULL, or a static program,
 * which may start others: that of this command's own kind. False: it is not there. */
bool library_find(const struct executable *program, char path[PATH_MAX]);

/* Whether that is a library of another kind than this command is. */
bool library_is_other(const struct executable *program);

/* "x86_64-linux-musl": the directory of that library, as Debian calls it. NULL: there cannot be one,
 * since the program's processor or C library is not known to us. */
const char *library_kind(const struct executable *program);

/* Where this command's own library would be. */
void library_report_missing(void);

/* The library that a program wants to be loaded before all others: AddressSanitizer's runtime. If
 * it has one, true, and its path; else "". */
bool library_before(const struct executable *executable, char path[PATH_MAX]);

/* How the loader is told of a library, since nothing quotes what LD_PRELOAD says: its `name` there,
 * without a path if every loader finds the one that fits by itself; and if its path has a space, its `directory` for LD_LIBRARY_PATH; else "". False: a path with a
 * colon. */
bool library_words(const char *path, char directory[PATH_MAX], char name[PATH_MAX]);

/* Puts the library into LD_PRELOAD, in front of what is there, but behind the library `first`, if
 * there is one ("": none). What the program starts may be of another kind: as far as the place of
 * the library allows, it gets the one that fits it. False: reported. */
bool library_preload(const char *path, const char *first);

#endif
