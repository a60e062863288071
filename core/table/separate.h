/* SPDX-License-Identifier: MIT
 *
 * A process leaves the table that it shares with others, and has its own table from then on.
 */
#ifndef WSRX_TABLE_SEPARATE_H
#define WSRX_TABLE_SEPARATE_H

#include "table/layout.h"

/* Replaces the table by a copy. What is held for this process's own sockets is taken out of the
 * shared one. `locked`: the mutex is held, and will be released. If it is not (its owner is
 * stopped), the messages are taken out by compare-and-swap. false: there is no memory, and nothing
 * has changed. Called with signals blocked. */
bool separate(struct inside *inside, bool locked);

#endif
