/* SPDX-License-Identifier: MIT */
/* The fragment table's memory: its limit, its pages, and what goes back to the system. */
#define _GNU_SOURCE
#include "table/table.h"

#include "table_asserts.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* --- fixture ------------------------------------------------------------------------------ */

enum { PAGE = 4096 }; /* what the table's memory is counted in */

static const size_t HOLD_MAX = 1 << 20;
static const uint64_t SOCKET = 77, OTHER = 78;

static struct table *table;

TestSuite(table_memory, .timeout = 60);

/* --- hold_max and full -------------------------------------------------------------------- */

/* Receives that are under way when the limit is reached are held all the same: never dropped. */
Test(table_memory, full_is_a_word_to_the_wise)
{
    table = tails_create(8 * PAGE);
    cr_assert_not(atomic_load(&table->full));
    tails_hold(table, SOCKET, 1, 7 * PAGE, 0);
    cr_assert_not(atomic_load(&table->full));
    tails_hold(table, SOCKET, 2, 1, 0);
    cr_assert(atomic_load(&table->full));
    cr_assert_eq(tails_hold(table, SOCKET, 3, 100 * PAGE, 0), 1);
    cr_assert_eq(tails_hold(table, OTHER, 4, 65507, 1), 0);

    assert_part(tails_take(table, SOCKET, 100 * PAGE, 0), 1, 0, 7 * PAGE, 0);
    cr_assert(atomic_load(&table->full));
    assert_part(tails_take(table, SOCKET, 100 * PAGE, 0), 2, 0, 1, 0);
    assert_part(tails_take(table, SOCKET, 100 * PAGE, 0), 3, 0, 100 * PAGE, 0);
    cr_assert(atomic_load(&table->full));
    assert_part(tails_take(table, OTHER, 65507, 0), 4, 1, 65506, 0);
    cr_assert_not(atomic_load(&table->full));
}

Test(table_memory, hold_max_0_is_full_from_the_start)
{
    table = tails_create(0);
    cr_assert(atomic_load(&table->full));
    cr_assert_eq(tails_hold(table, SOCKET, 1, 3000, 512), 0);
    assert_part(tails_take(table, SOCKET, 3000, 0), 1, 512, 2488, 0);
    cr_assert(atomic_load(&table->full));
}

#ifdef __LP64__
Test(table_memory, the_largest_hold_max_is_address_space_only)
{
    table = tails_create((size_t)1 << 40);
    cr_assert_eq(tails_hold(table, SOCKET, 1, 3000, 512), 0);
    assert_part(tails_take(table, SOCKET, 3000, 0), 1, 512, 2488, 0);
}
#endif

/* More than the arena holds: the caller gets an error, and what is held stays as it was. */
Test(table_memory, no_room_at_all_is_reported)
{
    unsigned held = 0;
    struct critical_section section;
    int result;

    table = tails_create(PAGE);
    while ((result = tails_hold_in_kernel(table, 1000 + held, held, 10, 5)) == 0 && held < 1 << 20)
        held++;
    cr_assert_eq(result, -ENOMEM, "%u held, then %d", held, result);
    cr_assert_eq(tails_hold(table, 1000 + held, held, 10, 5), -ENOMEM);
    cr_assert_eq(tails_hold(table, 1000, held, 10, 5), -ENOMEM);
    assert_held(held, 0);
    assert_counter(held, held);

    table_enter(table, &section);
    table_finish_locked(table, 1000 + held / 2);
    table_leave(table, &section);
    cr_assert_eq(tails_hold(table, 1, 1, 2 * PAGE, 0), -ENOMEM, "two pages in the place of one");
    cr_assert_eq(tails_hold(table, 1, 1, PAGE, 0), 0);
    assert_part(tails_take(table, 1, PAGE, 0), 1, 0, PAGE, 0);
    assert_held(held - 1, 0);
    for (unsigned i = 0; i < held; i++) {
        enum held_kind expected = i == held / 2 ? HELD_NOT : HELD_KERNEL;

        cr_assert_eq(table_look(table, 1000 + i, NULL), expected, "%u", i);
    }
}

/* --- pages -------------------------------------------------------------------------------- */

/* More messages one after the other than there are pages: each page is used again. */
Test(table_memory, pages_are_used_again)
{
    static const size_t lengths[] = {2, PAGE, PAGE + 1, 5 * PAGE};

    table = tails_create(16 * PAGE);
    for (unsigned i = 0; i < 100000; i++) {
        size_t length = i % 100 ? 2 : lengths[i / 100 % 4];

        cr_assert_eq(tails_hold(table, i % 3, i, length, 0), 0, "message %u", i);
        assert_part(tails_take(table, i % 3, 5 * PAGE, 0), i, 0, length, 0);
    }
    assert_held(0, 0);
}

/* Free pages between used ones: runs of every length find their place, and none overlaps. */
Test(table_memory, long_runs_find_a_place_between_others)
{
    enum { SOCKETS = 64, LONGEST = 40 };

    table = tails_create(HOLD_MAX);
    for (unsigned i = 0; i < SOCKETS; i++)
        cr_assert_eq(tails_hold(table, i, i, (1 + i % 7) * PAGE, 0), 0);
    for (unsigned i = 0; i < SOCKETS; i += 2)
        assert_part(tails_take(table, i, 8 * PAGE, 0), i, 0, (1 + i % 7) * PAGE, 0);
    for (unsigned i = 0; i < LONGEST; i++)
        cr_assert_eq(tails_hold(table, 100 + i, 100 + i, (LONGEST - i) * PAGE - 1, 0), 0);
    for (unsigned i = 1; i < SOCKETS; i += 2)
        assert_part(tails_take(table, i, 8 * PAGE, 0), i, 0, (1 + i % 7) * PAGE, 0);
    for (unsigned i = 0; i < LONGEST; i++)
        assert_part(tails_take(table, 100 + i, LONGEST * PAGE, 0), 100 + i, 0,
                    (LONGEST - i) * PAGE - 1, 0);
    assert_held(0, 0);
    cr_assert_not(atomic_load(&table->full));
}

/* Resident pages that are shared memory (proc(5), statm's third field). */
static size_t shared_bytes(void)
{
    size_t pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");

    cr_assert_not_null(statm);
    cr_assert_eq(fscanf(statm, "%*u %*u %zu", &pages), 1);
    fclose(statm);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

Test(table_memory, what_a_burst_took_goes_back_to_the_system)
{
    const size_t message = 4 << 20, messages = 8;
    size_t before, within, after;

    table = tails_create(64 << 20);
    tails_hold(table, 1, 1, message, 0);
    tails_take(table, 1, message, 0);
    before = shared_bytes();
    for (unsigned i = 0; i < messages; i++)
        cr_assert_eq(tails_hold(table, i, i, message, 0), 0);
    within = shared_bytes();
    for (unsigned i = 0; i < messages; i++)
        assert_part(tails_take(table, i, message, 0), i, 0, message, 0);
    after = shared_bytes();
    cr_assert_geq(within, before + messages * message / 2, "%zu, then %zu", before, within);
    cr_assert_leq(after, before + 2 * message, "%zu, then %zu, then %zu", before, within, after);
}

/* --- many sockets ------------------------------------------------------------------------- */

Test(table_memory, of_20000_sockets_with_a_tail_each)
{
    enum { SOCKETS = 20000 };

    table = tails_create(16 << 20);
    for (unsigned i = 0; i < SOCKETS; i++)
        cr_assert_eq(tails_hold(table, 5000 + i, i, 40 + i % 50, 10 + i % 7), 0);
    assert_held(SOCKETS, SOCKETS);
    /* The second part in another order: 7919 has no factor in common with 20,000. */
    for (unsigned i = 0; i < SOCKETS; i++) {
        unsigned which = i * 7919u % SOCKETS;
        size_t offset = 10 + which % 7, length = 40 + which % 50;

        assert_part(tails_take(table, 5000 + which, 20, 0), which, offset, 20,
                    length - offset - 20);
    }
    assert_held(SOCKETS, SOCKETS);
    for (unsigned i = SOCKETS; i-- > 0;) {
        size_t offset = 30 + i % 7, length = 40 + i % 50;

        assert_part(tails_take(table, 5000 + i, 100, 0), i, offset, length - offset, 0);
        assert_nothing_held(5000 + i);
    }
    assert_held(0, 0);
    cr_assert_not(atomic_load(&table->full));
}
