/* SPDX-License-Identifier: MIT
 *
 * Waits by poll, select and epoll, of every kind: each must report the line that has something,
 * and of none that has nothing.
 */
#ifndef WSRX_TORTURE_WAIT_H
#define WSRX_TORTURE_WAIT_H

#include "crowd.h"

struct waiting *waiting_make(void);
void waiting_free(struct waiting *waiting);

/* A line was opened, or is about to be closed; then it is taken out of the kept set, or that is
 * left to the kernel. */
void wait_opened(struct crowd *crowd, const struct line *line);
void wait_closing(struct crowd *crowd, const struct line *line, bool take_out);

/* Waits for a line on which something is expected. A wait that does not report it is a fault. */
void wait_for(struct crowd *crowd, const struct line *line);

/* Looks, without waiting, for lines that are reported as readable and have nothing. */
void wait_for_none(struct crowd *crowd);

#endif
