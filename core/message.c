/* SPDX-License-Identifier: MIT */
#include "message.h"

struct part message_part(size_t remaining, size_t room, unsigned how)
{
    struct part part = {.given = room < remaining ? room : remaining};

    part.result = part.given;
    part.left = remaining - part.given;
    if (how & MESSAGE_STREAM) {
        if (how & MESSAGE_PEEK)
            part.left = remaining;
        return part;
    }

    /* recv(2): MSG_TRUNC returns "the real length of the packet or datagram, even when it was
     * longer than the passed buffer". */
    if (how & MESSAGE_TRUNC)
        part.result = remaining;

    if (how & MESSAGE_PEEK)
        part.left = remaining;
    else if ((how & MESSAGE_TRUNC) || room == 0)
        part.left = 0;
    return part;
}

struct policy message_policy(enum mode mode, enum call_kind kind, bool calls_all)
{
    struct policy policy = {false, false};

    if (kind == CALL_COOPERATING) {
        policy.hold = true;
    } else if (kind == CALL_REPORTING) {
        /* It sees MSG_TRUNC, so an error would only take the report away from it. */
        policy.hold = calls_all && (mode == MODE_CONTINUE || mode == MODE_ERROR);
    } else {
        policy.hold = mode == MODE_CONTINUE || mode == MODE_ERROR;
        policy.emsgsize = mode == MODE_ERROR || mode == MODE_DISCARD;
    }
    return policy;
}
