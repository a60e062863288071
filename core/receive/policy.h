/* SPDX-License-Identifier: MIT
 *
 * What a mode makes of a receive that is shorter than its message. Pure.
 */
#ifndef WSRX_RECEIVE_POLICY_H
#define WSRX_RECEIVE_POLICY_H

#include "settings.h"

#include <stdbool.h>

/* What kind of call receives: a plain call cannot report truncation, a reporting call can
 * (msg_flags), a cooperating one is our own wsrx_receive(). */
enum call_kind { CALL_PLAIN, CALL_REPORTING, CALL_COOPERATING };

struct policy {
    bool hold;     /* keep the tail for the next receive */
    bool emsgsize; /* fill the buffer and fail with EMSGSIZE */
};

/* `calls_all` is WSRX_CALLS=all. */
struct policy receive_policy(enum mode mode, enum call_kind kind, bool calls_all);

#endif
