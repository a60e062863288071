/* SPDX-License-Identifier: MIT
 *
 * Which pages of the table's arena are used: runs of pages, first fit, in a bitmap.
 *
 * All of it belongs to the table's mutex.
 */
#ifndef WSRX_TABLE_PAGE_ALLOC_H
#define WSRX_TABLE_PAGE_ALLOC_H

#include "table/layout.h"

/* Takes a run of free pages. 0: there is none. */
uint32_t pages_take(struct inside *inside, uint32_t count);

/* Takes a slot alone, for a message that is held in the kernel; where there is none without a page,
 * one with a page. 0: there is none. */
uint32_t pages_take_slot(struct inside *inside);

/* Gives a run back. If other processes can read it, it is cleared. */
void pages_release(struct inside *inside, uint32_t page, uint32_t count);

/* Clears the free pages, because other processes will be able to read them. */
void pages_clear(struct inside *inside);

/* Sets memory of the table to zeros. Not by memset(): a race detector in the program would replace it, and
 * report, since it knows neither the table's mutex nor that a receive without it, which may be copying
 * from there, throws that away then. */
void pages_zero(void *at, size_t size);

/* Marks all pages as free, or a run as used or free. For a rebuild. */
void pages_reset(struct inside *inside);
void pages_mark(struct inside *inside, uint32_t page, uint32_t count, bool used);

/* Makes sure that a piece of a file's mapping can be written to: on a full disk it cannot. 0, or a
 * negative errno. */
int pages_make_sure(void *at, size_t size);

/* Whether there is disk space for what a program holds first. */
bool pages_are_prepared(struct inside *inside);

/* Whether WSRX_HOLD_MAX is reached, or a file has too little disk space left: then the next message
 * is held in the kernel. */
bool pages_are_full(struct inside *inside);

#endif
