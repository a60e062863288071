/* SPDX-License-Identifier: MIT
 *
 * Starts a program with the library: the warnings before, the exit code after.
 */
#ifndef WSRX_PROGRAM_SPAWN_H
#define WSRX_PROGRAM_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

/* Starts it. `argv` ends with NULL. Returns the pid, or -1: reported, and `*ret_status` is our exit
 * code. Signals to end go to the program from now on. */
pid_t spawn(const char **argv, int *ret_status);

/* Whether it has ended, and with which wait status. Waits up to `milliseconds` (-1: for ever). */
bool spawn_ended(pid_t pid, int milliseconds, int *ret_status);

/* The exit code for a wait status; if a signal killed the program, we end by the same one. */
int spawn_exit(int status);

#endif
