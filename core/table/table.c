/* SPDX-License-Identifier: MIT
 *
 * Changes of the table, which all need the mutex. What needs no mutex is in lockless.c.
 */
#define _GNU_SOURCE
#include "table/table.h"

#include "base/diag.h"
#include "base/sys.h"
#include "state.h"
#include "table/fill.h"
#include "table/links.h"
#include "table/lockless.h"
#include "table/mutex.h"
#include "table/page_alloc.h"
#include "table/separate.h"
#include "table/slot.h"
#include "table/sweep.h"
#include "table/vacant.h"

#include <errno.h>
#include <string.h>

/* --- messages ---------------------------------------------------------------------------- */

/* The link to the socket's first message, which is sound; or the link that ends the chain. */
static uint32_t *find_locked(struct inside *inside, uint64_t cookie)
{
    static uint32_t none;
    uint32_t *link = links_find_held(inside, cookie);
    struct message message;

    for (unsigned tries = 0; tries < 2; tries++) {
        if (link && !*link)
            return link;
        if (link) {
            slot_read(slot_of(inside, *link), &message);
            if (message.cookie == cookie && message_is_sound(inside, *link, &message) &&
                state_holds(atomic_load(&slot_of(inside, *link)->state)))
                return link;
        }
        links_rebuild(inside);
        link = links_find_held(inside, cookie);
    }
    return &none;
}

/* Returns how many bytes of the message had not been taken. */
static size_t remove_locked(struct inside *inside, uint32_t *link)
{
    uint32_t at = *link;
    struct slot *slot = slot_of(inside, at);
    uint32_t length = slot->length, pages = slot->pages;
    uint64_t generation = atomic_load(&slot->state) >> 32;
    /* A take in flight without the mutex either has its part already, or gets nothing. */
    uint64_t end = atomic_exchange(&slot->state, state_of(generation, length));

    if (state_holds(end)) {
        atomic_fetch_sub(&inside->table.used, 1);
        if (slot->kind != HELD_KERNEL)
            atomic_fetch_sub(&inside->table.here, 1);
    } else {
        atomic_fetch_sub(&inside->vacant, 1);
    }
    inside->orphans -= slot->orphan != 0;
    table_write(slot->kind, HELD_NOT);
    links_remove(inside, link);
    links_free(inside, at, pages);
    return state_holds(end) ? length - (uint32_t)end : 0;
}

static void lose_locked(struct inside *inside, uint32_t *link)
{
    table_count_lost(&inside->table, remove_locked(inside, link));
}

/* Drops a message whose bytes were changed. */
static void drop_locked(struct inside *inside, uint32_t at)
{
    table_count_lost(&inside->table, 0);
    atomic_fetch_add(&view_of(inside)->broken, 1);
    table_write(slot_of(inside, at)->kind, HELD_NOT);
    links_rebuild(inside);
}

/* Drops the oldest orphan. */
static bool evict_orphan_locked(struct inside *inside)
{
    uint32_t oldest = 0, *link;

    if (inside->orphans == 0)
        return false;
    for (uint32_t at = 1; at < top_of(inside); at++) {
        struct slot *slot = slot_of(inside, at);

        if (slot_holds(slot) && slot->orphan &&
            (!oldest || slot->sequence < slot_of(inside, oldest)->sequence))
            oldest = at;
    }
    link = find_locked(inside, slot_of(inside, oldest)->cookie);
    if (!oldest || !*link || !slot_of(inside, *link)->orphan)
        return false;
    lose_locked(inside, link);
    return true;
}

/* --- the mutex --------------------------------------------------------------------------- */

/* Each kind of trouble is reported once. */
static void report(struct inside *inside)
{
    static atomic_int damaged, parted;
    size_t broken = atomic_exchange(&view_of(inside)->broken, 0);

    if (broken)
        diag_once(damaged,
                  "the fragment table has been damaged by a process that shares it; %zu messages "
                  "are lost",
                  broken);
    if (atomic_exchange(&view_of(inside)->parted, false))
        diag_once(parted, "a process that shares the fragment table is stopped while it changes "
                          "it; this one has its own from now on");
}

/* The mutex is held for microseconds, unless its owner is stopped. Then this process leaves the
 * shared table and goes on with its own. */
static void lock(struct inside *inside)
{
    enum { PATIENCE_MS = 15, ROUNDS = 70 };

    for (unsigned rounds = 0; !mutex_lock(inside, PATIENCE_MS); rounds++)
        if (is_suspect(inside) && (rounds >= ROUNDS || mutex_owner_is_stopped(inside)) &&
            separate(inside, false))
            atomic_store(&view_of(inside)->parted, true);
}

void table_enter(struct table *table, struct critical_section *section)
{
    struct inside *inside = inside_of(table);

    critical_section_enter(section);
    lock(inside);
    if (change_begin(inside))
        links_rebuild(inside);
    if (atomic_load_explicit(&table->full, memory_order_relaxed))
        sweep_locked(inside);
}

void table_leave(struct table *table, struct critical_section *section)
{
    struct inside *inside = inside_of(table);
    bool news = atomic_load_explicit(&view_of(inside)->broken, memory_order_relaxed) != 0 ||
                atomic_load_explicit(&view_of(inside)->parted, memory_order_relaxed);

    change_end(inside);
    mutex_unlock(inside);
    critical_section_leave(section);
    if (news)
        report(inside);
}

void table_prepare(struct table *table)
{
    struct inside *inside = inside_of(table);
    struct critical_section section;

    if (LIKELY(!view_of(inside)->is_file) || inside->populated >= TABLE_FIRST)
        return;
    table_enter(table, &section);
    if (!pages_are_prepared(inside))
        atomic_store_explicit(&table->full, true, memory_order_relaxed);
    table_leave(table, &section);
}

void table_leave_shared(struct table *table)
{
    enum { PATIENCE_MS = 20 };
    struct inside *inside = inside_of(table);
    struct critical_section section;

    if (!is_suspect(inside))
        return;
    critical_section_enter(&section);
    separate(inside, mutex_lock(inside, PATIENCE_MS));
    critical_section_leave(&section);
    table_tidy(table);
}

void table_tidy(struct table *table)
{
    struct critical_section section;

    table_enter(table, &section);
    links_rebuild(inside_of(table));
    table_leave(table, &section);
}

void table_share(struct table *table)
{
    struct inside *inside = inside_of(table);
    struct critical_section section;
    struct message message;

    if (is_suspect(inside))
        return;
    table_enter(table, &section);
    atomic_store(&view_of(inside)->suspect, true);
    links_clear_all_vacant(inside);
    for (uint32_t at = 1; at < top_of(inside); at++)
        if (slot_holds(slot_of(inside, at))) {
            slot_read(slot_of(inside, at), &message);
            slot_seal(inside, at, &message);
        }
    pages_clear(inside);
    atomic_store(&table->shared, true);
    table_leave(table, &section);
}

/* --- counts, without the mutex ------------------------------------------------------------ */

/* This thread changes a message's state and then the counts, or a handler's jump has left it in
 * between. */
static __thread bool is_counting;

static __attribute__((noinline)) void recount(struct table *table)
{
    struct critical_section section;

    is_counting = false;
    if (sys_is_sandboxed())
        return;
    table_enter(table, &section);
    links_rebuild(inside_of(table));
    table_leave(table, &section);
}

/* Before a state is changed. Returns what count_end() needs. */
static inline unsigned count_begin(struct table *table)
{
    if (!LIKELY(!is_counting))
        recount(table);
    is_counting = true;
    return atomic_load(&inside_of(table)->recounts);
}

static inline void count(struct table *table, int change)
{
    atomic_fetch_add(&table->used, (unsigned)change);
    atomic_fetch_add(&table->here, (unsigned)change);
}

/* If the counts were made anew meanwhile, they may be wrong by what this thread has changed. */
static inline void count_end(struct table *table, unsigned begun)
{
    is_counting = false;
    if (!LIKELY(!(begun & 1) && atomic_load(&inside_of(table)->recounts) == begun))
        recount(table);
}

/* --- hold -------------------------------------------------------------------------------- */

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
    slot->holder = is_suspect(inside) ? sys_getpid() : 0;
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
 * its own, for it has a message on its stack, and so has find_locked(). */
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
        link = find_locked(inside, cookie); /* a sweep may have made the links anew */
        if (*link)
            remove_locked(inside, link);
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

    return hold_at(inside, find_locked(inside, cookie), cookie, held, iov, iovlen);
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
    find_locked(inside_of(table), cookie); /* if it has not been revoked yet */
    if (vacant_return(slot_of(inside_of(table), at), claimed))
        links_free(inside_of(table), at, 1);
    table_leave(table, &section);
}

void table_revoke(struct table *table, uint64_t cookie)
{
    struct critical_section section;

    table_enter(table, &section);
    find_locked(inside_of(table), cookie);
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
    begun = count_begin(table);
    count(table, 1); /* first, for if `used` is 0, nobody looks for it */
    published = vacant_publish(inside, at, claimed, held->offset);
    if (!LIKELY(published))
        count(table, -1);
    count_end(table, begun);
    if (LIKELY(published))
        atomic_fetch_add_explicit(&table->counters.held, 1, memory_order_relaxed);
    else
        give_back(table, cookie, at, claimed);
    return published;
}

/* --- take -------------------------------------------------------------------------------- */

void table_count_part(struct table *table, const struct part *part, size_t remaining)
{
    size_t dropped = remaining - part->given - part->left;

    atomic_fetch_add_explicit(&table->counters.parts, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&table->counters.bytes_saved, part->given, memory_order_relaxed);
    if (dropped)
        table_count_lost(table, dropped);
}

enum held_kind table_find(struct table *table, uint64_t cookie, struct table_found *ret_found)
{
    struct critical_section section;
    struct held held;

    enum { TRIES_IN_SANDBOX = 1000 }; /* somebody who began before the filter is in a change */

    if (!LIKELY(!is_counting))
        recount(table);
    for (unsigned tries = 0; !table_idle(table) && tries < TRIES_IN_SANDBOX; tries++)
        if (lockless_find(inside_of(table), cookie, ret_found))
            return ret_found->kind;
        else if (!sys_is_sandboxed())
            break;
    *ret_found = (struct table_found){.cookie = cookie};
    if (table_idle(table) || sys_is_sandboxed())
        return HELD_NOT;
    table_enter(table, &section);
    if (table_get_locked(table, cookie, &held)) {
        ret_found->kind = held.kind;
        ret_found->left = held.length - held.offset;
    }
    table_leave(table, &section);
    return ret_found->kind;
}

enum held_kind table_look(struct table *table, uint64_t cookie, size_t *ret_left)
{
    struct table_found found;
    enum held_kind kind = table_find(table, cookie, &found);

    if (kind != HELD_NOT && ret_left)
        *ret_left = found.left;
    return kind;
}

static int take_with_mutex(struct table *table, uint64_t cookie, const struct take *take,
                           struct held *ret_held, struct part *ret_part)
{
    struct inside *inside = inside_of(table);
    struct critical_section section;
    uint32_t *link;
    int result = 0;

    table_enter(table, &section);
    link = find_locked(inside, cookie);
    if (*link)
        result = lockless_take_locked(inside, *link, take, ret_held, ret_part);
    if (result == -EBADMSG) {
        drop_locked(inside, *link);
        result = -EAGAIN;
    }
    if (result == 1 && ret_part->left == 0 && !(take->how & PART_PEEK))
        remove_locked(inside, link);
    if (atomic_load(&inside->vacant) >= VACANT_MAX)
        links_clear_all_vacant(inside);
    table_leave(table, &section);
    return result;
}

static int take_lockless(struct table *table, const struct table_found *found,
                         const struct take *take, struct held *ret_held, struct part *ret_part)
{
    unsigned begun = count_begin(table);
    int result = lockless_take(inside_of(table), found, take, ret_held, ret_part);

    if (result == 1 && ret_part->left == 0 && !(take->how & PART_PEEK) && !sys_is_sandboxed())
        count(table, -1);
    count_end(table, begun);
    return result;
}

int table_take_found(struct table *table, struct table_found *found, size_t room, unsigned how,
                     table_copy copy, void *context, struct held *ret_held, struct part *ret_part)
{
    enum { TRIES = 8 }; /* while others change the table all the time */
    const struct take take = {room, how, copy, context};
    int result;

    for (unsigned tries = 0;; tries++) {
        if (found->kind == HELD_NOT)
            return 0;
        result = -EINTR;
        if (found->at && tries < TRIES)
            result = take_lockless(table, found, &take, ret_held, ret_part);
        if (result == -EINTR && sys_is_sandboxed())
            return 0;
        if (result == -EINTR)
            result = take_with_mutex(table, found->cookie, &take, ret_held, ret_part);
        if (result != -EAGAIN)
            break;
        table_find(table, found->cookie, found);
    }
    if (result == 1 && !(how & PART_PEEK))
        table_count_part(table, ret_part, ret_held->length - ret_held->offset);
    return result;
}

bool table_get_locked(struct table *table, uint64_t cookie, struct held *ret_held)
{
    struct inside *inside = inside_of(table);
    const struct slot *slot;
    struct message message;
    uint64_t now;

    /* A take that began before the mutex was taken may end now. */
    do {
        slot = slot_of(inside, *find_locked(inside, cookie));
        if (slot == slot_of(inside, 0))
            return false;
        now = atomic_load(&slot->state);
    } while (!state_holds(now));
    slot_read(slot, &message);
    slot_to_held(slot, &message, now, ret_held);
    ret_held->missed = slot->missed;
    return true;
}

void table_announce_locked(struct table *table, bool peeking)
{
    atomic_store(&table->peeking, peeking);
}

void table_advance_locked(struct table *table, uint64_t cookie, const struct held *held)
{
    struct inside *inside = inside_of(table);
    struct slot *slot = slot_of(inside, *find_locked(inside, cookie));

    table_write(slot->error, held->error);
    slot->missed = held->missed;
    atomic_store(&slot->state, state_of(atomic_load(&slot->state) >> 32, held->offset));
}

void table_finish_locked(struct table *table, uint64_t cookie)
{
    uint32_t *link = find_locked(inside_of(table), cookie);

    if (*link)
        remove_locked(inside_of(table), link);
}

/* --- the end of a socket ----------------------------------------------------------------- */

void table_abandon(struct table *table, uint64_t cookie, bool last)
{
    struct inside *inside = inside_of(table);
    struct critical_section section;
    uint32_t count = extents_of(inside)->slot_count, *link;

    table_enter(table, &section);
    if (last) {
        for (uint32_t i = 0; i < count && *(link = find_locked(inside, cookie)); i++)
            lose_locked(inside, link);
    } else {
        uint32_t at = *find_locked(inside, cookie);

        for (uint32_t i = 0; i < count && at; i++, at = slot_of(inside, at)->next) {
            if (!slot_of(inside, at)->orphan)
                inside->orphans++;
            table_write(slot_of(inside, at)->orphan, true);
        }
        while (inside->orphans > ORPHANS_MAX && evict_orphan_locked(inside))
            continue;
    }
    table_leave(table, &section);
}
