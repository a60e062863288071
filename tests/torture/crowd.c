/* SPDX-License-Identifier: MIT */
/* What the crowd does, step by step: sends, receives, waits. */
#define _GNU_SOURCE
#include "crowd.h"

#include "crowd_parts.h"
#include "message.h"
#include "torture.h"
#include "wait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool line_expects(const struct line *line)
{
    return line->queued > 0 || line->sent > line->got;
}

bool line_is_held(const struct line *line)
{
    return line->queued > 0 && line->offset > 0;
}

bool line_is_stream(const struct line *line)
{
    return line->link.kind >= KIND_STREAM;
}

/* --- send ------------------------------------------------------------------------------------ */

static void send_stream(struct crowd *crowd, struct line *line, size_t length)
{
    unsigned char *bytes = crowd->hands->expected;
    size_t offset = (size_t)(line->sent % MESSAGE_LONGEST);
    struct message message = {line->socket, (unsigned)(line->sent / MESSAGE_LONGEST),
                              MESSAGE_LONGEST};
    int sent;

    if (length == 0)
        return;
    if (length > MESSAGE_LONGEST - offset)
        length = MESSAGE_LONGEST - offset;
    message_fill(bytes, &message, offset, length);
    sent = link_send(&line->link, 0, bytes, length);
    if (sent >= 0)
        line->sent += sent > 0 ? (size_t)sent : length;
}

bool crowd_send(struct crowd *crowd, struct line *line, size_t length)
{
    struct out *out = &line->out[(line->head + line->queued) % QUEUE_MAX];
    struct message message = {line->socket, line->next, length};
    int error;

    stand("send", line->link.fd);
    count(&place->operations, 1);
    if (line_is_stream(line)) {
        send_stream(crowd, line, length);
        return true;
    }
    if (line->queued == QUEUE_MAX ||
        line->in_flight + link_weight(&line->link, length) > line->link.in_flight_max)
        return false;
    *out = (struct out){line->next, length, plan_below(&crowd->plan, line->link.senders)};
    message_fill(crowd->hands->expected, &message, 0, length);
    error = link_send(&line->link, out->sender, crowd->hands->expected, length);
    if (error == -EAGAIN || error == -ENOBUFS)
        return false;
    if (error) {
        fault(line->socket, line->next, 0, "send of %zu bytes on %s: expected success, got %s",
              length, kind_name(line->link.kind), strerror(-error));
        return false;
    }
    line->next++;
    line->queued++;
    line->in_flight += link_weight(&line->link, length);
    return true;
}

static size_t some_length(struct crowd *crowd, const struct line *line)
{
    unsigned percent = plan_below(&crowd->plan, 1000);
    size_t longest = line->link.longest;

    if (percent < 30)
        return 0;
    if (percent < 34)
        return longest;
    if (percent < 980 && longest > 16384)
        longest = 16384;
    else if (percent < 998 && longest > 65507)
        longest = 65507;
    return plan_size(&crowd->plan, longest);
}

/* --- receive --------------------------------------------------------------------------------- */

/* Flags that the plan adds. MSG_PEEK by one part only: what the slots of recvmmsg(2) show then is
 * the kernel's matter. */
static void choose_flags(struct crowd *crowd, const struct line *line)
{
    struct hands *hands = crowd->hands;
    struct plan *plan = &crowd->plan;

    receive_choose(hands, plan, line->link.kind != KIND_PIPE);
    if (call_reads(hands->call))
        return;
    if (plan_percent(plan, 40))
        hands->flags |= MSG_DONTWAIT;
    if (plan_percent(plan, 12) && hands->call != CALL_RECVMMSG)
        hands->flags |= MSG_PEEK;
    if (line_is_stream(line))
        return; /* tcp(7): MSG_TRUNC throws a stream's bytes away; elsewhere it is ignored */
    if (plan_percent(plan, hands->flags & MSG_PEEK ? 50 : 2))
        hands->flags |= MSG_TRUNC;
    if (plan_percent(plan, 3))
        hands->flags |= MSG_WAITALL;
}

/* A message that is sent is there at once, but that loopback may hand a datagram over a moment
 * later. 0, or the error that it ends with. */
static int receive_in_time(struct crowd *crowd, struct line *line, size_t room, unsigned slots)
{
    bool late = line->link.kind <= KIND_UDP6 && !line_is_held(line);
    int64_t deadline = now() + INT64_C(5000000000);
    int error;

    for (;;) {
        error = receive(crowd->hands, &crowd->plan, line->link.fd, room, slots);
        if (error == -EINTR ? now() > deadline
                            : error != -EAGAIN || !(crowd->hands->flags & MSG_DONTWAIT) || !late ||
                                  now() > deadline)
            return error;
    }
}

bool crowd_receive(struct crowd *crowd, struct line *line, size_t room)
{
    struct hands *hands = crowd->hands;
    unsigned slots = 1 + plan_below(&crowd->plan, SLOTS);
    bool good = true;
    int error;

    atomic_store_explicit(&place->socket, line->socket, memory_order_relaxed);
    choose_flags(crowd, line);
    if (line_is_stream(line) && room == 0)
        room = 1;
    if (slots * (room + 64) > hands->size)
        slots = 1;
    if (line_is_stream(line))
        slots = 1;
    error = receive_in_time(crowd, line, room, slots);
    if (error) {
        fault(line->socket, line->out[line->head].number, line->offset,
              "%s on %s (fd %d, flags 0x%x, room %zu): expected %zu bytes that are there, got %s",
              call_name(hands->call), kind_name(line->link.kind), line->link.fd,
              (unsigned)hands->flags, room, line->out[line->head].length - line->offset,
              strerror(-error));
        return false;
    }
    for (unsigned i = 0; i < hands->parts && good; i++) {
        if (line_is_stream(line))
            good = line_check_stream(crowd, line, &hands->part[i]);
        else if (room == 0 && call_reads(hands->call))
            good = line_check_nothing(crowd, line, &hands->part[i]);
        else
            good = line_check_part(crowd, line, &hands->part[i]);
    }
    if (good && hands->call == CALL_RECVMMSG && hands->parts < slots && line_is_held(line)) {
        fault(line->socket, line->out[line->head].number, line->offset,
              "recvmmsg with a tail held: expected %u slots used, got %u", slots, hands->parts);
        good = false;
    }
    return good;
}

static size_t some_room(struct crowd *crowd, const struct line *line)
{
    unsigned choice = plan_below(&crowd->plan, 100);
    size_t remains = line->queued ? line->out[line->head].length - line->offset : 4096;

    if (choice < 2)
        return 0;
    if (choice < 55) /* a piece of it: many parts */
        return plan_size(&crowd->plan, remains / 3 + 1);
    if (choice < 60)
        return remains;
    if (choice < 65)
        return remains + 1;
    if (choice < 70 && remains > 0)
        return remains - 1;
    if (choice < 72)
        return line->link.longest;
    return plan_size(&crowd->plan, 70000);
}

/* --- the steps ------------------------------------------------------------------------------- */

/* A line on which something is expected, from a random one on. */
static struct line *some_expecting(struct crowd *crowd)
{
    unsigned from = plan_below(&crowd->plan, crowd->lines);

    for (unsigned i = 0; i < crowd->lines; i++) {
        struct line *line = &crowd->line[(from + i) % crowd->lines];

        if (line_expects(line))
            return line;
    }
    return NULL;
}

static void check_left(struct line *line)
{
    int left = -1;
    int remains = (int)(line->out[line->head].length - line->offset);

    stand("ioctl FIONREAD", line->link.fd);
    if (ioctl(line->link.fd, FIONREAD, &left) != 0 || left != remains)
        fault(line->socket, line->out[line->head].number, line->offset,
              "FIONREAD with a tail held: expected %d, got %d", remains, left);
}

static void check_idle(struct crowd *crowd)
{
    struct hands *hands = crowd->hands;
    struct line *line = &crowd->line[plan_below(&crowd->plan, crowd->lines)];
    int error;

    wait_for_none(crowd);
    if (line_expects(line) || line->link.kind == KIND_PIPE)
        return;
    receive_choose(hands, &crowd->plan, true);
    if (call_reads(hands->call))
        hands->call = CALL_RECV;
    hands->flags = MSG_DONTWAIT;
    error = receive(hands, &crowd->plan, line->link.fd, 100, 1);
    if (error == 0)
        fault(line->socket, line->next, 0, "%s on an empty %s: expected EAGAIN, got %zu bytes",
              call_name(hands->call), kind_name(line->link.kind), hands->part[0].length);
    else if (error != -EAGAIN && error != -EINTR)
        fault(line->socket, line->next, 0, "%s on an empty %s: expected EAGAIN, got %s",
              call_name(hands->call), kind_name(line->link.kind), strerror(-error));
}

/* Receives, at times through another descriptor of the same socket. A socket that has gone wrong
 * would only go on so: a new one then. */
static void receive_some(struct crowd *crowd, struct line *line)
{
    int own = line->link.fd;
    int other = plan_percent(&crowd->plan, 5) ? dup(own) : -1;
    bool good;

    if (other >= 0)
        line->link.fd = other;
    good = crowd_receive(crowd, line, some_room(crowd, line));
    if (other >= 0) {
        line->link.fd = own;
        close(other);
    }
    if (!good)
        line_reopen(crowd, line);
}

void crowd_step(struct crowd *crowd)
{
    unsigned choice = plan_below(&crowd->plan, 100);
    struct line *line = &crowd->line[plan_below(&crowd->plan, crowd->lines)];

    if (plan_percent(&crowd->plan, crowd->churn)) {
        if (plan_percent(&crowd->plan, 50))
            line_reopen(crowd, line);
        else
            line_move(crowd, line);
        return;
    }
    if (choice < 15) {
        crowd_send(crowd, line, some_length(crowd, line));
        return;
    }
    if (choice < 17) {
        check_idle(crowd);
        return;
    }
    line = some_expecting(crowd);
    if (!line)
        return;
    if (line_is_held(line) && choice < 19)
        check_left(line);
    if (choice < 35 || line->link.kind == KIND_PIPE)
        wait_for(crowd, line);
    receive_some(crowd, line);
}

void crowd_drain(struct crowd *crowd)
{
    struct line *line;

    while (!hopeless() && (line = some_expecting(crowd)))
        receive_some(crowd, line);
    check_idle(crowd);
}

struct crowd *crowd_make(const char *scenario, unsigned flow, unsigned lines, unsigned kinds,
                         unsigned churn)
{
    struct crowd *crowd = calloc(1, sizeof *crowd);

    if (!crowd)
        cannot("no memory");
    crowd->plan = plan_make(options.seed, scenario, flow);
    crowd->hands = hands_make();
    crowd->waiting = waiting_make();
    crowd->lines = lines;
    crowd->kinds = kinds;
    crowd->churn = churn;
    for (unsigned i = 0; i < lines; i++)
        line_open(crowd, &crowd->line[i]);
    return crowd;
}

void crowd_free(struct crowd *crowd)
{
    for (unsigned i = 0; i < crowd->lines; i++) {
        line_close(crowd, &crowd->line[i]);
        link_close(&crowd->line[i].link);
    }
    waiting_free(crowd->waiting);
    hands_free(crowd->hands);
    free(crowd);
}
