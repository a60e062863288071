/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "table/sweep.h"

#include "base/clock.h"
#include "base/sys.h"
#include "state.h"
#include "table/links.h"
#include "table/page_alloc.h"

#include <errno.h>

/* How long after a sweep that did not help the next one may come (ns). */
enum { PAUSE = 100000000 };

/* In the field `orphan`: that it is one, and a mark of the sweep. */
enum { ORPHAN = 1, CANDIDATE = 2 };

/* Whether the process that held a message has ended. One that has not been waited for counts as
 * alive. A few answers are kept, since one process holds many messages. */
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

/* Marks the messages that their holders can no longer receive. For those of this process that is
 * known only if the table is not shared. `records`: also those of which the table has only a record.
 */
static unsigned mark(struct inside *inside, bool records)
{
    struct answers answers = {0};
    bool shared = atomic_load(&inside->table.shared);
    pid_t own = sys_getpid();
    unsigned marked = 0;

    for (uint32_t at = 1; at < top_of(inside); at++) {
        struct slot *slot = slot_of(inside, at);
        bool dead;

        /* One that is held in the kernel takes no page, and its record is needed: it says how much
         * was received. */
        table_write(slot->orphan, slot->orphan & ORPHAN);
        if (!slot_holds(slot) || (slot->kind == HELD_KERNEL && !records))
            continue;
        dead = slot->holder == own || slot->holder == 0 ? !shared : is_gone(&answers, slot->holder);
        table_write(slot->orphan, slot->orphan | (dead ? CANDIDATE : 0));
        marked += dead;
    }
    return marked;
}

/* This process may have inherited the socket of one that has ended. */
static void unmark(void *inside, uint32_t at)
{
    struct slot *slot = slot_of(inside, at);

    table_write(slot->orphan, slot->orphan & ORPHAN);
}

static void drop(struct inside *inside, uint32_t at)
{
    struct slot *slot = slot_of(inside, at);
    uint32_t length = slot->length, pages = slot->pages;
    uint64_t state_before =
        atomic_exchange(&slot->state, state_of(atomic_load(&slot->state) >> 32, length));

    table_write(slot->kind, HELD_NOT);
    pages_release(inside, at, pages);
    if (state_holds(state_before))
        table_count_lost(&inside->table, length - (uint32_t)state_before);
}

static bool is_marked(const struct slot *slot, uint32_t bit)
{
    return slot_holds(slot) && (slot->orphan & bit) &&
           (slot->kind != HELD_KERNEL || bit == CANDIDATE);
}

/* Of the messages that have the bit: their pages, and the first and last in order of arrival. */
struct sum {
    uint64_t pages, first, last;
};

static struct sum sum_marked(struct inside *inside, uint32_t bit)
{
    struct sum sum = {0, UINT64_MAX, 0};

    for (uint32_t at = 1; at < top_of(inside); at++) {
        const struct slot *slot = slot_of(inside, at);

        if (!is_marked(slot, bit))
            continue;
        sum.first = slot->sequence < sum.first ? slot->sequence : sum.first;
        sum.last = slot->sequence > sum.last ? slot->sequence : sum.last;
        sum.pages += slot->pages;
    }
    return sum;
}

/* Drops the messages that have the bit, those that came until then. */
static void drop_until(struct inside *inside, uint32_t bit, uint64_t until)
{
    for (uint32_t at = 1; at < top_of(inside); at++) {
        struct slot *slot = slot_of(inside, at);

        if (is_marked(slot, bit) && slot->sequence <= until)
            drop(inside, at);
    }
    links_rebuild(inside);
}

/* Drops the messages that have the bit, if they are what fills the table. Of orphans the newer half
 * is kept, since another process may still have their sockets. */
static void drop_marked(struct inside *inside, uint32_t bit)
{
    enum { LITTLE = 256 }; /* pages: for so few nobody is disturbed, unless the table is small */
    const struct extents *extents = extents_of(inside);
    uint32_t least = extents->page_count / 4 < LITTLE ? extents->page_count / 4 : LITTLE;
    struct sum sum = sum_marked(inside, bit);

    if (sum.pages < least || sum.pages < extents->pages_max / 2)
        return;
    drop_until(inside, bit, bit == CANDIDATE ? sum.last : sum.first + (sum.last - sum.first) / 2);
}

static bool may_sweep(struct inside *inside)
{
    /* If the core has not been started, these are no real sockets (unit tests). */
    return atomic_load(&state.active) && !sys_is_sandboxed() &&
           atomic_load(&inside->table.used) > 0;
}

void sweep_locked(struct inside *inside)
{
    int64_t now = clock_read(CLOCK_MONOTONIC), since = now - inside->swept;

    if ((since >= 0 && since < PAUSE) || !may_sweep(inside))
        return;
    if (mark(inside, false) > 0) {
        links_each_own(inside, unmark, inside);
        drop_marked(inside, CANDIDATE);
    }
    if (pages_are_full(inside))
        drop_marked(inside, ORPHAN);
    inside->swept = pages_are_full(inside) ? now : 0;
}

bool sweep_all_locked(struct inside *inside)
{
    unsigned before = atomic_load(&inside->table.used);

    if (!may_sweep(inside) || mark(inside, true) == 0)
        return false;
    links_each_own(inside, unmark, inside);
    drop_until(inside, CANDIDATE, UINT64_MAX);
    return atomic_load(&inside->table.used) < before;
}
