/* SPDX-License-Identifier: MIT
 *
 * A process leaves the table that it shares with others, and has its own from then on.
 */
#ifndef WSRX_TABLE_SEPARATE_H
#define WSRX_TABLE_SEPARATE_H

#include "table/layout.h"

/* Puts a copy in the place of the table. What is held for this process's own sockets is taken out
 * of the shared one. `locked`: the mutex is held, and is released; without it (its owner is
 * stopped) that is done by compare-and-swap. false: there is no memory, and nothing has changed.
 * Signals are blocked. */
bool separate(struct inside *inside, bool locked);

#endif
