/* SPDX-License-Identifier: MIT
 *
 * Memory that the command cannot do without.
 */
#ifndef WSRX_UTIL_MEMORY_H
#define WSRX_UTIL_MEMORY_H

/* Returns its argument, or ends the command if that is NULL. */
void *need(void *memory);

#endif
