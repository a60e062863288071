/* SPDX-License-Identifier: MIT
 *
 * Ring files of processes that do not write them themselves: one for each, by the library's writer.
 */
#ifndef WSRX_OBSERVE_RING_OUTPUT_H
#define WSRX_OBSERVE_RING_OUTPUT_H

#include "observe/observed.h"

/* Adds a record whose time is that of CLOCK_MONOTONIC to the file of its process, which is made in
 * the directory with the first: NAME.PID.ring. */
void ring_output_add(struct observed *process, const char *directory, const struct record *record);

/* The file is complete. */
void ring_output_end(struct observed *process);

#endif
