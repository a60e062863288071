/* SPDX-License-Identifier: MIT
 *
 * Runs somebody's program with the library: the settings as options, the warnings before, the exit
 * code after. run, trace and stat differ only in what they do meanwhile.
 */
#ifndef WSRX_LAUNCH_H
#define WSRX_LAUNCH_H

#include "wsrx.h"

#include <limits.h>
#include <sys/types.h>

/* The options --mode, --calls …, one for each setting; those of where records go only in the
 * second, for whom they do not go to us. */
extern const struct poptOption launch_options[], launch_trace_options[];

/* What an option, or else the environment, says; NULL: nothing. */
const char *launch_setting(const char *variable);

/* The library that programs get. False: it is not there; `tell`: and that was told. */
bool launch_library(char path[PATH_MAX], bool tell);

/* Makes a directory for this run, for its owner only, which launch_clean() removes with what is in
 * it. NULL: told. */
const char *launch_directory(void);
void launch_clean(void);

/* Starts it. `argv` ends with NULL. Returns the pid, or -1: told, and `*ret_status` is our exit
 * code. Signals to end go to the program from now on. */
pid_t launch(const char **argv, int *ret_status);

/* Whether it has ended, and with which wait status. Waits up to `milliseconds` (-1: for ever). */
bool launch_ended(pid_t pid, int milliseconds, int *ret_status);

/* The exit code that the wait status means for us: ends by the same signal where it was one. */
int launch_exit(int status);

#endif
