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

/* Before a send. */
static inline void receive_before_send(int fd, const void *caller)
{
    if (!LIKELY(!state.settings.tail_until_send) && !LIKELY(table_nothing_held()))
        receive_drop_tail(fd, caller);
}

#endif
