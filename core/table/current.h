/* SPDX-License-Identifier: MIT
 *
 * The process's fragment table, state.table: made when it is first needed.
 *
 * Until then state.table points to memory that is all zeros, where whoever looks finds nothing
 * held. It changes once, from there to the table that is made, so a pointer that was read before
 * stays good for looks, and table_needed() gives the one for changes.
 */
#ifndef WSRX_TABLE_CURRENT_H
#define WSRX_TABLE_CURRENT_H

#include "state.h"
#include "table/table.h"

/* Sets state.table, and maps the file of WSRX_TABLE, which may hold something already. Returns what
 * is wrong with it, or NULL: static words. At start-up, before any other. */
const char *table_start(void);

/* The table, which is made where there is none. Where no memory can be had for it, a small one in
 * memory of the process's own serves, and its messages are held in the kernel; one line reports it.
 * Async-signal-safe, and safe for threads and for a fork at any moment; errno is as it was. */
struct table *table_needed(void);

/* The process is about to fork: what is held must be found by its child, too. */
void table_forks(void);

/* The process changes its identity (setuid(2) and its kin, setgroups, capset), or is about to confine
 * itself (chroot, unshare, no_new_privs, a filter): before the call, it leaves what it shares. */
void table_confines(void);
/* The filter was refused. */
void table_not_confined(void);

/* In the child of a fork. */
void table_after_fork_in_child(void);

#endif
