/* SPDX-License-Identifier: MIT
 *
 * Numbers as people read them.
 */
#ifndef WSRX_UTIL_NUMBER_H
#define WSRX_UTIL_NUMBER_H

#include <stdint.h>

enum { GROUPED_MAX = 28, PERCENT_MAX = 16 };

/* "1,234,567". Terminated; returns `to`. */
char *grouped(uint64_t number, char to[GROUPED_MAX]);

/* "21 %" of a whole, with as many digits as mean something. Terminated; returns `to`. */
char *percent(uint64_t part, uint64_t whole, char to[PERCENT_MAX]);

#endif
