/* SPDX-License-Identifier: MIT */
/* The receive contract, checked for each part that the crowd receives. */
#define _GNU_SOURCE
#include "crowd_parts.h"

#include "message.h"
#include "torture.h"

#include <stdio.h>

static const char *describe(char *to, size_t size, const unsigned char *bytes, size_t length)
{
    struct message message;
    size_t offset;

    if (message_identify(bytes, length, &message, &offset))
        snprintf(to, size, "socket %u message %u of %zu offset %zu", message.socket, message.number,
                 message.length, offset);
    else
        snprintf(to, size, "bytes of no message");
    return to;
}

static bool check_bytes(const struct crowd *crowd, const struct line *line, const struct part *part,
                        const struct message *message, size_t offset, size_t size)
{
    size_t good = message_match(part->at, size, message, offset);
    char what[128];

    if (good == size)
        return true;
    fault(line->socket, message->number, offset + good,
          "content on %s by %s: expected 0x%02x, got 0x%02x; the part begins with %s",
          kind_name(line->link.kind), call_name(crowd->hands->call),
          (message_fill(crowd->hands->expected, message, offset + good, 1),
           crowd->hands->expected[0]),
          part->at[good], describe(what, sizeof what, part->at, part->length));
    return false;
}

static bool check_peer(const struct crowd *crowd, const struct line *line, const struct part *part,
                       const struct out *out)
{
    const struct link *link = &line->link;

    if (!part->has_peer || link_is_peer(link, out->sender, &part->peer, part->peer_length))
        return true;
    if (line->offset > 0 && !line->first_asked) {
        /* Nobody asked with the first part: none, or what getpeername(2) says. */
        if (!link->connected && part->peer_length == 0)
            return true;
        if (link->connected && link->name_length[0] == 0 &&
            part->peer_length == sizeof(sa_family_t) && part->peer.ss_family == AF_UNIX)
            return true;
    }
    fault(line->socket, out->number, line->offset,
          "peer on %s by %s: expected the address of sender %u (%u bytes), got another of %u bytes",
          kind_name(link->kind), call_name(crowd->hands->call), out->sender,
          link->name_length[out->sender], part->peer_length);
    return false;
}

/* The part was received: what comes next on this line? */
static void take_part(const struct crowd *crowd, struct line *line, const struct part *part,
                      size_t given, size_t left)
{
    const struct hands *hands = crowd->hands;
    const struct out *out = &line->out[line->head];

    count(&place->parts, 1);
    count(&place->bytes, given);
    if ((hands->flags & MSG_TRUNC) || part->room == 0 ||
        (line->offset == 0 && call_reports(hands->call) && !options.calls_all))
        left = 0;
    if (left > 0) {
        line->first_asked = line->offset == 0 ? part->has_peer : line->first_asked;
        line->offset += given;
        return;
    }
    count(&place->messages, 1);
    line->in_flight -= link_weight(&line->link, out->length);
    line->offset = 0;
    line->head = (line->head + 1) % QUEUE_MAX;
    line->queued--;
}

/* The receive contract, for one part. False: it was broken. */
bool line_check_part(struct crowd *crowd, struct line *line, const struct part *part)
{
    const struct hands *hands = crowd->hands;
    const struct out *out = &line->out[line->head];
    struct message message = {line->socket, out->number, out->length};
    size_t remains = out->length - line->offset;
    size_t given = part->room < remains ? part->room : remains;
    size_t result = hands->flags & MSG_TRUNC ? remains : given;
    size_t left = remains - given;
    bool cut = left > 0;

    atomic_store_explicit(&place->message, out->number, memory_order_relaxed);
    if (line->queued == 0) {
        fault(line->socket, line->next, 0, "%s on %s: expected nothing, got %zu bytes",
              call_name(hands->call), kind_name(line->link.kind), part->length);
        return false;
    }
    if (part->length != result) {
        char what[128];

        fault(line->socket, out->number, line->offset,
              "length by %s on %s (flags 0x%x, room %zu, of %zu): expected %zu, got %zu (%s)",
              call_name(hands->call), kind_name(line->link.kind), (unsigned)hands->flags,
              part->room, out->length, result, part->length,
              describe(what, sizeof what, part->at,
                       part->length < part->room ? part->length : part->room));
        return false;
    }
    if (!check_bytes(crowd, line, part, &message, line->offset, given) ||
        !check_peer(crowd, line, part, out))
        return false;
    if (call_reports(hands->call) && !(part->msg_flags & MSG_TRUNC) != !cut) {
        fault(line->socket, out->number, line->offset,
              "MSG_TRUNC by %s on %s (room %zu, remain %zu): expected %d, got %d",
              call_name(hands->call), kind_name(line->link.kind), part->room, remains, cut, !cut);
        return false;
    }
    if (hands->flags & MSG_PEEK)
        return true;

    take_part(crowd, line, part, given, left);
    return true;
}

bool line_check_stream(struct crowd *crowd, struct line *line, const struct part *part)
{
    size_t at = 0;

    if (part->length == 0 || part->length > line->sent - line->got) {
        fault(line->socket, 0, (size_t)line->got, "%s on %s: expected 1 to %zu bytes, got %zu",
              call_name(crowd->hands->call), kind_name(line->link.kind),
              (size_t)(line->sent - line->got), part->length);
        return false;
    }
    while (at < part->length) {
        size_t offset = (size_t)((line->got + at) % MESSAGE_LONGEST);
        struct message message = {line->socket, (unsigned)((line->got + at) / MESSAGE_LONGEST),
                                  MESSAGE_LONGEST};
        struct part piece = *part;
        size_t size = part->length - at;

        if (size > MESSAGE_LONGEST - offset)
            size = MESSAGE_LONGEST - offset;
        piece.at = part->at + at;
        if (!check_bytes(crowd, line, &piece, &message, offset, size))
            return false;
        at += size;
    }
    if (!(crowd->hands->flags & MSG_PEEK)) {
        line->got += part->length;
        count(&place->parts, 1);
        count(&place->bytes, part->length);
    }
    return true;
}

/* With no room, or by a call that has no way to drop. */
bool line_check_nothing(struct crowd *crowd, const struct line *line, const struct part *part)
{
    if (part->length == 0)
        return true;
    fault(line->socket, 0, line->offset, "%s of no bytes: expected 0, got %zu",
          call_name(crowd->hands->call), part->length);
    return false;
}
