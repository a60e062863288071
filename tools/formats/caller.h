/* SPDX-License-Identifier: MIT
 *
 * A record's caller in the formats that have one for each record: no symbols, which would take long.
 */
#ifndef WSRX_FORMATS_CALLER_H
#define WSRX_FORMATS_CALLER_H

#include "trace/record.h"

enum { CALLER_MAX = 6 * 64 + 32 };

/* "socat+0x1abcc", or the address where the module is not known; not terminated. */
char *put_caller(char *to, const struct record *record, bool json);

#endif
