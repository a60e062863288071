/* SPDX-License-Identifier: MIT
 *
 * Refuses receives that would cut a message: they fail with EMSGSIZE, and the message stays.
 */
#ifndef WSRX_OBSERVE_REFUSER_H
#define WSRX_OBSERVE_REFUSER_H

#include "observe/event.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct refuser;

/* Starts it. `cgroup`: a descriptor of a control group, or -1. NULL: it cannot be had, and why. */
struct refuser *refuser_start(const struct observe_config *config, int cgroup, char *ret_why,
                              size_t size);
void refuser_end(struct refuser *refuser);

/* Adds a process, to whose receives it applies; and to those of the processes that it starts. */
bool refuser_add(struct refuser *refuser, pid_t pid);

/* Receives that were refused so far. */
uint64_t refuser_count(const struct refuser *refuser);

/* By which hook this kernel can do it; NULL: it cannot, and why. */
const char *refuser_way(char *ret_why, size_t size);

#endif
