/* SPDX-License-Identifier: MIT
 *
 * Which messages belong to which socket: buckets by the cookie's hash, in each a chain of sockets,
 * and behind each of these a list of messages, oldest first.
 *
 * All of it belongs to the table's mutex, and follows from the messages themselves: after a death
 * or a fault it is made anew.
 */
#ifndef WSRX_TABLE_LINKS_H
#define WSRX_TABLE_LINKS_H

#include "table/layout.h"

/* The link that leads to the socket's first message, or ends the chain. NULL: the chain has no end,
 * and all has to be made anew. */
uint32_t *links_find(struct inside *inside, uint64_t cookie);

/* Puts a message into its socket's list, by the order of arrival. */
void links_insert(struct inside *inside, uint32_t at);

/* Takes the first message out; its socket's next one takes the place. */
void links_remove(struct inside *inside, uint32_t *link);

/* Calls `act` for each message of the sockets that this process has. The kernel is asked for their
 * cookies, for a cached class may be stale. */
void links_each_own(struct inside *inside, void (*act)(void *context, uint32_t at), void *context);

/* Makes links, bitmap and sums anew, from the messages that are whole. Those that cannot be are
 * dropped and counted as lost. */
void links_rebuild(struct inside *inside);

/* Whether WSRX_HOLD_MAX is reached. */
void links_update_full(struct inside *inside);

#endif
