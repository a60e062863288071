/* SPDX-License-Identifier: MIT
 *
 * The table's mutex: see the head of table.h for what it protects.
 */
#ifndef WSRX_TABLE_MUTEX_H
#define WSRX_TABLE_MUTEX_H

#include "table/layout.h"

/* Initializes it, free. 0, or a negative errno. */
int mutex_make(pthread_mutex_t *mutex);

/* Takes it. Whoever had it may have died in the midst of a change: `version` is odd then. */
void mutex_lock(struct inside *inside);

/* The same, for at most `patience` milliseconds. false: somebody keeps it, or it is damaged. */
bool mutex_lock_soon(struct inside *inside, unsigned patience);

void mutex_unlock(struct inside *inside);

#endif
