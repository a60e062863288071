/* SPDX-License-Identifier: MIT
 *
 * The messages that are held for a socket: found, and removed. With the mutex.
 */
#ifndef WSRX_TABLE_MESSAGES_H
#define WSRX_TABLE_MESSAGES_H

#include "table/layout.h"

/* The link to the socket's first message, which is sound; or the link that ends the chain. A take that
 * began before the mutex was taken may end at any moment, and then it leads to a vacant slot. */
uint32_t *messages_find(struct inside *inside, uint64_t cookie);

/* Returns how many bytes of the message had not been taken. */
size_t messages_remove(struct inside *inside, uint32_t *link);

/* Removes it, and counts what had not been taken as lost. */
void messages_lose(struct inside *inside, uint32_t *link);

/* Drops a message whose bytes were changed. */
void messages_drop(struct inside *inside, uint32_t at);

#endif
