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
static inline struct policy receive_policy(enum mode mode, enum call_kind kind, bool calls_all)
{
    struct policy policy = {false, false};

    if (kind == CALL_COOPERATING) {
        policy.hold = true;
    } else if (kind == CALL_REPORTING) {
        /* The caller sees MSG_TRUNC; with an error it would not. */
        policy.hold = calls_all && (mode == MODE_CONTINUE || mode == MODE_ERROR);
    } else {
        policy.hold = mode == MODE_CONTINUE || mode == MODE_ERROR;
        policy.emsgsize = mode == MODE_ERROR || mode == MODE_DISCARD;
    }
    return policy;
}

#endif
