/* SPDX-License-Identifier: MIT
 *
 * What other processes have left in a set, looked for before a wait: tails, and one shots that are
 * muted though nobody shows a tail any more (epoll_proxy.h).
 */
#ifndef WSRX_WAIT_EPOLL_SCAN_H
#define WSRX_WAIT_EPOLL_SCAN_H

#include "wait/epoll_registry.h"

#include <stdbool.h>

/* Shows the tails, and arms the shots. Called with the registry's lock held; may change errno. */
void scan_set(struct set *set);

/* Whether there may be muted shots to look for, in the set (NULL: in any). Needs no lock. */
bool scan_may_be_left(const struct set *set);

#endif
