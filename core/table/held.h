/* SPDX-License-Identifier: MIT
 *
 * What this process's table holds now: atomic reads, which are on every path.
 */
#ifndef WSRX_TABLE_HELD_H
#define WSRX_TABLE_HELD_H

#include "state.h"
#include "table/table.h"

static inline bool state_is_active(void)
{
    return atomic_load_explicit(&state.active, memory_order_acquire);
}

/* Whether nothing is held on any socket. */
static inline bool table_nothing_held(void)
{
    return !state_is_active() || table_idle(state.table);
}

/* Whether a tail that the kernel does not know of is held on any socket. */
static inline bool table_tails_here(void)
{
    return state_is_active() && atomic_load_explicit(&state.table->here, memory_order_acquire) != 0;
}

/* Whether other processes may share the table. */
static inline bool table_is_shared(void)
{
    return atomic_load_explicit(&state.table->shared, memory_order_relaxed);
}

#endif
