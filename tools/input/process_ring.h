/* SPDX-License-Identifier: MIT
 *
 * The ring file of a running process, which its mappings name.
 */
#ifndef WSRX_INPUT_PROCESS_RING_H
#define WSRX_INPUT_PROCESS_RING_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

/* Its path. False: there is none, and that was reported. */
bool process_ring_find(pid_t pid, char path[PATH_MAX]);

#endif
