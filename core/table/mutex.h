/* SPDX-License-Identifier: MIT
 *
 * The table's mutex: see the head of table.h for what it protects.
 *
 * It is a word in the shared mapping, and no pthread_mutex_t. A robust one contains pointers of a
 * list, which the C library follows and writes through, and whoever shares the table could set them
 * to anything. Of this word only "free" is trusted: a waiter queries the kernel whether its owner
 * exists.
 */
#ifndef WSRX_TABLE_MUTEX_H
#define WSRX_TABLE_MUTEX_H

#include "table/layout.h"

/* Takes it. If the owner before has died during a change, `version` is odd. false: the owner is
 * alive and has not changed anything for `patience` milliseconds. */
bool mutex_lock(struct inside *inside, unsigned patience);

void mutex_unlock(struct inside *inside);

/* This process's id, for whoever has the mutex: mostly without a system call. */
pid_t mutex_own_process(void);

/* What the mutex knows of this process's threads is its parent's. */
void mutex_after_fork_in_child(void);

/* Before and after a change. change_begin() returns whether the change before did not end: then all
 * that follows from the messages must be made anew. */
bool change_begin(struct inside *inside);
void change_end(struct inside *inside);

/* Whether the thread that has it is stopped, by a signal or a debugger. */
bool mutex_owner_is_stopped(const struct inside *inside);

#endif
