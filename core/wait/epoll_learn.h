/* SPDX-License-Identifier: MIT
 *
 * When the registry is in use, and how it is filled.
 *
 * While no tail is held, epoll_ctl(2) is the program's own call and nothing else: no lock, no other
 * system call, and no memory but one bit for each set. When the first tail comes, the registry is
 * filled with the registrations of all sets, read from /proc (epoll_fdinfo.h). From then on each
 * change is entered. After many calls of epoll_ctl with nothing held, the registry is cleared
 * again: by then those calls have cost more than filling it anew.
 *
 * Nothing here is guessed: a number that is no longer a set has no registrations in /proc. If /proc
 * cannot be read (chroot(2), a limit of descriptors), the few remembered registrations of message
 * sockets are used (epoll_hints.h), and from then on tails are held in the kernel, which shows them
 * by itself.
 *
 * Async-signal-safe; may change errno.
 */
#ifndef WSRX_WAIT_EPOLL_LEARN_H
#define WSRX_WAIT_EPOLL_LEARN_H

#include "table/held.h"
#include "wait/epoll_registry.h"

/* The registry is filled, and each change has to be entered. */
extern atomic_bool learn_is_following;
/* How often it was filled. A call that is made without the lock compares this before and after. */
extern atomic_uint learn_rounds;
/* Some set may have a message socket. */
extern atomic_bool learn_is_concerned;
/* There has been a fork, in this process or before it: other processes may leave tails on the
 * sockets in its sets. */
extern atomic_bool learn_is_family;

/* Both are false in a sandbox, where only the program's own calls are made. */
static inline bool learn_following(void)
{
    return atomic_load(&learn_is_following) && !sys_is_sandboxed();
}

static inline bool learn_concerned(void)
{
    return atomic_load_explicit(&learn_is_concerned, memory_order_acquire) && !sys_is_sandboxed();
}

/* Whether another process may have left or shown a tail of which this one knows nothing. */
static inline bool learn_from_family(void)
{
    return atomic_load_explicit(&learn_is_family, memory_order_relaxed) && state_is_active() &&
           atomic_load_explicit(&state.table->counters.held, memory_order_relaxed) > 0;
}

/* The program is about to register `fd`. Needs no lock. */
void learn_note(int epfd, int fd);
/* A set may have a message socket: one that has come in a message, of which nothing is known. */
void learn_note_concerned(void);

/* --- the registry ------------------------------------------------------------------------ */

/* Fills the registry, unless it is filled, and shows the tails that are held. If no set has a
 * message socket, it is empty and not in use afterwards. */
void learn_start(void);

/* Takes all tails out of the sets, and clears the registry. */
void learn_end(void);

/* With the registry's lock held: */

/* Reads one set from /proc, also if it is known already. False: it cannot be read, which was reported;
 * then the few remembered registrations were entered, if they were not known. */
bool learn_set(int epfd);
/* Makes a set of which nothing is known. NULL: there is no room. */
struct set *learn_make_set(int epfd);
/* The registry is cleared, unless something is shown. */
void learn_rest(void);

/* A call of epoll_ctl was entered. Whether that was one too many with nothing held: learn_rest().
 * With the lock, or a single thread. */
bool learn_call_idles(void);

/* --- fork -------------------------------------------------------------------------------- */

/* From now on all sets belong to several processes. */
void learn_forked(void);
/* In the child, which begins with an empty registry. */
void learn_forget_in_child(void);

#endif
