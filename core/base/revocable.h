/* SPDX-License-Identifier: MIT
 *
 * Memory that can go while nobody unmaps it: the pages of a file end where the file is made to end,
 * by whoever has it open, and then a touch is SIGBUS.
 *
 * The ranges of such memory are kept here, as the program's calls make and end them. What is kept
 * may be too much, never too little. All is async-signal-safe, and makes no system call.
 */
#ifndef WSRX_BASE_REVOCABLE_H
#define WSRX_BASE_REVOCABLE_H

#include <stdbool.h>
#include <stddef.h>

/* The program has got such memory. */
void revocable_add(const void *at, size_t size);

/* Likewise, but it cannot write to it. If it allows itself to (mprotect(2)), it is added. */
void revocable_add_unwritable(const void *at, size_t size);
void revocable_writable(const void *at, size_t size);

/* It is about to give it up, or to put other memory in its place. Whether there was such a range:
 * if the call fails, it has to be added again. */
bool revocable_remove(const void *at, size_t size);

/* Whether any of it is such memory. */
bool revocable_has(const void *at, size_t size);

/* Whether it may become so, too. */
bool revocable_may(const void *at, size_t size);

#endif
