/* SPDX-License-Identifier: MIT
 *
 * Changes of the table, which all need the mutex. What needs no mutex is in lockless.c.
 */
#define _GNU_SOURCE
#include "table/table.h"

#include "base/diag.h"
#include "base/sys.h"
#include "state.h"
#include "table/links.h"
#include "table/lockless.h"
#include "table/mutex.h"
#include "table/page_alloc.h"
#include "table/separate.h"
#include "table/slot.h"
#include "table/sweep.h"

#include <errno.h>
#include <string.h>

/* --- messages ---------------------------------------------------------------------------- */

/* The link to the socket's first message, which is sound; or the link that ends the chain. */
static uint32_t *find_locked(struct inside *inside, uint64_t cookie)
{
    static uint32_t none;
    uint32_t *link = links_find(inside, cookie);
    struct message message;

    for (unsigned tries = 0; tries < 2; tries++) {
        if (link && !*link)
            return link;
        if (link) {
            slot_read(slot_of(inside, *link), &message);
            if (message.cookie == cookie && message_is_sound(inside, *link, &message) &&
                (uint32_t)atomic_load(&slot_of(inside, *link)->state) != OFFSET_GONE)
                return link;
        }
        links_rebuild(inside);
        link = links_find(inside, cookie);
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

    atomic_fetch_sub(&inside->table.used, 1);
    if (slot->kind != HELD_KERNEL)
        atomic_fetch_sub(&inside->table.here, 1);
    inside->orphans -= slot->orphan != 0;
    table_write(slot->kind, HELD_NOT);
    links_remove(inside, link);
    pages_release(inside, at, pages);
    links_update_full(inside);
    return length - (uint32_t)end;
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

        if (slot->kind != HELD_NOT && slot->orphan &&
            (!oldest || slot->sequence < slot_of(inside, oldest)->sequence))
            oldest = at;
    }
    link = find_locked(inside, slot_of(inside, oldest)->cookie);
    if (!oldest || !*link)
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
    for (uint32_t at = 1; at < top_of(inside); at++)
        if (slot_of(inside, at)->kind != HELD_NOT) {
            slot_read(slot_of(inside, at), &message);
            slot_seal(inside, at, &message);
        }
    pages_clear(inside);
    atomic_store(&table->shared, true);
    table_leave(table, &section);
}

/* --- hold -------------------------------------------------------------------------------- */

/* Without a copy on the stack, which an initializer may make. */
static void message_init(struct message *message, const struct held *held, uint64_t cookie,
                         size_t offset)
{
    memset(message, 0, sizeof *message);
    message->cookie = cookie;
    message->fingerprint = held->fingerprint;
    message->kind = held->kind;
    message->stored = (uint32_t)offset;
    message->length = (uint32_t)held->length;
    message->peer_known = held->peer_known;
    message->peer_length = held->peer_length;
    message->msg_flags = held->msg_flags;
    memcpy(message->peer, &held->peer, held->peer_length);
}

#ifdef __x86_64__
/* The compiler must not take the loops for a memcpy(), and put one there. */
RACES_ON_PURPOSE static void overwrite_short(char *to, const char *from, size_t size)
{
    typedef long long words __attribute__((vector_size(16), aligned(1), may_alias));

    for (; size >= 4 * sizeof(words); size -= 4 * sizeof(words)) {
        const words *at = (const words *)(const void *)from;
        words piece[4] = {at[0], at[1], at[2], at[3]};

        for (unsigned i = 0; i < 4; i++)
            ((words *)(void *)to)[i] = piece[i];
        to += 4 * sizeof(words);
        from += 4 * sizeof(words);
        __asm__ volatile("" : : : "memory");
    }
    for (; size >= sizeof(words); size -= sizeof(words)) {
        *(words *)(void *)to = *(const words *)(const void *)from;
        to += sizeof(words);
        from += sizeof(words);
        __asm__ volatile("" : : : "memory");
    }
    for (; size > 0; size--) {
        *to++ = *from++;
        __asm__ volatile("" : : : "memory");
    }
}
#endif

/* Writes one piece. A receive without the mutex may be copying what was there before, and throws it
 * away then. Not by memcpy(): a race detector in the program would replace it, and report. */
static bool overwrite(char *to, const char *from, size_t size)
{
#ifdef __x86_64__
    /* Up to here the one instruction is slower: it takes its time to begin. */
    enum { SHORT = 1024 };

    if (size <= SHORT)
        overwrite_short(to, from, size);
    else
        __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
#else
    memcpy(to, from, size);
#endif
    return true;
}

static bool is_equal(char *to, const char *from, size_t size)
{
    return memcmp(to, from, size) == 0;
}

/* Does it for the bytes of the message that are to be stored at `at`: `size` of them, after the
 * first `skip`. false: `act` was false for a piece, and the rest is left out. */
static bool each_piece(char *at, const struct iovec *iov, size_t iovlen, size_t skip, size_t size,
                       bool (*act)(char *to, const char *from, size_t size))
{
    for (size_t i = 0; i < iovlen && size > 0; i++) {
        size_t piece = iov[i].iov_len;

        if (skip >= piece) {
            skip -= piece;
            continue;
        }
        piece = piece - skip < size ? piece - skip : size;
        if (!act(at, (char *)iov[i].iov_base + skip, piece))
            return false;
        at += piece;
        size -= piece;
        skip = 0;
    }
    return true;
}

/* Functions of their own, so that write_message() takes little stack. */
static __attribute__((noinline)) void write_pieces(char *page, const struct iovec *iov,
                                                   size_t iovlen, size_t skip, size_t size)
{
    each_piece(page, iov, iovlen, skip, size, overwrite);
}

static __attribute__((noinline)) bool is_written(char *page, const struct iovec *iov, size_t iovlen,
                                                 size_t skip, size_t size)
{
    return each_piece(page, iov, iovlen, skip, size, is_equal);
}

/* Where other processes write, too, the sums are right only if what was summed is still the message. */
static __attribute__((noinline)) void seal_written(struct inside *inside, uint32_t at,
                                                   const struct message *message,
                                                   const struct iovec *iov, size_t iovlen,
                                                   size_t size)
{
    enum { TRIES = 4 };

    slot_seal(inside, at, message);
    for (unsigned i = 0;
         i < TRIES && !is_written(page_of(inside, at), iov, iovlen, message->stored, size); i++) {
        write_pieces(page_of(inside, at), iov, iovlen, message->stored, size);
        slot_seal(inside, at, message);
    }
}

/* Writes the message, in its new generation, and all but its kind. */
static __attribute__((noinline)) void write_message(struct inside *inside, uint32_t at,
                                                    const struct message *message,
                                                    const struct iovec *iov, size_t iovlen,
                                                    size_t size)
{
    struct slot *slot = slot_of(inside, at);
    /* Whoever reads a byte of the new message finds that the old one is gone. */
    uint64_t old = atomic_fetch_add(&slot->state, state_of(1, 0));

    write_pieces(page_of(inside, at), iov, iovlen, message->stored, size);
    slot_write(slot, message);
    slot->orphan = false;
    slot->holder = is_suspect(inside) ? sys_getpid() : 0;
    atomic_store(&slot->state, state_of((old >> 32) + 1, message->stored));
    if (is_suspect(inside))
        seal_written(inside, at, message, iov, iovlen, size);
}

/* Whether the message is the one that the socket's first record says is in the kernel. */
static bool is_the_same(const struct slot *first, const struct held *held)
{
    return first->kind == HELD_KERNEL && held->kind == HELD_HERE && held->fingerprint != 0 &&
           first->length == held->length && first->fingerprint == held->fingerprint;
}

static void hold_error_locked(struct table *table, uint64_t cookie, int error);

/* Before a message is lost, all goes that the dead have left. */
static uint32_t take_room_locked(struct inside *inside, enum held_kind kind, uint32_t pages)
{
    uint32_t at;

    do
        at = kind == HELD_KERNEL ? pages_take_slot(inside) : pages_take(inside, pages);
    while (!at && sweep_all_locked(inside));
    return at;
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
        message.sequence = ++inside->sequence;
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
    table_leave(table, &section);
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
            result = lockless_take(inside_of(table), found, &take, ret_held, ret_part);
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
    const struct slot *slot = slot_of(inside, *find_locked(inside, cookie));
    struct message message;

    slot_read(slot, &message);
    if (slot == slot_of(inside, 0))
        return false;
    slot_to_held(slot, &message, atomic_load(&slot->state), ret_held);
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
            slot_of(inside, at)->orphan = true;
        }
        while (inside->orphans > ORPHANS_MAX && evict_orphan_locked(inside))
            continue;
    }
    table_leave(table, &section);
}
