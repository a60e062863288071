/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "table/sweep.h"

#include "base/clock.h"
#include "base/sys.h"
#include "state.h"
#include "table/links.h"
#include "table/page_alloc.h"

#include <errno.h>

/* Where the last sweep has not helped, the next one waits so long (ns). */
enum { PAUSE = 100000000 };

/* A bit beside the mark of an orphan. */
enum { ORPHAN = 1, CANDIDATE = 2 };

/* Whether the process that held a message has ended. One that nobody has waited for counts as
 * alive. A few answers are kept, for one process holds many messages. */
struct answers {
    pid_t pid[8];
    bool gone[8];
};

static bool is_gone(struct answers *answers, pid_t pid)
{
    unsigned i = (unsigned)pid % 8;

    if (pid <= 0)
        return false;
    if (answers->pid[i] != pid) {
        answers->pid[i] = pid;
        answers->gone[i] = sys_signal_thread(pid, 0) == -ESRCH;
    }
    return answers->gone[i];
}

/* Marks what its holder cannot ask for any more. Of our own messages we know that only as long as
 * nobody shares the table. */
static unsigned mark(struct inside *inside)
{
    struct answers answers = {0};
    bool shared = atomic_load(&inside->table.shared);
    pid_t own = sys_getpid();
    unsigned marked = 0;

    for (uint32_t at = 1; at < top_of(inside); at++) {
        struct slot *slot = slot_of(inside, at);
        bool dead;

        /* Of one that the kernel holds there is nothing to give back, and its record says how far
         * it has been received. */
        if (slot->kind == HELD_NOT || slot->kind == HELD_KERNEL)
            continue;
        dead = slot->holder == own || slot->holder == 0 ? !shared : is_gone(&answers, slot->holder);
        slot->orphan = (slot->orphan & ORPHAN) | (dead ? CANDIDATE : 0);
        marked += dead;
    }
    return marked;
}

/* This process may have the socket of a dead one. */
static void unmark(void *inside, uint32_t at)
{
    slot_of(inside, at)->orphan &= ORPHAN;
}

static void drop(struct inside *inside, uint32_t at)
{
    struct slot *slot = slot_of(inside, at);
    uint32_t length = slot->length, pages = slot->pages;
    uint64_t state_before =
        atomic_exchange(&slot->state, state_of(atomic_load(&slot->state) >> 32, length));

    table_write(slot->kind, HELD_NOT);
    pages_release(inside, at, pages);
    table_count_lost(&inside->table, length - (uint32_t)state_before);
}

/* Of those that have the bit: how much they hold, and when they arrived. */
struct sum {
    uint64_t pages, first, last;
};

static struct sum sum_marked(struct inside *inside, uint32_t bit)
{
    struct sum sum = {0, UINT64_MAX, 0};

    for (uint32_t at = 1; at < top_of(inside); at++) {
        const struct slot *slot = slot_of(inside, at);

        if (slot->kind == HELD_NOT || slot->kind == HELD_KERNEL || !(slot->orphan & bit))
            continue;
        sum.first = slot->sequence < sum.first ? slot->sequence : sum.first;
        sum.last = slot->sequence > sum.last ? slot->sequence : sum.last;
        sum.pages += slot->pages;
    }
    return sum;
}

/* Drops those that have the bit, where it is them that fill the table. Of what one process has
 * closed another may still ask for the newer half. */
static void drop_marked(struct inside *inside, uint32_t bit)
{
    enum { LITTLE = 256 };
    struct sum sum = sum_marked(inside, bit);
    uint64_t until = bit == CANDIDATE ? sum.last : sum.first + (sum.last - sum.first) / 2;

    if (sum.pages < LITTLE || sum.pages < extents_of(inside)->pages_max / 2)
        return;
    for (uint32_t at = 1; at < top_of(inside); at++) {
        struct slot *slot = slot_of(inside, at);

        if (slot->kind != HELD_NOT && slot->kind != HELD_KERNEL && (slot->orphan & bit) &&
            slot->sequence <= until)
            drop(inside, at);
    }
    links_rebuild(inside);
}

void sweep_locked(struct inside *inside)
{
    int64_t now = clock_read(CLOCK_MONOTONIC), since = now - inside->swept;

    /* Where the core has not been started these are not real sockets. */
    if ((since >= 0 && since < PAUSE) || !atomic_load(&state.active) || state_is_sandboxed() ||
        atomic_load(&inside->table.used) == 0)
        return;
    if (mark(inside) > 0) {
        links_each_own(inside, unmark, inside);
        drop_marked(inside, CANDIDATE);
    }
    if (pages_are_full(inside))
        drop_marked(inside, ORPHAN);
    inside->swept = pages_are_full(inside) ? now : 0;
}
