/* SPDX-License-Identifier: MIT */
#include "receive/policy.h"

struct policy receive_policy(enum mode mode, enum call_kind kind, bool calls_all)
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
