/* SPDX-License-Identifier: MIT */
/* The next part of a message, where all of it is known at a glance: when it is found, and taken. */
#define _GNU_SOURCE
#include "table/table.h"

#include "table_asserts.h"

static const size_t HOLD_MAX = 1 << 20;
static const uint64_t SOCKET = 77;

static struct table *table;
static struct table_next next;

static void set_up(void)
{
    table = tails_create(HOLD_MAX);
}

TestSuite(table_next, .init = set_up, .timeout = 60);

static void assert_found(size_t room, size_t size, size_t left)
{
    cr_assert(table_find_next(table, SOCKET, room, &next));
    cr_assert_eq(next.size, size, "size %zu", next.size);
    cr_assert_eq(next.left, left, "left %zu", next.left);
}

static bool is_found(size_t room)
{
    return table_find_next(table, SOCKET, room, &next);
}

Test(table_next, is_as_a_take_would_give_it)
{
    tails_hold(table, SOCKET, 1, 3000, 1000);
    assert_found(500, 500, 1500);
    cr_assert_eq(next.length, 3000);
    cr_assert(table_take_next(table, &next));
    assert_counter(parts, 1);
    assert_counter(bytes_saved, 500);
    assert_part(tails_take(table, SOCKET, 700, 0), 1, 1500, 700, 800);
    assert_found(799, 799, 1);
    assert_found(800, 800, 0);
    assert_found(10000, 800, 0);
    cr_assert(table_take_next(table, &next));
    assert_held(0, 0);
    assert_nothing_held(SOCKET);
    cr_assert(!is_found(100));
}

Test(table_next, is_taken_once)
{
    struct table_next before;

    tails_hold(table, SOCKET, 1, 3000, 1000);
    assert_found(500, 500, 1500);
    before = next;
    cr_assert(table_take_next(table, &next));
    cr_assert(!table_take_next(table, &before), "a part that is gone was taken");
    assert_found(1500, 1500, 0);
    before = next;
    cr_assert(table_take_next(table, &next));
    cr_assert(!table_take_next(table, &before), "a message that is gone was taken");
    tails_hold(table, SOCKET, 2, 3000, 1500);
    cr_assert(!table_take_next(table, &before), "another message was taken for it");
    assert_part(tails_take(table, SOCKET, 100, 0), 2, 1500, 100, 1400);
    assert_counter(parts, 3);
}

Test(table_next, is_not_one_of_another_socket)
{
    cr_assert(!is_found(100));
    tails_hold(table, tails_collide(SOCKET, 1), 1, 3000, 1000);
    cr_assert(!is_found(100));
    /* Behind it in the chain: that is for table_find(). */
    tails_hold(table, SOCKET, 2, 3000, 1000);
    cr_assert(!is_found(100));
    assert_part(tails_take(table, SOCKET, 100, 0), 2, 1000, 100, 1900);
}

/* The end of a message of several pages is for the mutex. */
Test(table_next, is_no_end_of_a_long_message)
{
    tails_hold(table, SOCKET, 1, 9000, 1000);
    assert_found(7999, 7999, 1);
    cr_assert(!is_found(8000));
}

Test(table_next, is_not_in_the_kernel)
{
    const struct held held = {.kind = HELD_KERNEL, .length = 3000, .offset = 1000};

    cr_assert_eq(table_hold(table, SOCKET, &held, NULL, 0), 0);
    cr_assert(!is_found(100));
}

/* What others can write to is checked as it is copied. */
Test(table_next, is_not_in_a_table_that_others_write_to)
{
    tails_hold(table, SOCKET, 1, 3000, 1000);
    cr_assert(is_found(100));
    table_share(table);
    cr_assert(!is_found(100));
}

Test(table_next, is_not_there_while_the_table_changes)
{
    struct critical_section section;
    bool found;

    tails_hold(table, SOCKET, 1, 3000, 1000);
    table_enter(table, &section);
    found = is_found(100);
    table_leave(table, &section);
    cr_assert(!found);
    cr_assert(is_found(100));
}
