/* SPDX-License-Identifier: MIT
 *
 * What all wings of the core read: the settings, the fragment table, and where tails are held.
 *
 * Written once at start-up by lifecycle.c, before `active` is set; afterwards only the atomics
 * change. First comes what every receive reads.
 */
#ifndef WSRX_STATE_H
#define WSRX_STATE_H

#include "base/compiler.h"
#include "base/sys.h"
#include "settings.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

struct table;

struct state {
    _Alignas(64) struct table *_Atomic table; /* made when it is needed: table/current.h */
    atomic_bool active;
    atomic_bool bounces; /* active, and plain receives may take a message whole out of the kernel */
    atomic_bool peeks;   /* messages are peeked, to be taken later: see receive_peeks() */
    /* Reporting calls are not always the program's own, though nothing is held: WSRX_CALLS=all, Wine,
     * or messages are peeked. */
    atomic_bool minds_reporting;
    bool sends_end_tails;   /* WSRX_TAIL=until-send */
    atomic_bool forked;     /* the process has a child, or is one, that knows what it knew */
    atomic_int pid;         /* of the process that has this memory; 0: it has not asked yet */
    atomic_bool sees_vfork; /* state_vfork_depth is right: no such child comes unseen */
    struct settings settings;
    bool plain_holds;   /* by the mode, a plain call's tail is held */
    atomic_int hold;    /* enum hold, never HOLD_AUTO; may become HOLD_KERNEL later */
    bool under_wine;    /* recvmsg() is made by Wine, for a program that may ask for parts */
    atomic_uint closes; /* counted under Wine only: see wine_protocol.h */
};

extern struct state state;

/* The same, for the fast path: its address is found once, for several questions. */
static inline const struct state *state_here(void)
{
    const struct state *here = &state;

    __asm__("" : "+r"(here));
    return here;
}

/* The program's name for records. Wine overwrites its arguments, and with them libc's copy of the
 * name; but it sets the kernel's. `room`: memory for the result. Async-signal-safe. */
enum { STATE_PROGRAM = 16 };
const char *state_program(char room[STATE_PROGRAM]);

/* From now on tails are held in the kernel. Async-signal-safe. */
void state_hold_in_kernel(void);

/* The program is about to install a filter of system calls (seccomp), or a thread has unshared its
 * descriptors: from now on only the program's own system calls are made, and no new tail is held.
 * Async-signal-safe. */
void state_enter_sandbox(void);

/* The filter was refused. */
void state_leave_sandbox(void);

/* The program is a cooperating one: it gets parts in any mode. Async-signal-safe. */
void state_cooperates(void);

/* How many vfork children deep this thread is: see preload/vfork.S. */
extern __thread unsigned state_vfork_depth;

/* Whether the memory is this process's own, by getpid(2): for when something is held. A vfork
 * child, which makes, closes and duplicates descriptors of its own before it execs, must not change
 * what its parent knows. */
bool state_is_own(void);

/* The same without a system call, where each vfork is seen; elsewhere it is simply true. Nor does
 * it know of a raw clone(2), whose child has a copy of this memory. */
static inline bool state_is_own_as_seen(void)
{
    return !state.sees_vfork || state_vfork_depth == 0;
}

#endif
