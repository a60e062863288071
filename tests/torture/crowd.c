/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "crowd.h"

#include "message.h"
#include "torture.h"
#include "wait.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

bool line_expects(const struct line *line)
{
    return line->queued > 0 || line->sent > line->got;
}

bool line_is_held(const struct line *line)
{
    return line->queued > 0 && line->offset > 0;
}

static bool is_stream(const struct line *line)
{
    return line->link.kind >= KIND_STREAM;
}

/* --- descriptors ----------------------------------------------------------------------------- */

static void open_line(struct crowd *crowd, struct line *line)
{
    int tries = 0, error;

    memset(line, 0, sizeof *line);
    /* Half of them cost a wait here and there: a machine without IPv6, a full table. */
    do
        error = link_open(&line->link, (enum kind)plan_below(&crowd->plan, crowd->kinds),
                          &crowd->plan);
    while (error && ++tries < 100);
    if (error)
        cannot("cannot open sockets: %s", strerror(-error));
    line->socket = (unsigned)(place - common->place) << 24 | (crowd->sockets++ & 0xffffff);
    wait_opened(crowd, line);
}

/* The other ways of all are close(2). */
enum way { WAY_STDIO, WAY_RANGE, WAY_OVER, WAY_SYSCALL, WAY_RAW, WAY_CLOSE, WAYS = 7 };

static enum way some_way(struct plan *plan)
{
    unsigned way = plan_below(plan, WAYS);

#ifdef __SANITIZE_THREAD__
    /* TSan follows descriptors by libc. A close that it does not see makes a race of the number's
     * next use. */
    if (way != WAY_OVER)
        return WAY_CLOSE;
#endif
    return way < WAY_CLOSE ? (enum way)way : WAY_CLOSE;
}

/* A close that no library can see. */
static void close_raw(int fd)
{
#ifdef __x86_64__
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"((long)SYS_close), "D"((long)fd)
                     : "rcx", "r11", "memory");
#else
    close(fd);
#endif
}

/* By stdio, which closes by calls of its own. */
static void close_by_stdio(struct crowd *crowd, int fd)
{
    FILE *stream = fdopen(fd, "r");

    if (!stream) {
        close(fd);
        return;
    }
    if (plan_percent(&crowd->plan, 50))
        stream = freopen("/dev/null", "re", stream);
    if (stream)
        fclose(stream);
}

/* By every way in which programs close, those that nobody can see included. */
static void close_receiver(struct crowd *crowd, struct line *line)
{
    int fd = line->link.fd, other;
    enum way way = some_way(&crowd->plan);

    stand("close", fd);
    /* A raw close that leaves a registration behind is more than a library can follow. */
    wait_closing(crowd, line,
                 plan_percent(&crowd->plan, 30) || (way == WAY_RAW && !options.strict));
    switch (way) {
    case WAY_STDIO:
        close_by_stdio(crowd, fd);
        break;
    case WAY_RANGE:
        close_range((unsigned)fd, (unsigned)fd, 0);
        break;
    case WAY_OVER:
        other = open("/dev/null", O_RDONLY | O_CLOEXEC);
        dup2(other, fd);
        close(other);
        close(fd);
        break;
    case WAY_SYSCALL:
        syscall(SYS_close, fd);
        break;
    case WAY_RAW:
        close_raw(fd);
        break;
    default:
        close(fd);
    }
    line->link.fd = -1;
}

static void reopen(struct crowd *crowd, struct line *line)
{
    close_receiver(crowd, line);
    link_close(&line->link);
    open_line(crowd, line);
}

/* The socket lives on under another number; a held tail goes with it. */
static void move(struct crowd *crowd, struct line *line)
{
    int fd = line->link.fd, to;

    stand("dup", fd);
    wait_closing(crowd, line, true); /* or the set would keep it under the old number */
    switch (plan_below(&crowd->plan, 3)) {
    case 0:
        to = dup(fd);
        break;
    case 1:
        to = fcntl(fd, F_DUPFD_CLOEXEC, fd + 3);
        break;
    default:
        to = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (to >= 0)
            to = dup3(fd, to, O_CLOEXEC);
    }
    if (to < 0)
        return;
    close(fd);
    line->link.fd = to;
    wait_opened(crowd, line);
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
    if (is_stream(line)) {
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

static const char *describe(char *to, size_t size, const unsigned char *bytes, size_t length)
{
    struct message message;
    size_t offset;

    if (message_identify(bytes, length, &message, &offset))
        snprintf(to, size, "socket %u message %u of %zu offset %zu", message.socket,
                 message.number, message.length, offset);
    else
        snprintf(to, size, "bytes of no message");
    return to;
}

static bool check_bytes(const struct crowd *crowd, const struct line *line,
                        const struct part *part, const struct message *message, size_t offset,
                        size_t size)
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

/* The receive contract, for one part. False: it was broken. */
static bool check_part(struct crowd *crowd, struct line *line, const struct part *part)
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

    count(&place->parts, 1);
    count(&place->bytes, given);
    if ((hands->flags & MSG_TRUNC) || part->room == 0 ||
        (line->offset == 0 && call_reports(hands->call) && !options.calls_all))
        left = 0;
    if (left > 0) {
        line->first_asked = line->offset == 0 ? part->has_peer : line->first_asked;
        line->offset += given;
        return true;
    }
    count(&place->messages, 1);
    line->in_flight -= link_weight(&line->link, out->length);
    line->offset = 0;
    line->head = (line->head + 1) % QUEUE_MAX;
    line->queued--;
    return true;
}

static bool check_stream(struct crowd *crowd, struct line *line, const struct part *part)
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
static bool check_nothing(struct crowd *crowd, const struct line *line, const struct part *part)
{
    if (part->length == 0)
        return true;
    fault(line->socket, 0, line->offset, "%s of no bytes: expected 0, got %zu",
          call_name(crowd->hands->call), part->length);
    return false;
}

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
    if (is_stream(line))
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
    if (is_stream(line) && room == 0)
        room = 1;
    if (slots * (room + 64) > hands->size)
        slots = 1;
    if (is_stream(line))
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
        if (is_stream(line))
            good = check_stream(crowd, line, &hands->part[i]);
        else if (room == 0 && call_reads(hands->call))
            good = check_nothing(crowd, line, &hands->part[i]);
        else
            good = check_part(crowd, line, &hands->part[i]);
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
        reopen(crowd, line);
}

void crowd_step(struct crowd *crowd)
{
    unsigned choice = plan_below(&crowd->plan, 100);
    struct line *line = &crowd->line[plan_below(&crowd->plan, crowd->lines)];

    if (plan_percent(&crowd->plan, crowd->churn)) {
        if (plan_percent(&crowd->plan, 50))
            reopen(crowd, line);
        else
            move(crowd, line);
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
        open_line(crowd, &crowd->line[i]);
    return crowd;
}

void crowd_free(struct crowd *crowd)
{
    for (unsigned i = 0; i < crowd->lines; i++) {
        close_receiver(crowd, &crowd->line[i]);
        link_close(&crowd->line[i].link);
    }
    waiting_free(crowd->waiting);
    hands_free(crowd->hands);
    free(crowd);
}
