/* SPDX-License-Identifier: MIT
 *
 * Looks without the table's mutex, and takes that need it only for a message's last part.
 */
#ifndef WSRX_TABLE_LOCKLESS_H
#define WSRX_TABLE_LOCKLESS_H

#include "table/layout.h"

/* What a take is asked for. */
struct take {
    size_t room;
    unsigned how;
    table_copy copy;
    void *context;
};

/* Looks for the socket's first message. false: somebody changes the table, or died in it, and the
 * mutex is needed. */
bool lockless_find(struct inside *inside, uint64_t cookie, struct table_found *ret_found);

/* Takes from the message that was found. As table_take_found(), and -EINTR: the mutex is needed;
 * -EAGAIN: the table has changed, or another take was faster. */
int lockless_take(struct inside *inside, const struct table_found *found, const struct take *take,
                  struct held *ret_held, struct part *ret_part);

/* The same with the mutex held, from the message at `at`, and never -EINTR, but
 * -EBADMSG: the message has been damaged. The caller removes it then, or where nothing is left. */
int lockless_take_locked(struct inside *inside, uint32_t at, const struct take *take,
                         struct held *ret_held, struct part *ret_part);

#endif
