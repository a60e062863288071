/* SPDX-License-Identifier: MIT
 *
 * The counts of what is held, changed without the mutex.
 *
 * A message's state and the counts cannot change at once. Whoever makes the counts anew in between
 * (links_rebuild()) counts wrong by one, and whoever is left in between by a handler's jump leaves them
 * so. Both are noticed, and then the counts are made anew once more.
 */
#ifndef WSRX_TABLE_COUNTS_H
#define WSRX_TABLE_COUNTS_H

#include "base/compiler.h"
#include "table/layout.h"

/* This thread changes a message's state and then the counts, or a handler's jump has left it in
 * between. */
extern __thread bool counts_change;

void counts_make_anew(struct table *table);

/* What a jump has left is put right. */
static inline void counts_check(struct table *table)
{
    if (!LIKELY(!counts_change))
        counts_make_anew(table);
}

/* Before a state is changed. Returns what counts_end() needs. */
static inline unsigned counts_begin(struct table *table)
{
    counts_check(table);
    counts_change = true;
    return atomic_load(&inside_of(table)->recounts);
}

static inline void counts_add(struct table *table, int change)
{
    atomic_fetch_add(&table->used, (unsigned)change);
    atomic_fetch_add(&table->here, (unsigned)change);
}

/* If the counts were made anew meanwhile, they may be wrong by what this thread has changed. */
static inline void counts_end(struct table *table, unsigned begun)
{
    counts_change = false;
    if (!LIKELY(!(begun & 1) && atomic_load(&inside_of(table)->recounts) == begun))
        counts_make_anew(table);
}

#endif
