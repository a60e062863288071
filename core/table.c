/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "table_layout.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* --- pages ------------------------------------------------------------------------------- */

static bool page_used(const struct inside *inside, uint32_t page)
{
    return bitmap_of(inside)[page / 64] >> page % 64 & 1;
}

static void pages_mark(struct inside *inside, uint32_t page, uint32_t count, bool used)
{
    for (uint32_t end = page + count; page < end; page++) {
        uint64_t bit = UINT64_C(1) << page % 64;

        if (used)
            bitmap_of(inside)[page / 64] |= bit;
        else
            bitmap_of(inside)[page / 64] &= ~bit;
    }
}

/* A run of free pages between two bounds: first fit. 0: there is none. */
static uint32_t pages_find(const struct inside *inside, uint32_t from, uint32_t to,
                           uint32_t count)
{
    uint32_t run = 0;

    for (uint32_t page = from; page < to; page++) {
        if (run == 0 && page % 64 == 0 && bitmap_of(inside)[page / 64] == UINT64_MAX) {
            page += 63;
            continue;
        }
        run = page_used(inside, page) ? 0 : run + 1;
        if (run == count)
            return page - count + 1;
    }
    return 0;
}

static uint32_t pages_take(struct inside *inside, uint32_t count)
{
    uint32_t page = pages_find(inside, inside->search, inside->extents.page_count, count);

    if (!page)
        page = pages_find(inside, 1, inside->extents.page_count, count);
    if (!page || !table_populate(inside, page + count))
        return 0;
    pages_mark(inside, page, count, true);
    inside->search = page + count;
    if (inside->top < inside->search)
        inside->top = inside->search;
    inside->pages_used += count;
    return page;
}

static void pages_release(struct inside *inside, uint32_t page, uint32_t count)
{
    enum { KEEP = 256 };

    pages_mark(inside, page, count, false);
    inside->pages_used -= count;
    if (inside->search > page)
        inside->search = page;
    /* What a burst has touched goes back to the system; a little stays for the next one. */
    if (page + count > KEEP && !inside->is_file) {
        uint32_t from = page > KEEP ? page : KEEP;

        madvise(page_of(inside, from), (size_t)(page + count - from) * PAGE,
                MADV_REMOVE);
    }
}

static void update_full(struct inside *inside)
{
    bool full = inside->pages_used >= inside->extents.pages_max ||
                !table_populate(inside, inside->top + TABLE_AHEAD);

    atomic_store_explicit(&inside->table.full, full, memory_order_relaxed);
}

/* --- messages ---------------------------------------------------------------------------- */

static uint64_t state_of(uint64_t generation, size_t offset)
{
    return generation << 32 | (uint32_t)offset;
}

static uint32_t *bucket_of(struct inside *inside, uint64_t cookie)
{
    return &inside->bucket[table_hash(cookie)];
}

/* The link that leads to the socket's first message, or ends the chain. */
static uint32_t *find_locked(struct inside *inside, uint64_t cookie)
{
    uint32_t *link = bucket_of(inside, cookie);

    while (*link && slot_of(inside, *link)->cookie != cookie)
        link = &slot_of(inside, *link)->chain;
    return link;
}

/* Into its socket's list, by the order of arrival. */
static void insert_locked(struct inside *inside, uint32_t at)
{
    struct slot *slot = slot_of(inside, at);
    uint32_t *link = find_locked(inside, slot->cookie), first = *link;

    while (*link && slot_of(inside, *link)->sequence < slot->sequence)
        link = &slot_of(inside, *link)->next;
    slot->next = *link;
    slot->chain = 0;
    if (*link && *link == first) {
        slot->chain = slot_of(inside, first)->chain;
        slot_of(inside, first)->chain = 0;
    }
    *link = at;
    atomic_fetch_add(&inside->version, 1);
}

/* Unlinks the socket's first message; its next one takes the place. */
static void unlink_locked(struct inside *inside, uint32_t *link)
{
    struct slot *slot = slot_of(inside, *link);

    if (slot->next) {
        slot_of(inside, slot->next)->chain = slot->chain;
        *link = slot->next;
    } else {
        *link = slot->chain;
    }
    atomic_fetch_add(&inside->version, 1);
}

static void remove_locked(struct inside *inside, uint32_t *link)
{
    uint32_t at = *link;
    struct slot *slot = slot_of(inside, at);
    uint64_t generation = (atomic_load(&slot->state) >> 32) + 1;

    unlink_locked(inside, link);
    atomic_fetch_sub(&inside->table.used, 1);
    atomic_fetch_sub(&inside->table.held_by_hash[table_hash(slot->cookie)], 1);
    if (slot->held.kind != HELD_KERNEL)
        atomic_fetch_sub(&inside->table.here, 1);
    if (slot->orphan)
        inside->orphans--;
    slot->held.kind = HELD_NOT;
    atomic_store(&slot->state, state_of(generation, 0));
    pages_release(inside, at, slot->pages);
    update_full(inside);
}

static void lose_locked(struct inside *inside, uint32_t *link)
{
    struct slot *slot = slot_of(inside, *link);

    table_count_lost(&inside->table, slot->held.length - (uint32_t)atomic_load(&slot->state));
    remove_locked(inside, link);
}

/* The oldest message that nobody is known to ask for makes room. */
static bool evict_orphan_locked(struct inside *inside)
{
    uint32_t oldest = 0;

    if (inside->orphans == 0)
        return false;
    for (uint32_t at = 1; at < inside->top; at++) {
        struct slot *slot = slot_of(inside, at);

        if (slot->held.kind != HELD_NOT && slot->orphan &&
            (!oldest || slot->sequence < slot_of(inside, oldest)->sequence))
            oldest = at;
    }
    if (!oldest)
        return false;
    lose_locked(inside, find_locked(inside, slot_of(inside, oldest)->cookie));
    return true;
}

/* After a death in the midst of a change: all is made anew from the slots that are whole. */
static void rebuild(struct inside *inside)
{
    uint32_t bits = inside->extents.page_count / 64 + 1;
    unsigned used = 0, here = 0;

    memset(inside->bucket, 0, sizeof inside->bucket);
    memset(bitmap_of(inside), 0, bits * sizeof(uint64_t));
    for (unsigned i = 0; i < TABLE_HASHES; i++)
        atomic_store(&inside->table.held_by_hash[i], 0);
    inside->pages_used = inside->orphans = 0;
    inside->search = 1;

    for (uint32_t at = 1; at < inside->top; at++) {
        struct slot *slot = slot_of(inside, at);

        /* One that was taken to its end is not whole either. */
        if (slot->held.length > 0 && (uint32_t)atomic_load(&slot->state) == slot->held.length)
            slot->held.kind = HELD_NOT;
        if (slot->held.kind == HELD_NOT)
            continue;
        pages_mark(inside, at, slot->pages, true);
        inside->pages_used += slot->pages;
        inside->orphans += slot->orphan;
        used++;
        atomic_fetch_add(&inside->table.held_by_hash[table_hash(slot->cookie)], 1);
        here += slot->held.kind != HELD_KERNEL;

        insert_locked(inside, at);
    }
    atomic_store(&inside->table.used, used);
    atomic_store(&inside->table.here, here);
    update_full(inside);
}

/* Signals are blocked, so that a handler finds it done or does it whole. */
static void repair(struct inside *inside)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (atomic_load(&inside->dirty)) {
        rebuild(inside);
        atomic_store(&inside->dirty, false);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* --- the mutex --------------------------------------------------------------------------- */

/* This thread is between the end of pthread_mutex_lock() and the start of pthread_mutex_unlock(). */
static __thread volatile bool inside_mutex;

/* Returns whether the mutex is to be released by the one who asks. EDEADLK: this thread has it
 * already, for we are in a signal handler on top of a take, or a take was left by siglongjmp(). It
 * is ours then, to use and to release (a take that goes on afterwards without it notices whatever
 * has changed), unless glibc itself was interrupted while it changed the mutex. */
bool table_lock(struct inside *inside)
{
    int error = pthread_mutex_lock(&inside->mutex);

    if (atomic_load_explicit(&inside->dirty, memory_order_relaxed))
        repair(inside);
    if (error == EOWNERDEAD)
        pthread_mutex_consistent(&inside->mutex);
    else if (error == EDEADLK && !inside_mutex)
        return false;
    inside_mutex = true;
    return true;
}

/* Not ours any more after a signal handler's use of it: EPERM, and nothing to do. */
void table_unlock(struct inside *inside, bool release)
{
    if (!release)
        return;
    inside_mutex = false;
    pthread_mutex_unlock(&inside->mutex);
}

void table_enter(struct table *table, struct table_guard *guard)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &guard->signals);
    guard->release = table_lock(inside_of(table));
    atomic_store_explicit(&inside_of(table)->dirty, true, memory_order_release);
}

void table_leave(struct table *table, struct table_guard *guard)
{
    atomic_store_explicit(&inside_of(table)->dirty, false, memory_order_release);
    table_unlock(inside_of(table), guard->release);
    pthread_sigmask(SIG_SETMASK, &guard->signals, NULL);
}

/* --- hold -------------------------------------------------------------------------------- */

static void gather(char *to, const struct iovec *iov, size_t iovlen, size_t skip, size_t size)
{
    for (size_t i = 0; i < iovlen && size > 0; i++) {
        size_t piece = iov[i].iov_len;

        if (skip >= piece) {
            skip -= piece;
            continue;
        }
        piece = piece - skip < size ? piece - skip : size;
        memcpy(to, (char *)iov[i].iov_base + skip, piece);
        to += piece;
        size -= piece;
        skip = 0;
    }
}

/* Whether the message is the one of which the socket's first record says that the kernel has it. */
static bool is_the_same(const struct slot *first, const struct held *held)
{
    return first->held.kind == HELD_KERNEL && held->kind == HELD_HERE && held->fingerprint != 0 &&
           first->held.length == held->length && first->held.fingerprint == held->fingerprint;
}

int table_hold_locked(struct table *table, uint64_t cookie, const struct held *held,
                      const struct iovec *iov, size_t iovlen)
{
    struct inside *inside = inside_of(table);
    uint32_t *link = find_locked(inside, cookie);
    struct slot *slot = slot_of(inside, *link);
    bool behind = *link != 0, same = behind && is_the_same(slot, held);
    size_t offset = same ? (uint32_t)atomic_load(&slot->state) : behind ? 0 : held->offset;
    size_t size = held->kind == HELD_KERNEL ? 0 : held->length - offset;
    uint32_t pages = size ? (uint32_t)(round_up(size) / PAGE) : 1;
    struct held record = *held, due = {.kind = HELD_KERNEL};
    uint64_t sequence = 0;
    uint32_t at;

    at = pages_take(inside, pages);
    if (!at)
        return -ENOMEM;
    if (same) {
        due.error = slot->held.error;
        sequence = slot->sequence;
        remove_locked(inside, link);
    }

    slot = slot_of(inside, at);
    gather(page_of(inside, at), iov, iovlen, offset, size);
    slot->cookie = cookie;
    slot->sequence = same ? sequence : ++inside->sequence;
    slot->pages = pages;
    slot->stored = (uint32_t)offset;
    slot->orphan = false;
    record.kind = HELD_NOT;
    slot->held = record;
    atomic_store(&slot->state, state_of((atomic_load(&slot->state) >> 32) + 1, offset));
    slot->held.kind = held->kind; /* after an atomic store: whole from here on */
    insert_locked(inside, at);
    atomic_fetch_add(&table->used, 1);
    atomic_fetch_add(&table->held_by_hash[table_hash(cookie)], 1);
    if (held->kind != HELD_KERNEL)
        atomic_fetch_add(&table->here, 1);
    update_full(inside);
    if (!same)
        atomic_fetch_add_explicit(&table->counters.held, 1, memory_order_relaxed);
    else if (due.error)
        table_hold_locked(table, cookie, &due, NULL, 0);
    return behind;
}

int table_hold(struct table *table, uint64_t cookie, const struct held *held,
               const struct iovec *iov, size_t iovlen)
{
    struct table_guard guard;
    int result;

    table_enter(table, &guard);
    result = table_hold_locked(table, cookie, held, iov, iovlen);
    table_leave(table, &guard);
    return result;
}

/* --- take -------------------------------------------------------------------------------- */

/* One try under the mutex. -EAGAIN: a signal handler was faster; -EINTR: it would end the message,
 * for which signals must be blocked, and `may_finish` says that they are not. */
static int take_locked(struct inside *inside, uint64_t cookie, size_t room, unsigned how,
                       table_copy copy, void *context, bool may_finish, struct held *ret_held,
                       struct part *ret_part)
{
    uint64_t version = atomic_load(&inside->version);
    uint32_t *link = find_locked(inside, cookie);
    struct slot *slot = slot_of(inside, *link);
    uint64_t state;
    size_t offset;
    int error;

    if (slot == slot_of(inside, 0))
        return atomic_load(&inside->version) == version ? 0 : -EAGAIN;
    state = atomic_load(&slot->state);
    offset = (uint32_t)state;
    *ret_held = slot->held;
    ret_held->offset = offset;
    /* Found, and still there with this state: from now on the state tells of its end. */
    if (atomic_load(&inside->version) != version)
        return -EAGAIN;
    if (ret_held->kind == HELD_KERNEL)
        return -EREMOTE;
    if (ret_held->kind == HELD_STREAM)
        how |= MESSAGE_STREAM;
    *ret_part = message_part(ret_held->length - offset, room, how);
    if (ret_part->left == 0 && !(how & MESSAGE_PEEK) && !may_finish)
        return -EINTR;

    error = copy(context,
                 page_of(inside, (uint32_t)(slot - slot_of(inside, 0))) + offset - slot->stored,
                 ret_part->given);
    if (error)
        return error;
    if (how & MESSAGE_PEEK)
        return atomic_load(&slot->state) == state ? 1 : -EAGAIN;
    if (!atomic_compare_exchange_strong(
            &slot->state, &state, state_of(state >> 32, ret_held->length - ret_part->left)))
        return -EAGAIN;
    if (ret_part->left == 0)
        remove_locked(inside, link);
    return 1;
}

void table_count_part(struct table *table, const struct part *part, size_t remaining)
{
    size_t dropped = remaining - part->given - part->left;

    atomic_fetch_add_explicit(&table->counters.parts, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&table->counters.bytes_saved, part->given, memory_order_relaxed);
    if (dropped)
        table_count_lost(table, dropped);
}

int table_take(struct table *table, uint64_t cookie, size_t room, unsigned how, table_copy copy,
               void *context, struct held *ret_held, struct part *ret_part)
{
    struct inside *inside = inside_of(table);
    struct table_guard guard;
    int result;

    do {
        bool release = table_lock(inside);

        result = take_locked(inside, cookie, room, how, copy, context, false, ret_held, ret_part);
        table_unlock(inside, release);
        if (result == -EINTR) {
            table_enter(table, &guard);
            result =
                take_locked(inside, cookie, room, how, copy, context, true, ret_held, ret_part);
            table_leave(table, &guard);
        }
    } while (result == -EAGAIN);
    if (result == 1 && !(how & MESSAGE_PEEK))
        table_count_part(table, ret_part, ret_held->length - ret_held->offset);
    return result;
}

enum held_kind table_look(struct table *table, uint64_t cookie, size_t *ret_left)
{
    struct inside *inside = inside_of(table);
    bool release = table_lock(inside);
    enum held_kind kind;
    uint64_t version;

    do {
        uint32_t at;

        version = atomic_load(&inside->version);
        at = *find_locked(inside, cookie);
        kind = at ? slot_of(inside, at)->held.kind : HELD_NOT;
        if (at && ret_left)
            *ret_left = slot_of(inside, at)->held.length -
                        (uint32_t)atomic_load(&slot_of(inside, at)->state);
    } while (atomic_load(&inside->version) != version);
    table_unlock(inside, release);
    return kind;
}

bool table_get_locked(struct table *table, uint64_t cookie, struct held *ret_held)
{
    struct inside *inside = inside_of(table);
    uint32_t at = *find_locked(inside, cookie);

    if (!at)
        return false;
    *ret_held = slot_of(inside, at)->held;
    ret_held->offset = (uint32_t)atomic_load(&slot_of(inside, at)->state);
    return true;
}

void table_announce_locked(struct table *table, uint64_t cookie, bool begin)
{
    if (begin)
        atomic_fetch_add(&table->held_by_hash[table_hash(cookie)], 1);
    else
        atomic_fetch_sub(&table->held_by_hash[table_hash(cookie)], 1);
}

void table_advance_locked(struct table *table, uint64_t cookie, const struct held *held)
{
    struct inside *inside = inside_of(table);
    struct slot *slot = slot_of(inside, *find_locked(inside, cookie));

    slot->held.error = held->error;
    slot->held.missed = held->missed;
    atomic_store(&slot->state, state_of(atomic_load(&slot->state) >> 32, held->offset));
}

void table_finish_locked(struct table *table, uint64_t cookie)
{
    remove_locked(inside_of(table), find_locked(inside_of(table), cookie));
}

/* --- the end of a socket ----------------------------------------------------------------- */

void table_abandon(struct table *table, uint64_t cookie, bool last)
{
    struct inside *inside = inside_of(table);
    struct table_guard guard;
    uint32_t *link;

    table_enter(table, &guard);
    link = find_locked(inside, cookie);
    if (last) {
        while (*link && slot_of(inside, *link)->cookie == cookie)
            lose_locked(inside, link);
    } else {
        for (uint32_t at = *link; at; at = slot_of(inside, at)->next) {
            if (!slot_of(inside, at)->orphan)
                inside->orphans++;
            slot_of(inside, at)->orphan = true;
        }
        while (inside->orphans > ORPHANS_MAX && evict_orphan_locked(inside))
            continue;
    }
    table_leave(table, &guard);
}

void table_count_lost(struct table *table, size_t bytes)
{
    atomic_fetch_add_explicit(&table->counters.messages_lost, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&table->counters.bytes_lost, bytes, memory_order_relaxed);
}
