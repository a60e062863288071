/* SPDX-License-Identifier: MIT
 *
 * Starts a program with the library: the warnings before, the exit code after.
 */
#ifndef WSRX_PROGRAM_SPAWN_H
#define WSRX_PROGRAM_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

/* Becomes the program. `argv` ends with NULL. Returns only if that failed: reported, and our exit
 * code. */
int spawn_become(const char **argv);

/* Starts it as a child. Returns its pid, or -1: reported, and `*ret_status` is our exit code. From
 * now on, signals go to it (forward.h), and the processes that it leaves behind are our children. */
pid_t spawn(const char **argv, int *ret_status);

/* The same without the library. */
pid_t spawn_bare(const char **argv, int *ret_status);

/* Whether it has ended, and with which wait status. Waits up to `milliseconds`. */
bool spawn_ended(pid_t pid, int milliseconds, int *ret_status);

/* Whether processes are left that it has started; waits so long if there are. */
bool spawn_left(int milliseconds);

/* The exit code for a wait status; if a signal killed the program, we end by the same one. */
int spawn_exit(int status);

#endif
