/* SPDX-License-Identifier: MIT
 *
 * The tail that is about to be published without the registry's lock (epoll_linger.h), for whoever
 * takes that lock meanwhile.
 */
#ifndef WSRX_WAIT_EPOLL_ANNOUNCE_H
#define WSRX_WAIT_EPOLL_ANNOUNCE_H

#include <stdatomic.h>
#include <stdint.h>

/* Its socket's cookie, or 0. */
extern _Atomic uint64_t announced_cookie;

/* Withdraws it, and revokes the claim of its slot. */
void announced_revoke(void);

/* Whoever has taken the registry's lock. */
static inline void announced_interrupt(void)
{
    if (atomic_load_explicit(&announced_cookie, memory_order_relaxed) != 0)
        announced_revoke();
}

#endif
