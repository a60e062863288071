/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "table/current.h"

#include "base/diag.h"
#include "base/sys.h"
#include "fd/fd_class.h"
#include "table/backing.h"
#include "table/mutex.h"

#include <stdint.h>
#include <string.h>

/* What state.table points to until there is a table. Only its counters are ever written to. */
static struct table none;

/* The fallback if no memory can be mapped: the table's heads, and pages for a datagram or two. It
 * takes no memory until it is written to. */
enum { RESERVE = 288 << 10, PAGE_SIZE = 4096 };

/* An alignment would move all of .bss to a page of its own, which each program touches. */
static char reserve_room[RESERVE + PAGE_SIZE];
static atomic_bool reserve_taken; /* somebody makes the table in it, or has made it */

static char *reserve(void)
{
    return (char *)(((uintptr_t)reserve_room + PAGE_SIZE - 1) & ~(uintptr_t)(PAGE_SIZE - 1));
}

static struct table *reserve_table(void)
{
    return (struct table *)(void *)(reserve() + PAGE_SIZE);
}

START_CODE const char *table_start(void)
{
    struct table *table;
    const char *why;

    state.table = &none;
    if (!state.settings.table)
        return NULL;
    why = table_open(state.settings.table, state.settings.hold_max, &table);
    if (!why)
        state.table = table;
    return why;
}

/* --- made when it is needed -------------------------------------------------------------- */

static void add(atomic_ulong *to, atomic_ulong *from)
{
    atomic_fetch_add_explicit(to, atomic_exchange_explicit(from, 0, memory_order_relaxed),
                              memory_order_relaxed);
}

/* Moves what was counted while there was no table. */
static void move_counters(struct table *to)
{
    struct table_counters *counters = &to->counters, *from = &none.counters;

    add(&counters->held, &from->held);
    add(&counters->parts, &from->parts);
    add(&counters->bytes_saved, &from->bytes_saved);
    add(&counters->messages_lost, &from->messages_lost);
    add(&counters->bytes_lost, &from->bytes_lost);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool is_made(void)
{
    return state.table != &none;
}

static struct table *publish(struct table *made)
{
    struct table *table = &none;

    if (!atomic_compare_exchange_strong(&state.table, &table, made))
        return table;
    move_counters(made);
    return made;
}

/* One thread makes it, and the others wait for some microseconds. They do not wait for long: in a
 * child, the maker may have been a thread of the parent. */
static struct table *make_in_reserve(void)
{
    enum { LOOKS = 10000 };
    static atomic_int reported;
    struct table *table;

    while (!is_made()) {
        if (!atomic_exchange(&reserve_taken, true)) {
            table_create_at(reserve(), RESERVE, &table);
            publish(table);
            diag_once(reported, "no memory for the fragment table; tails are held in the kernel");
            break;
        }
        for (unsigned looks = 0; looks < LOOKS && !is_made(); looks++)
            sys_yield();
        if (!is_made())
            atomic_store(&reserve_taken, false);
    }
    return state.table;
}

/* Without a lock, since a fork could leave it taken in the child. If two threads map one, the
 * second throws its own away. */
static struct table *make(struct table_room room)
{
    struct critical_section section;
    struct table *made, *table;

    critical_section_enter(&section);
    if (sys_is_sandboxed() || table_create_within(room, &made) != 0) {
        table = make_in_reserve();
    } else {
        table = publish(made);
        if (table != made)
            table_destroy(made);
    }
    critical_section_leave(&section);
    return table;
}

/* Of limited address space the program gets the most. */
static struct table *make_for_tail(void)
{
    enum { SHARE = 16 };
    size_t share = sys_address_space() / SHARE;

    return make((struct table_room){.hold_max = least(state.settings.hold_max, share),
                                    .slack = least(TABLE_SLACK, share)});
}

struct table *table_needed(void)
{
    /* Before a clone(2) behind our back, whose child has to know that it is another process. */
    if (atomic_load_explicit(&state.pid, memory_order_relaxed) == 0)
        state_is_own();
    return is_made() ? state.table : make_for_tail();
}

void table_expects(void)
{
    if (is_made() && !sys_is_sandboxed())
        table_prepare(state.table);
}

/* --- processes --------------------------------------------------------------------------- */

/* Nothing is held yet, so most programs that fork will lose nothing, and a host that allows no more
 * memory than it has (vm.overcommit_memory=2) counts the whole mapping. So it takes less than 3 MiB.
 * What has no room in it is held in the kernel, of as many sockets as a process can have by default.
 * The slack takes a message of a megabyte, beside what some 15 threads receive over UDP at once. */
enum { FORKED_HOLD_MAX = 192 << 10, FORKED_SLACK = 2 << 20, FORKED_RECORDS = 1024 };

void table_forks(void)
{
    size_t hold_max = state.settings.hold_max;

    if (!is_made() && !sys_is_sandboxed() && fd_any_message())
        make((struct table_room){least(hold_max, FORKED_HOLD_MAX), FORKED_SLACK, FORKED_RECORDS});
    if (!is_made() || state.table == reserve_table())
        return;
    if (sys_is_sandboxed())
        atomic_store(&state.table->shared, true); /* without its mutex, which takes system calls */
    else
        table_share(state.table);
}

void table_confines(void)
{
    if (is_made() && state.table != reserve_table() && !sys_is_sandboxed())
        table_leave_shared(state.table);
}

void table_not_confined(void)
{
    if (is_made())
        table_tidy(state.table);
}

/* The reserve is private, so its tails belong to the parent alone. */
void table_after_fork_in_child(void)
{
    struct table *table;

    mutex_after_fork_in_child();
    if (state.table == reserve_table())
        table_create_at(reserve(), RESERVE, &table);
}
