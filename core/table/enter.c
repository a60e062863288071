/* SPDX-License-Identifier: MIT
 *
 * Into the table with its mutex, and out again; and what is done to all of it.
 */
#define _GNU_SOURCE
#include "base/diag.h"
#include "table/links.h"
#include "table/mutex.h"
#include "table/page_alloc.h"
#include "table/separate.h"
#include "table/slot.h"
#include "table/sweep.h"
#include "table/table.h"

/* Each kind of trouble is reported once. */
static void report(struct inside *inside)
{
    static atomic_int damaged, parted;
    size_t broken = atomic_exchange(&view_of(inside)->broken, 0);

    if (broken)
        diag_once(damaged,
                  "the fragment table has been damaged by a process that shares it; %zu messages "
                  "are lost",
                  broken);
    if (atomic_exchange(&view_of(inside)->parted, false))
        diag_once(parted, "a process that shares the fragment table is stopped while it changes "
                          "it; this one has its own from now on");
}

/* The mutex is held for microseconds, unless its owner is stopped. Then this process leaves the
 * shared table and goes on with its own. */
static void lock(struct inside *inside)
{
    enum { PATIENCE_MS = 15, ROUNDS = 70 };

    for (unsigned rounds = 0; !mutex_lock(inside, PATIENCE_MS); rounds++)
        if (is_suspect(inside) && (rounds >= ROUNDS || mutex_owner_is_stopped(inside)) &&
            separate(inside, false))
            atomic_store(&view_of(inside)->parted, true);
}

void table_enter(struct table *table, struct critical_section *section)
{
    struct inside *inside = inside_of(table);

    critical_section_enter(section);
    lock(inside);
    if (change_begin(inside))
        links_rebuild(inside);
    if (atomic_load_explicit(&table->full, memory_order_relaxed))
        sweep_locked(inside);
}

void table_leave(struct table *table, struct critical_section *section)
{
    struct inside *inside = inside_of(table);
    bool news = atomic_load_explicit(&view_of(inside)->broken, memory_order_relaxed) != 0 ||
                atomic_load_explicit(&view_of(inside)->parted, memory_order_relaxed);

    change_end(inside);
    mutex_unlock(inside);
    critical_section_leave(section);
    if (news)
        report(inside);
}

void table_prepare(struct table *table)
{
    struct inside *inside = inside_of(table);
    struct critical_section section;

    if (LIKELY(!view_of(inside)->is_file) || inside->populated >= TABLE_FIRST)
        return;
    table_enter(table, &section);
    if (!pages_are_prepared(inside))
        atomic_store_explicit(&table->full, true, memory_order_relaxed);
    table_leave(table, &section);
}

void table_leave_shared(struct table *table)
{
    enum { PATIENCE_MS = 20 };
    struct inside *inside = inside_of(table);
    struct critical_section section;

    if (!is_suspect(inside))
        return;
    critical_section_enter(&section);
    separate(inside, mutex_lock(inside, PATIENCE_MS));
    critical_section_leave(&section);
    table_tidy(table);
}

void table_tidy(struct table *table)
{
    struct critical_section section;

    table_enter(table, &section);
    links_rebuild(inside_of(table));
    table_leave(table, &section);
}

void table_share(struct table *table)
{
    struct inside *inside = inside_of(table);
    struct critical_section section;
    struct message message;

    if (is_suspect(inside))
        return;
    table_enter(table, &section);
    atomic_store(&view_of(inside)->suspect, true);
    links_clear_all_vacant(inside);
    for (uint32_t at = 1; at < top_of(inside); at++)
        if (slot_holds(slot_of(inside, at))) {
            slot_read(slot_of(inside, at), &message);
            slot_seal(inside, at, &message);
        }
    pages_clear(inside);
    atomic_store(&table->shared, true);
    table_leave(table, &section);
}
