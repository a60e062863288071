/* SPDX-License-Identifier: MIT */
/* Processes that the unit tests start. */
#ifndef WSRX_TESTS_CHILD_H
#define WSRX_TESTS_CHILD_H

#include <stddef.h>
#include <sys/types.h>

struct table;

void *child_memory(size_t size); /* shared with the children that come later */
pid_t child_start(void);         /* fork(), which must succeed */
int child_end(pid_t pid);        /* its exit status, or 128 + the signal that killed it */

/* A child is killed within the table's critical section: for all that the next one knows, in the
 * middle of a change. */
void child_dies_inside(struct table *table);

#endif
