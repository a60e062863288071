/* SPDX-License-Identifier: MIT
 *
 * The hold strategies: how a message that does not fit is kept. One interface for three of them: in
 * the process (hold_process.h), in the kernel with the offset in the table (hold_peek.h), and in
 * the kernel with the offset in the socket (hold_peek_offset.h).
 */
#ifndef WSRX_RECEIVE_HOLD_H
#define WSRX_RECEIVE_HOLD_H

#include "receive/context.h"

struct hold_strategy {
    /* Receives from the socket with this cookie, for which nothing is held in the process. Waits as
     * the program's own call would. `parts`: a message that does not fit is handed over part by
     * part; otherwise the program's own call is made. */
    struct receive_result (*receive)(struct receive *receive, uint64_t cookie, bool parts);
    bool bounces; /* needs the bounce buffer */
    bool peeks;   /* peeks before it takes: sets `stale` and has it done again if the class is */
};

extern const struct hold_strategy hold_process, hold_peek, hold_peek_offset;

#endif
