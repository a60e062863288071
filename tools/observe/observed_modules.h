/* SPDX-License-Identifier: MIT
 *
 * The modules of an observed process: in which file the address of a caller lies, as the library's
 * records say it.
 *
 * They are read from /proc/PID/maps while the process lives, which takes the rights of ptrace(2) where
 * it is another user's. What cannot be read is left out.
 */
#ifndef WSRX_OBSERVE_OBSERVED_MODULES_H
#define WSRX_OBSERVE_OBSERVED_MODULES_H

#include "trace/module.h"

#include <stddef.h>

enum { OBSERVED_MODULES = 32 };

struct observed_modules {
    struct record_module *module; /* room for OBSERVED_MODULES, or NULL */
    size_t count;
    uint64_t looked_at; /* when an address was not found: CLOCK_MONOTONIC, seconds */
};

/* The module that has the address; NULL: none is known. */
const struct record_module *observed_modules_find(struct observed_modules *modules, uint32_t pid,
                                                  uint64_t address);

#endif
