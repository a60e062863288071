/* SPDX-License-Identifier: MIT
 *
 * A message is put into the table.
 */
#define _GNU_SOURCE
#include "table/counts.h"
#include "table/fill.h"
#include "table/links.h"
#include "table/messages.h"
#include "table/mutex.h"
#include "table/page_alloc.h"
#include "table/sweep.h"
#include "table/table.h"
#include "table/vacant.h"

#include <errno.h>

/* Writes the message, in its new generation, and all but its kind. */
static __attribute__((noinline)) void write_message(struct inside *inside, uint32_t at,
                                                    const struct message *message,
                                                    const struct iovec *iov, size_t iovlen,
                                                    size_t size)
{
    struct slot *slot = slot_of(inside, at);
    /* The old one is gone from here on. */
    uint64_t old = atomic_fetch_add(&slot->state, state_of(1, 0));

    fill(inside, at, message, iov, iovlen, size);
    table_write(slot->orphan, false);
    slot->holder = is_suspect(inside) ? mutex_own_process() : 0;
    atomic_store(&slot->state, state_of((old >> 32) + 1, message->stored));
    if (is_suspect(inside))
        fill_seal(inside, at, message, iov, iovlen, size);
}

/* Whether the message is the one that the socket's first record says is in the kernel. */
static bool is_the_same(const struct slot *first, const struct held *held)
{
    return first->kind == HELD_KERNEL && held->kind == HELD_HERE && held->fingerprint != 0 &&
           first->length == held->length && first->fingerprint == held->fingerprint;
}

static void hold_error_locked(struct table *table, uint64_t cookie, int error);

/* Before a message is lost, the vacant slots go, and then all that the dead have left. */
static uint32_t take_room_locked(struct inside *inside, enum held_kind kind, uint32_t pages)
{
    bool cleared = false;

    for (;; cleared = true) {
        uint32_t at = kind == HELD_KERNEL ? pages_take_slot(inside) : pages_take(inside, pages);

        if (at || (cleared && !sweep_all_locked(inside)))
            return at;
        if (!cleared)
            links_clear_all_vacant(inside);
    }
}

/* As table_hold_locked(). `link`: to the socket's first message, or the end of the chain. A function of
 * its own, for it has a message on its stack, and so has messages_find(). */
static __attribute__((noinline)) int hold_at(struct inside *inside, uint32_t *link, uint64_t cookie,
                                             const struct held *held, const struct iovec *iov,
                                             size_t iovlen)
{
    struct table *table = &inside->table;
    struct slot *slot = slot_of(inside, *link);
    size_t gone = (uint32_t)atomic_load(&slot->state);
    bool behind = *link != 0;
    bool same = behind && is_the_same(slot, held) && gone <= held->length;
    struct message message;
    size_t size;
    int pending_error = 0;
    uint32_t at;

    message_init(&message, held, cookie, same ? gone : behind ? 0 : held->offset);
    size = held->kind == HELD_KERNEL ? 0 : held->length - message.stored;
    message.pages = size ? (uint32_t)(round_up(size) / PAGE) : 1;
    at = take_room_locked(inside, held->kind, message.pages);
    if (!at)
        return -ENOMEM;
    if (same) {
        pending_error = slot->error;
        message.sequence = slot->sequence;
        link = messages_find(inside, cookie); /* a sweep may have made the links anew */
        if (*link)
            messages_remove(inside, link);
    } else {
        message.sequence = atomic_fetch_add(&inside->sequence, 1) + 1;
    }

    slot = slot_of(inside, at);
    table_write(slot->error, held->error);
    slot->missed = held->missed;
    write_message(inside, at, &message, iov, iovlen, size);
    /* Before the links: if `used` is 0, nobody looks into the buckets. */
    atomic_fetch_add(&table->used, 1);
    if (held->kind != HELD_KERNEL)
        atomic_fetch_add(&table->here, 1);
    table_write(slot->kind, held->kind); /* whole from here on */
    links_insert(inside, at);
    links_update_full(inside);
    if (atomic_load(&table->full) && atomic_load(&inside->vacant) > 0)
        links_clear_all_vacant(inside);
    if (!same)
        atomic_fetch_add_explicit(&table->counters.held, 1, memory_order_relaxed);
    else if (pending_error)
        hold_error_locked(table, cookie, pending_error);
    return behind;
}

int table_hold_locked(struct table *table, uint64_t cookie, const struct held *held,
                      const struct iovec *iov, size_t iovlen)
{
    struct inside *inside = inside_of(table);

    return hold_at(inside, messages_find(inside, cookie), cookie, held, iov, iovlen);
}

/* A function of its own, for it takes much stack, and seldom. */
static __attribute__((noinline)) void hold_error_locked(struct table *table, uint64_t cookie,
                                                        int error)
{
    const struct held due = {.kind = HELD_KERNEL, .error = error};

    table_hold_locked(table, cookie, &due, NULL, 0);
}

int table_hold(struct table *table, uint64_t cookie, const struct held *held,
               const struct iovec *iov, size_t iovlen)
{
    struct critical_section section;
    int result;

    table_enter(table, &section);
    result = table_hold_locked(table, cookie, held, iov, iovlen);
    table_leave(table, &section);
    return result;
}

/* The claim was revoked, so the message has not been held. */
static __attribute__((noinline)) void give_back(struct table *table, uint64_t cookie, uint32_t at,
                                                uint64_t claimed)
{
    struct critical_section section;

    table_enter(table, &section);
    messages_find(inside_of(table), cookie); /* if it has not been revoked yet */
    if (vacant_return(slot_of(inside_of(table), at), claimed))
        links_free(inside_of(table), at, 1);
    table_leave(table, &section);
}

void table_revoke(struct table *table, uint64_t cookie)
{
    struct critical_section section;

    table_enter(table, &section);
    messages_find(inside_of(table), cookie);
    table_leave(table, &section);
}

bool table_hold_lockless(struct table *table, uint64_t cookie, const struct held *held,
                         const struct iovec *iov, size_t iovlen, bool (*may)(uint64_t cookie))
{
    struct inside *inside = inside_of(table);
    size_t size = held->length - held->offset;
    struct message message;
    unsigned begun;
    uint64_t claimed;
    uint32_t at;
    bool published;

    if (held->kind != HELD_HERE || size > PAGE || !(at = vacant_claim(inside, cookie, &claimed)))
        return false;
    if (may && !may(cookie)) {
        give_back(table, cookie, at, claimed);
        return false;
    }
    message_init(&message, held, cookie, held->offset);
    message.pages = 1;
    message.sequence = atomic_fetch_add(&inside->sequence, 1) + 1;
    fill(inside, at, &message, iov, iovlen, size);
    begun = counts_begin(table);
    counts_add(table, 1); /* first, for if `used` is 0, nobody looks for it */
    published = vacant_publish(inside, at, claimed, held->offset);
    if (!LIKELY(published))
        counts_add(table, -1);
    counts_end(table, begun);
    if (LIKELY(published))
        atomic_fetch_add_explicit(&table->counters.held, 1, memory_order_relaxed);
    else
        give_back(table, cookie, at, claimed);
    return published;
}
