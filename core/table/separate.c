/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "table/separate.h"

#include "base/sys.h"
#include "state.h"
#include "table/backing.h"
#include "table/links.h"
#include "table/mutex.h"
#include "table/page_alloc.h"
#include "table/slot.h"

#include <string.h>
#include <sys/mman.h>

/* The copy is not at its final address yet, so its extents are those in front of the original. */
struct move {
    struct inside *from;
    struct inside *to;
    bool locked; /* the mutex of `from` is held */
};

static struct slot *copied_slot(const struct move *move, uint32_t at)
{
    return (struct slot *)((char *)move->to +
                           ((char *)slot_of(move->from, at) - (char *)move->from));
}

/* Copies the heads, the slots, and the bytes of messages that are whole. All messages are orphans
 * at first. The version is odd, so whoever enters the copy first makes links, bitmap and counts
 * anew. */
static void copy(const struct move *move)
{
    struct inside *from = move->from;

    memcpy(move->to, from, sizeof *from);
    atomic_store(&move->to->table.shared, false);
    atomic_store(&move->to->version, (atomic_load(&from->version) + 2) | 1);
    atomic_store(&move->to->lock, 0);
    for (uint32_t at = 1; at < top_of(from); at++) {
        struct slot *slot = copied_slot(move, at);
        struct message message;

        memcpy(slot, slot_of(from, at), sizeof *slot);
        slot_read(slot, &message);
        if (message.kind == HELD_NOT || !message_is_sound(from, at, &message))
            continue;
        slot->orphan = true;
        if (message.kind != HELD_KERNEL)
            memcpy((char *)move->to + (page_of(from, at) - (char *)from), page_of(from, at),
                   message.length - message.stored);
    }
}

/* Takes a message out of the shared table, unless another process has taken all of it by now. */
static void claim(void *context, uint32_t at)
{
    const struct move *move = context;
    struct slot *slot = slot_of(move->from, at), *copied = copied_slot(move, at);
    uint64_t state_before = atomic_load(&slot->state);

    if (state_before >> 32 != atomic_load(&copied->state) >> 32 || copied->kind == HELD_NOT)
        return; /* by now it is another message, which is not in the copy */
    while ((uint32_t)state_before != OFFSET_GONE &&
           !atomic_compare_exchange_weak(&slot->state, &state_before,
                                         state_of(state_before >> 32, OFFSET_GONE)))
        continue;
    atomic_store(&copied->state, state_before);
    copied->orphan = false;
    if (move->locked)
        pages_release(move->from, at, slot->pages);
}

/* The shared table has been mapped at another address, from which its mutex is released. */
static void release(struct inside *shared, bool locked, size_t size)
{
    if (locked) {
        change_end(shared);
        mutex_unlock(shared);
    }
    sys_unmap(shared, size);
}

bool separate(struct inside *inside, bool locked)
{
    size_t size = extents_of(inside)->size;
    int error = 0;
    struct move move = {.from = inside, .locked = locked};
    struct inside *shared = NULL;

    if (!sys_is_sandboxed())
        move.to = backing_map(size, MAP_ANONYMOUS | MAP_NORESERVE, -1, &error);
    if (move.to)
        shared = sys_remap(inside, 0, size, NULL);
    if (!shared) {
        if (move.to)
            sys_unmap((char *)move.to - PAGE, PAGE + size);
        if (locked)
            mutex_unlock(inside);
        return false;
    }
    if (locked && change_begin(inside))
        links_rebuild(inside);
    copy(&move);
    links_each_own(inside, claim, &move);
    if (locked)
        links_rebuild(inside);
    atomic_store(&view_of(inside)->suspect, false);
    view_of(inside)->is_file = false;
    sys_remap(move.to, size, size, inside);
    release(shared, locked, size);
    sys_unmap((char *)move.to - PAGE, PAGE);
    return true;
}
