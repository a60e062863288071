/* SPDX-License-Identifier: MIT
 *
 * Changes of the table, with the mutex; and without it, looks and takes that leave something.
 *
 * Without the mutex nothing is believed that is not verified. `version` is a sequence lock's: odd
 * while somebody changes the table, and another one after each change. Every field that is read
 * without the mutex is written with release and read with acquire, so whoever reads a byte of a
 * change reads its `version` afterwards. What was read under one even version is what the table was
 * then, and only then is it acted on: before that, no offset or length leads anywhere.
 * From there on the message's own `state` tells of its end: generation and offset never come back,
 * it is set to the message's end before the message's pages are given away, and to a new generation
 * before its slot's pages are written to again. So a compare-and-swap that finds it as it was says
 * that the bytes copied meanwhile were the message's own; one that fails says to throw them away,
 * which the caller's buffer bears. Pages that are given back to the system read as zeros: the
 * mapping itself never shrinks.
 */
#define _GNU_SOURCE
#include "table/layout.h"

#include "base/sys.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

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
static uint32_t pages_find(const struct inside *inside, uint32_t from, uint32_t to, uint32_t count)
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

        sys_madvise(page_of(inside, from), (size_t)(page + count - from) * PAGE, MADV_REMOVE);
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

/* The link that leads to the socket's first message, or ends the chain. */
static uint32_t *find_from(struct inside *inside, uint32_t *bucket, uint64_t cookie)
{
    uint32_t *link = bucket + table_hash(cookie);

    while (*link && slot_of(inside, *link)->cookie != cookie)
        link = &slot_of(inside, *link)->chain;
    return link;
}

static uint32_t *find_locked(struct inside *inside, uint64_t cookie)
{
    return find_from(inside, inside->table.bucket, cookie);
}

/* Into its socket's list by the order of arrival. */
static void insert(struct inside *inside, uint32_t *bucket, uint32_t at)
{
    struct slot *slot = slot_of(inside, at), *first;
    uint32_t *link = find_from(inside, bucket, slot->cookie);

    slot->last = at;
    slot->next = *link;
    table_write(slot->chain, 0);
    if (*link) {
        first = slot_of(inside, *link);
        if (first->sequence > slot->sequence) {
            slot->last = first->last;
            table_write(slot->chain, first->chain);
            table_write(first->chain, 0);
        } else {
            link = &first->next;
            if (slot_of(inside, first->last)->sequence < slot->sequence) {
                link = &slot_of(inside, first->last)->next;
                first->last = at;
            }
            while (*link && slot_of(inside, *link)->sequence < slot->sequence)
                link = &slot_of(inside, *link)->next;
            slot->next = *link;
        }
    }
    table_write(*link, at);
}

/* Unlinks the socket's first message; its next one takes the place. */
static void unlink_locked(struct inside *inside, uint32_t *link)
{
    struct slot *slot = slot_of(inside, *link);

    if (slot->next) {
        slot_of(inside, slot->next)->last = slot->last;
        table_write(slot_of(inside, slot->next)->chain, slot->chain);
        table_write(*link, slot->next);
    } else {
        table_write(*link, slot->chain);
    }
}

/* Returns how many bytes of it nobody has taken. */
static size_t remove_locked(struct inside *inside, uint32_t *link)
{
    uint32_t at = *link;
    struct slot *slot = slot_of(inside, at);
    uint64_t generation = atomic_load(&slot->state) >> 32;
    /* A take that is under way without the mutex gets its part now, or nothing. */
    uint64_t state = atomic_exchange(&slot->state, state_of(generation, slot->length));

    atomic_fetch_sub(&inside->table.used, 1);
    if (slot->kind != HELD_KERNEL)
        atomic_fetch_sub(&inside->table.here, 1);
    inside->orphans -= slot->orphan;
    table_write(slot->kind, HELD_NOT);
    unlink_locked(inside, link);
    pages_release(inside, at, slot->pages);
    update_full(inside);
    return slot->length - (uint32_t)state;
}

static void lose_locked(struct inside *inside, uint32_t *link)
{
    table_count_lost(&inside->table, remove_locked(inside, link));
}

/* The oldest message that nobody is known to ask for makes room. */
static bool evict_orphan_locked(struct inside *inside)
{
    uint32_t oldest = 0;

    if (inside->orphans == 0)
        return false;
    for (uint32_t at = 1; at < inside->top; at++) {
        struct slot *slot = slot_of(inside, at);

        if (slot->kind != HELD_NOT && slot->orphan &&
            (!oldest || slot->sequence < slot_of(inside, oldest)->sequence))
            oldest = at;
    }
    if (!oldest)
        return false;
    lose_locked(inside, find_locked(inside, slot_of(inside, oldest)->cookie));
    return true;
}

/* After a death in the midst of a change: all is made anew from the slots that are whole. The
 * buckets are made beside and then put in place, so that table_may_hold() goes on telling of every
 * message meanwhile. */
static void rebuild(struct inside *inside)
{
    uint32_t bits = inside->extents.page_count / 64 + 1;
    unsigned used = 0, here = 0;

    memset(inside->remade, 0, sizeof inside->remade);
    memset(bitmap_of(inside), 0, bits * sizeof(uint64_t));
    inside->pages_used = inside->orphans = 0;
    inside->search = 1;
    atomic_store(&inside->table.peeking, false);

    for (uint32_t at = 1; at < inside->top; at++) {
        struct slot *slot = slot_of(inside, at);

        /* One that was taken to its end is not whole either. */
        if (slot->length > 0 && (uint32_t)atomic_load(&slot->state) == slot->length)
            table_write(slot->kind, HELD_NOT);
        if (slot->kind == HELD_NOT)
            continue;
        pages_mark(inside, at, slot->pages, true);
        inside->pages_used += slot->pages;
        inside->orphans += slot->orphan;
        used++;
        here += slot->kind != HELD_KERNEL;
        insert(inside, inside->remade, at);
    }
    for (unsigned i = 0; i < TABLE_HASHES; i++)
        table_write(inside->table.bucket[i], inside->remade[i]);
    atomic_store(&inside->table.used, used);
    atomic_store(&inside->table.here, here);
    update_full(inside);
}

/* --- the mutex --------------------------------------------------------------------------- */

/* Returns whether the change before this one has not come to its end. */
static bool begin_change(struct inside *inside)
{
    uint64_t version = atomic_load_explicit(&inside->version, memory_order_relaxed);

    atomic_store_explicit(&inside->version, version | 1, memory_order_relaxed);
    return version & 1;
}

static void end_change(struct inside *inside)
{
    uint64_t version = atomic_load_explicit(&inside->version, memory_order_relaxed);

    atomic_store_explicit(&inside->version, version + 1, memory_order_release);
}

/* Whether the mutex says that this thread has it, which never asks for it then. It was a child made
 * by a raw clone(2), which has its parent's thread id in its memory, and nobody to tell of its
 * death. (glibc's mutex and the kernel's FUTEX_TID_MASK.) */
static bool is_in_our_name(const pthread_mutex_t *mutex)
{
    enum { TID = 0x3fffffff };

    return (__atomic_load_n(&mutex->__data.__lock, __ATOMIC_RELAXED) & TID) == sys_gettid();
}

/* Who releases the mutex wakes one of those who wait for it. Where it is killed in between, and a
 * third one, who knows of nobody that waits, takes the mutex, the wake-up is lost (the kernel wakes
 * in its stead only while the mutex is free). So nobody sleeps for long without another look; a
 * mutex that stands in our name without a change for many looks is made anew. */
static int lock(struct inside *inside)
{
    enum { NAP = 20000000, SECOND = 1000000000, NAPS = 25 }; /* nanoseconds */
    int error = pthread_mutex_trylock(&inside->mutex);
    uint64_t version = 0;
    unsigned naps = 0;

    while (error == EBUSY || error == ETIMEDOUT) {
        struct timespec limit;

        if (atomic_load(&inside->version) != version) {
            version = atomic_load(&inside->version);
            naps = 0;
        } else if (naps++ >= NAPS && is_in_our_name(&inside->mutex)) {
            table_make_mutex(&inside->mutex);
        }
        clock_gettime(CLOCK_REALTIME, &limit);
        limit.tv_nsec += NAP;
        limit.tv_sec += limit.tv_nsec / SECOND;
        limit.tv_nsec %= SECOND;
        error = pthread_mutex_timedlock(&inside->mutex, &limit); /* the one that TSan knows */
    }
    return error;
}

void table_enter(struct table *table, struct critical_section *section)
{
    struct inside *inside = inside_of(table);

    critical_section_enter(section);
    if (lock(inside) == EOWNERDEAD)
        pthread_mutex_consistent(&inside->mutex);
    if (begin_change(inside))
        rebuild(inside);
}

void table_leave(struct table *table, struct critical_section *section)
{
    struct inside *inside = inside_of(table);

    end_change(inside);
    pthread_mutex_unlock(&inside->mutex);
    critical_section_leave(section);
}

void table_rebuild_locked(struct inside *inside)
{
    begin_change(inside);
    rebuild(inside);
    end_change(inside);
}

/* --- without the mutex ------------------------------------------------------------------- */

/* Whether all that was read since `version` was read held together. */
static bool unchanged(const struct inside *inside, uint64_t version)
{
    return !(version & 1) &&
           atomic_load_explicit(&inside->version, memory_order_relaxed) == version;
}

/* As find_locked(), by index; 0: nothing is held. false: somebody changes the table, or died in
 * it, and the mutex is needed. */
static bool find(struct inside *inside, uint64_t cookie, uint64_t *ret_version, uint32_t *ret_at)
{
    uint64_t version = atomic_load_explicit(&inside->version, memory_order_acquire);
    uint32_t at = table_read(inside->table.bucket[table_hash(cookie)]);

    *ret_version = version;
    /* Links that are being changed may lead in a circle. */
    while (unchanged(inside, version)) {
        *ret_at = at;
        if (!at || table_read(slot_of(inside, at)->cookie) == cookie)
            return true;
        at = table_read(slot_of(inside, at)->chain);
    }
    return false;
}

/* What the slot tells of its message; without the mutex it is to be verified. */
static void read_held(const struct slot *slot, uint64_t state, struct held *ret_held)
{
    uint32_t peer_length = table_read(slot->peer_length);

    ret_held->kind = table_read(slot->kind);
    ret_held->length = table_read(slot->length);
    ret_held->offset = (uint32_t)state;
    ret_held->msg_flags = table_read(slot->msg_flags);
    ret_held->error = table_read(slot->error);
    ret_held->peer_known = table_read(slot->peer_known);
    ret_held->peer_length = peer_length;
    for (size_t i = 0; i < sizeof slot->peer && i < peer_length; i += sizeof *slot->peer) {
        uint64_t word = table_read(slot->peer[i / sizeof word]);

        memcpy((char *)&ret_held->peer + i, &word, sizeof word);
    }
}

static void write_held(struct slot *slot, const struct held *held)
{
    table_write(slot->length, (uint32_t)held->length);
    table_write(slot->msg_flags, held->msg_flags);
    table_write(slot->error, held->error);
    slot->fingerprint = held->fingerprint;
    slot->missed = held->missed;
    table_write(slot->peer_known, held->peer_known);
    table_write(slot->peer_length, held->peer_length);
    for (size_t i = 0; i < sizeof slot->peer && i < held->peer_length; i += sizeof *slot->peer) {
        uint64_t word;

        memcpy(&word, (const char *)&held->peer + i, sizeof word);
        table_write(slot->peer[i / sizeof word], word);
    }
}

/* --- hold -------------------------------------------------------------------------------- */

/* Somebody without the mutex may be copying what was there before, to throw it away then. Not by
 * memcpy(): in a program that is built with a race detector it would be the detector's, and tell.
 */
static void overwrite(char *to, const char *from, size_t size)
{
#ifdef __x86_64__
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
#else
    memcpy(to, from, size);
#endif
}

static void gather(char *to, const struct iovec *iov, size_t iovlen, size_t skip, size_t size)
{
    for (size_t i = 0; i < iovlen && size > 0; i++) {
        size_t piece = iov[i].iov_len;

        if (skip >= piece) {
            skip -= piece;
            continue;
        }
        piece = piece - skip < size ? piece - skip : size;
        overwrite(to, (char *)iov[i].iov_base + skip, piece);
        to += piece;
        size -= piece;
        skip = 0;
    }
}

/* Whether the message is the one of which the socket's first record says that the kernel has it. */
static bool is_the_same(const struct slot *first, const struct held *held)
{
    return first->kind == HELD_KERNEL && held->kind == HELD_HERE && held->fingerprint != 0 &&
           first->length == held->length && first->fingerprint == held->fingerprint;
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
    struct held due = {.kind = HELD_KERNEL};
    uint64_t state, sequence = 0;
    uint32_t at;

    at = pages_take(inside, pages);
    if (!at)
        return -ENOMEM;
    if (same) {
        due.error = slot->error;
        sequence = slot->sequence;
        remove_locked(inside, link);
    }

    slot = slot_of(inside, at);
    /* Whoever reads a byte of the new message finds that the old one is gone. */
    state = atomic_fetch_add(&slot->state, state_of(1, 0));
    gather(page_of(inside, at), iov, iovlen, offset, size);
    table_write(slot->cookie, cookie);
    slot->sequence = same ? sequence : ++inside->sequence;
    slot->pages = pages;
    table_write(slot->stored, (uint32_t)offset);
    slot->orphan = false;
    write_held(slot, held);
    atomic_store(&slot->state, state_of((state >> 32) + 1, offset));
    /* First, for who sees none used does not look into the buckets. */
    atomic_fetch_add(&table->used, 1);
    if (held->kind != HELD_KERNEL)
        atomic_fetch_add(&table->here, 1);
    table_write(slot->kind, held->kind); /* whole from here on */
    insert(inside, table->bucket, at);
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
    struct critical_section section;
    int result;

    table_enter(table, &section);
    result = table_hold_locked(table, cookie, held, iov, iovlen);
    table_leave(table, &section);
    return result;
}

/* --- take -------------------------------------------------------------------------------- */

/* A take from the message that was found at `at`. With `quick` the mutex is not held, `version` was
 * the table's when the message was found, and -EINTR says that the mutex is needed. -EAGAIN:
 * another take was faster. */
static int take_from(struct inside *inside, uint32_t at, bool quick, uint64_t version, size_t room,
                     unsigned how, table_copy copy, void *context, struct held *ret_held,
                     struct part *ret_part)
{
    struct slot *slot = slot_of(inside, at);
    uint64_t state = atomic_load(&slot->state), then = state;
    uint32_t stored = table_read(slot->stored);
    int error;

    read_held(slot, state, ret_held);
    /* Found, and still there with this state: from now on the state tells of its end. */
    if (quick && !unchanged(inside, version))
        return -EINTR;
    if (ret_held->kind == HELD_KERNEL)
        return -EREMOTE;
    if (ret_held->kind == HELD_STREAM)
        how |= PART_STREAM;
    *ret_part = part_next(ret_held->length - ret_held->offset, room, how);
    if (!(how & PART_PEEK)) {
        if (quick && ret_part->left == 0)
            return -EINTR;
        then = state_of(state >> 32, ret_held->length - ret_part->left);
    }

    error = copy(context, page_of(inside, at) + ret_held->offset - stored, ret_part->given);
    if (error)
        return error;
    return atomic_compare_exchange_strong(&slot->state, &state, then) ? 1 : -EAGAIN;
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
    struct critical_section section;
    uint64_t version;
    uint32_t at, *link;
    int result;

    do {
        if (!find(inside, cookie, &version, &at))
            result = -EINTR;
        else if (!at)
            return 0;
        else
            result =
                take_from(inside, at, true, version, room, how, copy, context, ret_held, ret_part);
        if (result != -EINTR)
            continue;

        table_enter(table, &section);
        link = find_locked(inside, cookie);
        result = 0;
        if (*link)
            result =
                take_from(inside, *link, false, 0, room, how, copy, context, ret_held, ret_part);
        if (result == 1 && ret_part->left == 0 && !(how & PART_PEEK))
            remove_locked(inside, link);
        table_leave(table, &section);
    } while (result == -EAGAIN);
    if (result == 1 && !(how & PART_PEEK))
        table_count_part(table, ret_part, ret_held->length - ret_held->offset);
    return result;
}

enum held_kind table_look(struct table *table, uint64_t cookie, size_t *ret_left)
{
    struct inside *inside = inside_of(table);
    enum held_kind kind = HELD_NOT;
    struct critical_section section;
    struct held held;
    size_t left = 0;
    uint64_t version;
    uint32_t at;
    bool sure = find(inside, cookie, &version, &at);

    if (sure && at) {
        const struct slot *slot = slot_of(inside, at);

        kind = table_read(slot->kind);
        left = table_read(slot->length) - (uint32_t)atomic_load(&slot->state);
        sure = unchanged(inside, version);
    }
    if (!sure) {
        table_enter(table, &section);
        kind = HELD_NOT;
        if (table_get_locked(table, cookie, &held)) {
            kind = held.kind;
            left = held.length - held.offset;
        }
        table_leave(table, &section);
    }
    if (kind != HELD_NOT && ret_left)
        *ret_left = left;
    return kind;
}

bool table_get_locked(struct table *table, uint64_t cookie, struct held *ret_held)
{
    struct inside *inside = inside_of(table);
    uint32_t at = *find_locked(inside, cookie);

    if (!at)
        return false;
    read_held(slot_of(inside, at), atomic_load(&slot_of(inside, at)->state), ret_held);
    ret_held->fingerprint = slot_of(inside, at)->fingerprint;
    ret_held->missed = slot_of(inside, at)->missed;
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
    remove_locked(inside_of(table), find_locked(inside_of(table), cookie));
}

/* --- the end of a socket ----------------------------------------------------------------- */

void table_abandon(struct table *table, uint64_t cookie, bool last)
{
    struct inside *inside = inside_of(table);
    struct critical_section section;
    uint32_t *link;

    table_enter(table, &section);
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
    table_leave(table, &section);
}

void table_count_lost(struct table *table, size_t bytes)
{
    atomic_fetch_add_explicit(&table->counters.messages_lost, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&table->counters.bytes_lost, bytes, memory_order_relaxed);
}
