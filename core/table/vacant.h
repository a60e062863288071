/* SPDX-License-Identifier: MIT
 *
 * Vacant slots: how a socket's next tail is held without the table's mutex.
 *
 * Whoever takes the last part of a message without the mutex leaves its slot vacant: it stays in the
 * lists, with its page, and holds nothing. Whoever then has a tail of the same socket claims it,
 * fills it, and publishes it. Each step is a compare-and-swap of `state`, and begins or ends with what
 * others may see; so nothing is half made, whoever looks, and a handler or a jump in between does no
 * harm.
 *
 * Nobody waits for who has claimed a slot. Whoever has the mutex and looks for the socket's messages
 * takes a vacant slot out of the lists, and revokes a claim: the claimer has not arrived yet, then, and
 * finds when it publishes that it must go on with the mutex. So for as long as the mutex is held,
 * nobody else holds a message of a socket that was looked for.
 *
 *     held --last part--> vacant --claim--> claimed --publish--> held
 *                           |                  |
 *                      by the mutex       by the mutex
 *                           v                  v
 *                         free              revoked --by the claimer, with the mutex--> free
 *
 * Only tails of one page, of a table that no other process can write to.
 */
#ifndef WSRX_TABLE_VACANT_H
#define WSRX_TABLE_VACANT_H

#include "table/layout.h"
#include "table/slot.h"

/* Each keeps a page, until its socket's next tail comes or there are as many as this. */
enum { VACANT_MAX = 32 };

/* Whether the slot of such a message may become vacant: they are few. */
bool vacant_may_become(const struct inside *inside, uint32_t at, uint32_t kind, uint32_t pages);

/* Claims the slot that the socket's last message has left. 0: there is none. `*ret_state`: what it
 * is now, for vacant_publish(). */
uint32_t vacant_claim(struct inside *inside, uint64_t cookie, uint64_t *ret_state);

/* What was filled in is the socket's message from now on. false: the claim has been revoked. */
bool vacant_publish(struct inside *inside, uint32_t at, uint64_t claimed, size_t offset);

/* With the mutex: */

/* Ends that the slot is vacant, or claimed: for whoever takes it out of the lists. Returns which of the
 * two it was, OFFSET_VACANT or OFFSET_CLAIMED; 0: neither. */
uint32_t vacant_end(struct slot *slot);

/* The same, before the lists are made anew. Whether somebody may be writing to the slot, so that its
 * page stays taken. */
bool vacant_is_written_to(struct slot *slot);

/* For the claimer: whether the claim was revoked, and the page is to be released. */
bool vacant_return(struct slot *slot, uint64_t claimed);

#endif
