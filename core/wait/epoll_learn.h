/* SPDX-License-Identifier: MIT
 *
 * When the registry is kept, and how it is filled.
 *
 * While no tail concerns an epoll set, epoll_ctl(2) is the program's own call and nothing else: no
 * lock, no system call, no memory but a bit for the number of each set. With the first tail the
 * registry is filled with what the kernel says of these sets (epoll_fdinfo.h), and is followed from
 * then on. After many calls of epoll_ctl with nothing held it is cleared again: more of them than
 * what it costs to fill it anew.
 *
 * Nothing here is guessed: a number that is no set any more has no registrations in /proc. Where that
 * cannot be read (chroot(2), a limit of descriptors), the few registrations of message sockets that
 * are remembered must do, and tails are held in the kernel from then on, which shows them by itself.
 *
 * Async-signal-safe; may change errno.
 */
#ifndef WSRX_WAIT_EPOLL_LEARN_H
#define WSRX_WAIT_EPOLL_LEARN_H

#include "table/held.h"
#include "wait/epoll_registry.h"

/* The registry is filled, and every change has to be entered. */
extern atomic_bool learn_is_following;
/* How often it was filled. A call that was made without the lock compares it before and after. */
extern atomic_uint learn_rounds;
/* A set may have a message socket. */
extern atomic_bool learn_is_concerned;
/* This process or one before it has forked: others may leave tails on the sockets in its sets. */
extern atomic_bool learn_is_family;

/* In a sandbox neither: no system call is made but the program's own. */
static inline bool learn_following(void)
{
    return atomic_load(&learn_is_following) && !state_is_sandboxed();
}

static inline bool learn_concerned(void)
{
    return atomic_load_explicit(&learn_is_concerned, memory_order_acquire) && !state_is_sandboxed();
}

/* Whether another process may have shown, or left, a tail that this one has not seen. */
static inline bool learn_from_family(void)
{
    return atomic_load_explicit(&learn_is_family, memory_order_relaxed) && state_is_active() &&
           atomic_load_explicit(&state.table->counters.held, memory_order_relaxed) > 0;
}

/* The program is about to register `fd`, without the lock. */
void learn_note(int epfd, int fd);

/* --- the registry ------------------------------------------------------------------------ */

/* Fills the registry, where it is not, and shows the tails that are held. Afterwards it is not
 * followed where there is no message socket in any set. */
void learn_start(void);

/* Ends the report of all tails, and clears the registry. */
void learn_end(void);

/* With the registry's lock held: */

/* Fills in one set, anew where it is known. */
void learn_set(int epfd);
/* A tail is held; a call of epoll_ctl was followed. */
void learn_tail_begins(void);
void learn_call_followed(void);

/* --- fork -------------------------------------------------------------------------------- */

/* All sets that there are belong to several processes from now on. */
void learn_forked(void);
/* In the child: nothing of the registry is its own. */
void learn_forget_in_child(void);

#endif
