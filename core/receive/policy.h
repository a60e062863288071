/* SPDX-License-Identifier: MIT
 *
 * What a mode does if the buffer is shorter than the message. A pure function.
 */
#ifndef WSRX_RECEIVE_POLICY_H
#define WSRX_RECEIVE_POLICY_H

#include "settings.h"

#include <stdbool.h>

/* The kind of a receive: a plain call cannot report truncation, a reporting call can (msg_flags), a
 * cooperating call is our own wsrx_receive(). */
enum call_kind { CALL_PLAIN, CALL_REPORTING, CALL_COOPERATING };

struct policy {
    bool hold;     /* keep the tail for the next receive */
    bool emsgsize; /* fill the buffer and fail with EMSGSIZE */
};

/* `calls_all` is WSRX_CALLS=all. */
struct policy receive_policy(enum mode mode, enum call_kind kind, bool calls_all);

#endif
