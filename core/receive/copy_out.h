/* SPDX-License-Identifier: MIT
 *
 * What the caller gets: bytes, address, result.
 */
#ifndef WSRX_RECEIVE_COPY_OUT_H
#define WSRX_RECEIVE_COPY_OUT_H

#include "receive/context.h"
#include "table/table.h"

/* Like the kernel's move_addr_to_user(): copies the part of the address that fits, and its full
 * length. */
int copy_out_name(const struct receive *receive, const struct sockaddr *peer, socklen_t length);

/* The caller's room for an address; to be read before anything is written to its length. */
socklen_t copy_out_name_room(const struct receive *receive);

/* Copies bytes to the caller's buffers. A table_copy: `context` is the receive. */
int copy_out_bytes(void *context, const void *from, size_t size);

/* The result of a receive that got `part` of `remaining` bytes, by kind and mode. */
ssize_t copy_out_part(struct receive *receive, const struct part *part, size_t remaining,
                      const struct held *held);

/* The same if the tail cannot be held: it is lost, counted and reported. */
ssize_t copy_out_cut(struct receive *receive, size_t length, const char *why);

#endif
