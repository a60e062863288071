/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ledger.h"

#include "message.h"
#include "torture.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <unistd.h>

enum { WAIT_MS = 20 };

static atomic_uint *ticks_of(struct ledger *ledger, unsigned number)
{
    return &ledger->tick[(size_t)(number % LEDGER_WINDOW) * ledger->blocks];
}

struct ledger *ledger_make(enum kind kind, unsigned socket, struct plan *plan)
{
    unsigned blocks = MESSAGE_LONGEST / MESSAGE_BLOCK + 1;
    size_t size = sizeof(struct ledger) + (size_t)LEDGER_WINDOW * blocks * sizeof(atomic_uint);
    struct ledger *ledger =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int error;

    if (ledger == MAP_FAILED)
        cannot("no memory for a ledger");
    error = link_open(&ledger->link, kind, plan);
    if (error)
        cannot("no %s sockets: %s", kind_name(kind), strerror(-error));
    link_timeout(&ledger->link, WAIT_MS);
    ledger->socket = socket;
    ledger->mapped = size;
    ledger->blocks = blocks;
    return ledger;
}

void ledger_free(struct ledger *ledger)
{
    link_close(&ledger->link);
    munmap(ledger, ledger->mapped);
}

/* --- send ------------------------------------------------------------------------------------ */

static size_t some_length(const struct ledger *ledger, struct plan *plan)
{
    unsigned permille = plan_below(plan, 1000);
    size_t longest = ledger->link.longest, length;

    if (permille < 20)
        return 0;
    if (permille < 970 && longest > 16384)
        longest = 16384;
    else if (permille < 998 && longest > 65507)
        longest = 65507;
    length = plan_size(plan, longest);
    /* Half a block at least at the end: see the head of ledger.h. */
    if (length % MESSAGE_BLOCK && length % MESSAGE_BLOCK < MESSAGE_BLOCK / 2)
        length += MESSAGE_BLOCK / 2;
    return length <= longest ? length : longest / MESSAGE_BLOCK * MESSAGE_BLOCK;
}

static void expect(struct ledger *ledger, const struct message *message)
{
    struct entry *entry = &ledger->entry[message->number % LEDGER_WINDOW];
    size_t blocks = (message->length + MESSAGE_BLOCK - 1) / MESSAGE_BLOCK;

    if (message->length == 0) {
        atomic_fetch_add(&ledger->empty_sent, 1);
        return;
    }
    memset(ticks_of(ledger, message->number), 0, blocks * sizeof(atomic_uint));
    atomic_store(&entry->length, (unsigned)message->length);
    atomic_store(&entry->got, 0);
    atomic_store(&entry->occupied, message->number + 1);
    atomic_fetch_add(&ledger->in_flight, link_weight(&ledger->link, message->length));
}

static void withdraw(struct ledger *ledger, const struct message *message)
{
    if (message->length == 0) {
        atomic_fetch_sub(&ledger->empty_sent, 1);
        return;
    }
    atomic_store(&ledger->entry[message->number % LEDGER_WINDOW].occupied, 0);
    atomic_fetch_sub(&ledger->in_flight, link_weight(&ledger->link, message->length));
}

bool ledger_send(struct ledger *ledger, struct plan *plan, struct hands *hands)
{
    struct message message = {ledger->socket, ledger->next, some_length(ledger, plan)};
    int error;

    if (atomic_load(&ledger->entry[message.number % LEDGER_WINDOW].occupied) ||
        atomic_load(&ledger->in_flight) + link_weight(&ledger->link, message.length) >
            ledger->link.in_flight_max ||
        atomic_load(&ledger->empty_sent) - atomic_load(&ledger->empty_got) > 8)
        return false;
    stand("send", ledger->link.fd);
    message_fill(hands->expected, &message, 0, message.length);
    expect(ledger, &message);
    error = link_send(&ledger->link, message.number % ledger->link.senders, hands->expected,
                      message.length);
    if (error == 0) {
        ledger->next++;
        return true;
    }
    withdraw(ledger, &message);
    if (error != -EAGAIN && error != -ENOBUFS)
        fault(ledger->socket, message.number, 0, "send of %zu bytes: expected success, got %s",
              message.length, strerror(-error));
    return false;
}

/* --- what a part is -------------------------------------------------------------------------- */

/* Which message a part is of, and where. A last piece shorter than a block shows its message, and
 * there is one place where it can be. */
static bool identify(struct ledger *ledger, const struct part *part, struct message *ret_message,
                     size_t *ret_offset)
{
    struct entry *entry;

    if (message_identify(part->at, part->length, ret_message, ret_offset))
        return true;
    if (part->length >= MESSAGE_BLOCK || part->length < MESSAGE_BLOCK / 2)
        return false;
    memcpy(&ret_message->socket, part->at, sizeof ret_message->socket);
    memcpy(&ret_message->number, part->at + 4, sizeof ret_message->number);
    entry = &ledger->entry[ret_message->number % LEDGER_WINDOW];
    ret_message->length = atomic_load(&entry->length);
    *ret_offset = ret_message->length / MESSAGE_BLOCK * MESSAGE_BLOCK;
    return ret_message->length % MESSAGE_BLOCK == part->length;
}

static bool check_content(struct ledger *ledger, const struct part *part, const char *call,
                          bool peek, struct message *ret_message, size_t *ret_offset)
{
    struct message other;
    size_t good, other_offset;

    if (!identify(ledger, part, ret_message, ret_offset)) {
        if (peek && part->length < MESSAGE_BLOCK)
            return false; /* others may have taken it since, and the entry is of another one now */
        fault(ledger->socket, 0, 0,
              "content on %s by %s: expected a block, got %zu bytes of none, first 0x%02x",
              kind_name(ledger->link.kind), call, part->length, part->at[0]);
        return false;
    }
    if (ret_message->socket != ledger->socket) {
        fault(ledger->socket, ret_message->number, *ret_offset,
              "socket on %s by %s: expected %u, got bytes of socket %u",
              kind_name(ledger->link.kind), call, ledger->socket, ret_message->socket);
        return false;
    }
    if (*ret_offset + part->length > ret_message->length) {
        fault(ledger->socket, ret_message->number, *ret_offset,
              "length on %s by %s: expected at most %zu bytes to the message's end, got %zu",
              kind_name(ledger->link.kind), call, ret_message->length - *ret_offset, part->length);
        return false;
    }
    good = message_match(part->at, part->length, ret_message, *ret_offset);
    if (good == part->length)
        return true;
    if (peek && part->length < MESSAGE_BLOCK)
        return false; /* as above: which bytes these are, only the entry could say */
    good -= good % MESSAGE_BLOCK;
    if (message_identify(part->at + good, part->length - good, &other, &other_offset))
        fault(ledger->socket, ret_message->number, *ret_offset + good,
              "content on %s by %s: expected the message to go on, got socket %u message %u "
              "offset %zu",
              kind_name(ledger->link.kind), call, other.socket, other.number, other_offset);
    else
        fault(ledger->socket, ret_message->number, *ret_offset + good,
              "content on %s by %s: expected the message to go on, got other bytes",
              kind_name(ledger->link.kind), call);
    return false;
}

static void check_peer(struct ledger *ledger, const struct part *part, const char *call,
                       const struct message *message, size_t offset)
{
    const struct link *link = &ledger->link;
    unsigned sender = message->number % link->senders;

    if (!part->has_peer || link_is_peer(link, sender, &part->peer, part->peer_length))
        return;
    /* The call that took it from the kernel may not have asked. It gave the first part away, or,
     * where receives overlap, it gave this message to nobody. */
    if (offset == 0)
        count(&common->peerless, 1);
    if (!(offset == 0 && options.strict) &&
        ((!link->connected && part->peer_length == 0) ||
         (link->connected && link->name_length[0] == 0 &&
          part->peer_length == sizeof(sa_family_t) && part->peer.ss_family == AF_UNIX)))
        return;
    fault(ledger->socket, message->number, offset,
          "peer on %s by %s: expected sender %u's address of %u bytes, got one of %u bytes",
          kind_name(link->kind), call, sender, link->name_length[sender], part->peer_length);
}

/* --- the record ------------------------------------------------------------------------------ */

/* What came after in the message, or as the next message, may not have come before. */
static void check_order(struct ledger *ledger, const struct message *message, size_t end,
                        size_t offset, unsigned begun, const char *call)
{
    atomic_uint *tick = ticks_of(ledger, message->number);
    struct entry *next = &ledger->entry[(message->number + 1) % LEDGER_WINDOW];
    unsigned ended;

    if (end < message->length) {
        ended = atomic_load(&tick[end / MESSAGE_BLOCK]);
        if (ended != 0 && (int)(ended - begun) <= 0)
            fault(ledger->socket, message->number, end,
                  "order on %s by %s: expected after offset %zu, got before it",
                  kind_name(ledger->link.kind), call, offset);
        return;
    }
    if (atomic_load(&next->occupied) != message->number + 2)
        return;
    ended = atomic_load(&ticks_of(ledger, message->number + 1)[0]);
    if (ended == 0 || (int)(ended - begun) > 0)
        return;
    count(&common->overtaken, 1);
    if (options.strict)
        fault(ledger->socket, message->number, offset,
              "order on %s by %s: expected before message %u, got after it",
              kind_name(ledger->link.kind), call, message->number + 1);
}

/* False: a byte that had come already. */
static bool mark(struct ledger *ledger, const struct message *message, size_t offset, size_t size,
                 unsigned ended)
{
    atomic_uint *tick = ticks_of(ledger, message->number);

    for (size_t at = offset; at < offset + size; at += MESSAGE_BLOCK) {
        if (atomic_exchange_explicit(&tick[at / MESSAGE_BLOCK], ended, memory_order_relaxed)) {
            fault(ledger->socket, message->number, at, "expected each byte once, got it twice");
            return false;
        }
    }
    return true;
}

static void record_empty(struct ledger *ledger, const char *call)
{
    unsigned got = atomic_fetch_add(&ledger->empty_got, 1) + 1;

    count(&place->messages, 1);
    count(&place->parts, 1);
    if ((int)(got - atomic_load(&ledger->empty_sent)) > 0)
        fault(ledger->socket, 0, 0, "%s on %s: expected %u messages of length 0, got one more",
              call, kind_name(ledger->link.kind), atomic_load(&ledger->empty_sent));
}

static void record(struct ledger *ledger, const struct hands *hands, const struct part *part,
                   unsigned begun, unsigned ended)
{
    const char *call = call_name(hands->call);
    struct message message = {0};
    struct entry *entry;
    size_t offset;

    if (part->length == 0) {
        if (!(hands->flags & MSG_PEEK))
            record_empty(ledger, call);
        return;
    }
    if (!check_content(ledger, part, call, hands->flags & MSG_PEEK, &message, &offset))
        return;
    atomic_store_explicit(&place->message, message.number, memory_order_relaxed);
    if (hands->flags & MSG_PEEK)
        return;
    check_peer(ledger, part, call, &message, offset);
    entry = &ledger->entry[message.number % LEDGER_WINDOW];
    if (atomic_load(&entry->occupied) != message.number + 1) {
        fault(ledger->socket, message.number, offset,
              "%s on %s: expected a message on its way, got one that had come as a whole", call,
              kind_name(ledger->link.kind));
        return;
    }
    if (!mark(ledger, &message, offset, part->length, ended))
        return;
    check_order(ledger, &message, offset + part->length, offset, begun, call);
    count(&place->parts, 1);
    count(&place->bytes, part->length);
    if (atomic_fetch_add(&entry->got, (unsigned)part->length) + part->length == message.length) {
        count(&place->messages, 1);
        atomic_store(&entry->occupied, 0);
        atomic_fetch_sub(&ledger->in_flight, link_weight(&ledger->link, message.length));
    }
}

/* --- receive --------------------------------------------------------------------------------- */

static size_t some_room(const struct ledger *ledger, struct plan *plan, size_t longest)
{
    unsigned choice = plan_below(plan, 100);
    size_t room = choice < 80   ? plan_size(plan, 4096)
                  : choice < 97 ? plan_size(plan, 70000)
                                : longest;

    (void)ledger;
    return (room + MESSAGE_BLOCK - 1) / MESSAGE_BLOCK * MESSAGE_BLOCK;
}

/* A short wait; what it says is only a hint here, for others receive too. */
static void wait_some(const struct ledger *ledger, struct plan *plan)
{
    int fd = ledger->link.fd, epoll;
    struct pollfd one = {fd, POLLIN, 0};
    struct timeval limit = {0, WAIT_MS * 1000};
    struct epoll_event event = {EPOLLIN, {.fd = fd}};
    fd_set set;

    switch (plan_below(plan, options.with_epoll ? 3 : 2)) {
    case 0:
        stand("poll", fd);
        poll(&one, 1, WAIT_MS);
        break;
    case 1:
        if (fd >= FD_SETSIZE)
            return;
        stand("select", fd);
        FD_ZERO(&set);
        FD_SET(fd, &set);
        select(fd + 1, &set, NULL, NULL, &limit);
        break;
    default:
        stand("epoll_wait", fd);
        epoll = epoll_create1(EPOLL_CLOEXEC);
        if (epoll < 0)
            return;
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
        epoll_wait(epoll, &event, 1, WAIT_MS);
        close(epoll);
    }
}

unsigned ledger_receive(struct ledger *ledger, struct plan *plan, struct hands *hands, unsigned how)
{
    size_t longest = (ledger->link.longest + MESSAGE_BLOCK) / MESSAGE_BLOCK * MESSAGE_BLOCK;
    unsigned slots = 1 + plan_below(plan, SLOTS), begun, ended;
    size_t room = some_room(ledger, plan, longest);
    int error;

    atomic_store_explicit(&place->socket, ledger->socket, memory_order_relaxed);
    do /* syscall() is no cancellation point */
        receive_choose(hands, plan, true);
    while (((how & RECEIVE_AT_ONCE) && call_reads(hands->call)) ||
           (receive_cancellable && hands->call == CALL_SYSCALL));
    if (!call_reads(hands->call)) {
        if ((how & RECEIVE_AT_ONCE) || plan_percent(plan, 50))
            hands->flags |= MSG_DONTWAIT;
        if (hands->call != CALL_RECVMMSG && plan_percent(plan, 5))
            hands->flags |= MSG_PEEK;
    }
    if (call_reports(hands->call) && !options.calls_all && !(hands->flags & MSG_PEEK))
        room = longest; /* or it would lose what does not fit, as it should */
    while (slots > 1 && slots * (room + 64) > hands->size)
        slots--;
    if (!(how & (RECEIVE_PLAINLY | RECEIVE_AT_ONCE)) && plan_percent(plan, 25))
        wait_some(ledger, plan);

    /* Odd while bytes may be in this flow's hands and in no record. */
    atomic_fetch_add(&place->turns, 1);
    begun = atomic_load(&common->tick);
    error = receive(hands, plan, ledger->link.fd, room, slots);
    ended = atomic_fetch_add(&common->tick, 1) + 1;
    if (error == 0)
        for (unsigned i = 0; i < hands->parts; i++)
            record(ledger, hands, &hands->part[i], begun, ended);
    atomic_fetch_add(&place->turns, 1);

    if (error == 0)
        return hands->parts;
    if (error != -EAGAIN && error != -EINTR)
        fault(ledger->socket, 0, 0, "%s on %s: expected success or EAGAIN, got %s",
              call_name(hands->call), kind_name(ledger->link.kind), strerror(-error));
    return 0;
}

/* --- the end ---------------------------------------------------------------------------------- */

bool ledger_is_complete(const struct ledger *ledger)
{
    if (atomic_load(&ledger->empty_sent) != atomic_load(&ledger->empty_got))
        return false;
    for (unsigned i = 0; i < LEDGER_WINDOW; i++)
        if (atomic_load(&ledger->entry[i].occupied))
            return false;
    return true;
}

/* Stretches of blocks that have not come. */
static unsigned missing_in(struct ledger *ledger, unsigned number, size_t length, size_t *ret_first)
{
    atomic_uint *tick = ticks_of(ledger, number);
    size_t blocks = (length + MESSAGE_BLOCK - 1) / MESSAGE_BLOCK;
    unsigned stretches = 0;
    bool missing = false;

    for (size_t i = 0; i < blocks; i++) {
        bool absent = atomic_load(&tick[i]) == 0;

        if (absent && !missing && stretches++ == 0)
            *ret_first = i * MESSAGE_BLOCK;
        missing = absent;
    }
    return stretches;
}

unsigned ledger_bury(struct place *at)
{
    const char *doing = atomic_load(&at->doing);

    if (atomic_load(&at->turns) % 2 == 0)
        return 0;
    atomic_fetch_add(&at->turns, 1);
    count(&common->killed, 1);
    return doing && strcmp(doing, call_name(CALL_RECVMMSG)) == 0 ? SLOTS : 1;
}

void ledger_settle(struct ledger *ledger, unsigned allowed)
{
    unsigned stretches = atomic_load(&ledger->empty_sent) - atomic_load(&ledger->empty_got);
    unsigned first_number = 0;
    size_t first = 0, length = 0;

    for (unsigned i = 0; i < LEDGER_WINDOW; i++) {
        struct entry *entry = &ledger->entry[i];
        unsigned number = atomic_load(&entry->occupied) - 1, more;
        size_t at = 0;

        if (number + 1 == 0)
            continue;
        more = missing_in(ledger, number, atomic_load(&entry->length), &at);
        if (more && length == 0) {
            first_number = number;
            first = at;
            length = atomic_load(&entry->length);
        }
        stretches += more;
        atomic_store(&entry->occupied, 0);
    }
    atomic_store(&ledger->in_flight, 0);
    atomic_store(&ledger->empty_got, atomic_load(&ledger->empty_sent));
    if (stretches > allowed)
        fault(ledger->socket, first_number, first,
              "on %s: expected all bytes (or %u stretches missing), got %u stretches missing, the "
              "first in a message of %zu",
              kind_name(ledger->link.kind), allowed, stretches, length);
    else
        count(&common->gone, stretches);
}

void ledger_drain(struct ledger *ledger, struct plan *plan, struct hands *hands)
{
    int64_t since = now();

    /* Never for long: others may take what we would wait for. */
    while (!ledger_is_complete(ledger) && now() - since < INT64_C(5000000000)) {
        if (ledger_receive(ledger, plan, hands, RECEIVE_AT_ONCE) > 0)
            since = now();
        else
            sched_yield();
    }
}

void ledger_exhaust(struct ledger *ledger, struct plan *plan, struct hands *hands)
{
    int64_t since = now();

    while (now() - since < INT64_C(10000000))
        if (ledger_receive(ledger, plan, hands, RECEIVE_AT_ONCE) > 0 && !(hands->flags & MSG_PEEK))
            since = now();
}
