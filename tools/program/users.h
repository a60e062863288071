/* SPDX-License-Identifier: MIT
 *
 * Who uses a run's directory: the program, and what it has started.
 */
#ifndef WSRX_PROGRAM_USERS_H
#define WSRX_PROGRAM_USERS_H

#include <sys/types.h>

/* From now on there may be any. Called by the process that becomes the program, or starts it. */
void users_begin(void);

/* A process whose environment or mappings name the directory, other than this one; as a pidfd, and
 * its pid. -1: there is none. */
int users_find(const char *directory, pid_t *ret_pid);

/* Waits until nobody uses it. */
void users_wait(const char *directory);

#endif
