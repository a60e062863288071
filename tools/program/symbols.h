/* SPDX-License-Identifier: MIT
 *
 * The place of a caller in its program or library, by the symbols of the file.
 */
#ifndef WSRX_PROGRAM_SYMBOLS_H
#define WSRX_PROGRAM_SYMBOLS_H

#include "trace/module.h"

#include <stddef.h>
#include <stdint.h>

enum { SYMBOL_MAX = 512 };

/* "socat(main+0x2c)"; "socat+0x1abcc" without a symbol; "0x55d0c2a1abcc" without a module, whose
 * `path` is "" then. `caller` is the address that the call returns to. Printable and terminated;
 * returns `to`. */
char *symbol_at(const struct record_module *module, uint64_t caller, char to[SYMBOL_MAX]);

#endif
