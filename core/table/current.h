/* SPDX-License-Identifier: MIT
 *
 * The process's fragment table, state.table: made when it is first needed.
 *
 * Until then state.table points to a table of zeros, in which nothing is held. It changes once, to
 * the table that is made. So a pointer that was read before that may still be used to look; to
 * change anything, call table_needed().
 */
#ifndef WSRX_TABLE_CURRENT_H
#define WSRX_TABLE_CURRENT_H

#include "state.h"
#include "table/table.h"

/* Sets state.table, and maps the file of WSRX_TABLE, in which tails may be held already. Returns
 * why it cannot be used, or NULL: a static string. Called first, at start-up. */
const char *table_start(void);

/* The table, which is made if there is none. If no memory can be had, it is a small one in the
 * library's data, and new messages are held in the kernel; one line reports that.
 * Async-signal-safe, and safe for threads and for a fork at any moment; leaves errno alone. */
struct table *table_needed(void);

/* Messages that may not fit are going to be received. */
void table_expects(void);

/* The process is about to fork: its child must find what is held, too. */
void table_forks(void);

/* The process is about to change its identity (setuid(2) and its kin, setgroups, capset), or to
 * confine itself (chroot, unshare, no_new_privs, a filter). It leaves the table that it shares with
 * others. */
void table_confines(void);
/* The filter was refused. */
void table_not_confined(void);

/* In the child of a fork. */
void table_after_fork_in_child(void);

#endif
