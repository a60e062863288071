/* SPDX-License-Identifier: MIT
 *
 * The modules of this process from which receives were called.
 *
 * A module is looked up at the first record of a new caller, by what the dynamic linker knows: no
 * lock, no system call, and so in a handler and in a sandbox as well.
 */
#ifndef WSRX_TRACE_MODULES_H
#define WSRX_TRACE_MODULES_H

#include "trace/module.h"

#include <stdint.h>

enum { MODULES = 32 };

/* For start-up. `in`: the program's directory, before which relative paths are put;
 * it stays. */
void modules_start(const char *in);

/* The module that has the address. NULL: none (code that was made while the program ran), or no
 * room for one more. Async-signal-safe. */
const struct record_module *modules_find(uint64_t address);

/* From 0 to MODULES - 1. */
unsigned modules_number(const struct record_module *one);

/* The module of a number; NULL: there is none yet. */
const struct record_module *modules_get(unsigned number);

#endif
