/* SPDX-License-Identifier: MIT
 *
 * What the subcommands that watch all processes have in common.
 */
#ifndef WSRX_COMMANDS_SYSTEM_H
#define WSRX_COMMANDS_SYSTEM_H

#include "observe/observer.h"

#include <stdbool.h>

/* Starts the observer, and says what it watches. NULL: reported; the exit code is EXIT_OURS. */
struct observer *system_observe(const char *command, const struct observe_config *config);

/* "UDP and AF_UNIX": what is watched. */
const char *system_watched(const struct observer *observer);

/* Whether SIGINT, SIGTERM or SIGHUP has come since system_catch(). */
void system_catch(void);
bool system_is_interrupted(void);

/* The process of a word, if it is there. Else the exit code, and it was reported. */
int system_process(const char *command, const char *word, unsigned *ret_pid);

/* False for 0, which stands for all processes. */
bool system_has_ended(unsigned pid);

/* wsrx trace --system. `to` is NULL for text; `output` NULL for standard error. */
struct system_trace_request {
    const char *pid, *to, *output;
};

int system_trace(const struct system_trace_request *request);

/* wsrx doctor --system: a line for each thing; the exit code. */
int system_doctor(void);

#endif
