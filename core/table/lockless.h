/* SPDX-License-Identifier: MIT
 *
 * Lookups without the table's mutex, and takes that need it only for the last part of a message.
 */
#ifndef WSRX_TABLE_LOCKLESS_H
#define WSRX_TABLE_LOCKLESS_H

#include "table/layout.h"

/* The arguments of a take. */
struct take {
    size_t room;
    unsigned how;
    table_copy copy;
    void *context;
};

/* Looks for the socket's first message. false: the table is being changed, or a process died in a
 * change, so the mutex is needed. */
bool lockless_find(struct inside *inside, uint64_t cookie, struct table_found *ret_found);

/* Takes from the message that was found. Returns what table_take_found() returns, or -EINTR: the
 * mutex is needed; or -EAGAIN: the table has changed, or another take was faster. */
int lockless_take(struct inside *inside, const struct table_found *found, const struct take *take,
                  struct held *ret_held, struct part *ret_part);

/* The same with the mutex held, from the message at `at`. Never -EINTR, but -EBADMSG: the message
 * is damaged. The caller removes the message then, or if nothing of it is left. */
int lockless_take_locked(struct inside *inside, uint32_t at, const struct take *take,
                         struct held *ret_held, struct part *ret_part);

#endif
