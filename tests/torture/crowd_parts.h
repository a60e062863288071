/* SPDX-License-Identifier: MIT
 *
 * What the files of the crowd call of each other.
 */
#ifndef WSRX_TORTURE_CROWD_PARTS_H
#define WSRX_TORTURE_CROWD_PARTS_H

#include "crowd.h"

/* crowd_fds.c: how descriptors come and go */
void line_open(struct crowd *crowd, struct line *line);
void line_close(struct crowd *crowd, struct line *line);
void line_reopen(struct crowd *crowd, struct line *line);
void line_move(struct crowd *crowd, struct line *line); /* to another number */

/* crowd_check.c: whether what a receive gave is what the contract promises. False: it is not, and a
 * fault is reported. */
bool line_check_part(struct crowd *crowd, struct line *line, const struct part *part);
bool line_check_stream(struct crowd *crowd, struct line *line, const struct part *part);
bool line_check_nothing(struct crowd *crowd, const struct line *line, const struct part *part);

bool line_is_stream(const struct line *line);

#endif
