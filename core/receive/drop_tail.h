/* SPDX-License-Identifier: MIT
 *
 * WSRX_TAIL=until-send: the program sends its next request, so it does not want the rest of the last
 * reply any more.
 */
#ifndef WSRX_RECEIVE_DROP_TAIL_H
#define WSRX_RECEIVE_DROP_TAIL_H

#include "base/compiler.h"
#include "table/held.h"

/* Drops the tail that is held for the socket, if one is: counted as lost, and recorded. A message of
 * which nothing has been handed out stays. Async-signal-safe; errno is as it was. */
SLOW_PATH void receive_drop_tail(int fd, const void *caller);

/* Whether a send means nothing for any tail: one read, on the line that every receive reads. */
static inline bool receive_leaves_sends(void)
{
    return LIKELY(!state.sends_end_tails);
}

/* Before a send. */
static inline void receive_before_send(int fd, const void *caller)
{
    if (!receive_leaves_sends() && !LIKELY(table_nothing_held()))
        receive_drop_tail(fd, caller);
}

#endif
