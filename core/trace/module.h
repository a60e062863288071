/* SPDX-License-Identifier: MIT
 *
 * A module: a program or a shared library in memory, so that the address of a caller can be given as
 * an address in a file.
 *
 * The library writes modules and the command reads them: the layout is part of the ring's format,
 * and the same in 32-bit programs.
 */
#ifndef WSRX_TRACE_MODULE_H
#define WSRX_TRACE_MODULE_H

#include <stdint.h>
#include <string.h>

enum { MODULE_BUILD_ID = 24, MODULE_PATH = 336 };

struct record_module {
    _Alignas(8) uint64_t start; /* of its memory; 0: no module */
    uint64_t end;
    uint64_t bias; /* an address in memory less this is an address in the file, as in its symbols */
    uint8_t build_id_length; /* 0: not known */
    uint8_t build_id[MODULE_BUILD_ID - 1];
    char path[MODULE_PATH]; /* terminated; of a longer one, its end */
};

/* The file's name in its path. */
static inline const char *module_name(const struct record_module *module)
{
    const char *slash = strrchr(module->path, '/');

    return slash ? slash + 1 : module->path;
}

#endif
