/* SPDX-License-Identifier: MIT
 *
 * Which messages belong to which socket: buckets by the hash of the cookie, in each a chain of
 * sockets, and for each socket a list of messages, oldest first.
 *
 * All of it belongs to the table's mutex. It can be made anew from the messages themselves, after a
 * process has died in a change or the table was damaged.
 */
#ifndef WSRX_TABLE_LINKS_H
#define WSRX_TABLE_LINKS_H

#include "table/layout.h"

/* The link to the socket's first message, or the link that ends the chain. NULL: the chain is
 * endless, and all must be made anew. */
uint32_t *links_find(struct inside *inside, uint64_t cookie);

/* Puts a message into its socket's list, in the order of arrival. */
void links_insert(struct inside *inside, uint32_t at);

/* Takes the first message out of its socket's list. */
void links_remove(struct inside *inside, uint32_t *link);

/* Frees a slot that is in no list, and its pages. */
void links_free(struct inside *inside, uint32_t at, uint32_t pages);

/* As links_find(), after the socket's slots that are vacant or claimed (vacant.h) have been taken out of
 * the lists. So nobody else holds a message of the socket as long as the mutex is held; but one that was found
 * before may still be taken to its end. */
uint32_t *links_find_held(struct inside *inside, uint64_t cookie);

/* The same for all sockets. */
void links_clear_all_vacant(struct inside *inside);

/* Calls `act` for each message of the sockets that this process has. Their cookies are queried,
 * since a cached class may be stale. */
void links_each_own(struct inside *inside, void (*act)(void *context, uint32_t at), void *context);

/* Makes links, bitmap and counts anew, from the messages that are whole. The others are dropped and
 * counted as lost. */
void links_rebuild(struct inside *inside);

/* Whether WSRX_HOLD_MAX is reached. */
void links_update_full(struct inside *inside);

#endif
