/* SPDX-License-Identifier: MIT
 *
 * Runs somebody's program with the library: the settings as options, the warnings before, the exit
 * code after. run, trace and stat differ only in what they do meanwhile.
 */
#ifndef WSRX_LAUNCH_H
#define WSRX_LAUNCH_H

#include "settings.h"
#include "wsrx.h"

#include <limits.h>
#include <sys/types.h>

/* The options of settings.def, --mode, --calls …: all of them for run, and for the other
 * subcommands those that they do not set themselves. One array, which the next call fills anew. */
const struct poptOption *launch_options(bool for_run);

/* What an option, or else the environment, sets; NULL: nothing. */
const char *launch_setting(enum settings_index setting);

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
