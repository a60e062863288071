/* SPDX-License-Identifier: MIT
 *
 * The table's mutex: see the head of table.h for what it protects.
 *
 * It is a word in the shared mapping, and no pthread_mutex_t: a robust one has the pointers of a
 * list in it, which the C library follows and writes through, and whoever shares the table could
 * set them to anything. Nothing is believed of this word but that it is free: whoever waits asks
 * the kernel whether there is such an owner.
 */
#ifndef WSRX_TABLE_MUTEX_H
#define WSRX_TABLE_MUTEX_H

#include "table/layout.h"

/* Takes it. Whoever had it may have died in the midst of a change: `version` is odd then. false:
 * its owner is alive and has not changed anything for `patience` milliseconds. */
bool mutex_lock(struct inside *inside, unsigned patience);

void mutex_unlock(struct inside *inside);

/* Around a change. Returns whether the one before has not come to its end: then all that follows
 * from the messages has to be made anew. */
bool change_begin(struct inside *inside);
void change_end(struct inside *inside);

/* Whether the thread that has it is stopped, by a signal or a debugger. */
bool mutex_owner_is_stopped(const struct inside *inside);

#endif
