/* SPDX-License-Identifier: MIT */
/* The fragment table, one caller at a time: hold, take and look. */
#define _GNU_SOURCE
#include "table/table.h"

#include "table_asserts.h"

#include <errno.h>
#include <string.h>

/* --- fixture ------------------------------------------------------------------------------ */

enum { PAGE = 4096 }; /* what the table's memory is counted in */

static const size_t HOLD_MAX = 1 << 20;
static const uint64_t SOCKET = 77, OTHER = 78;

static struct table *table;

static void set_up(void)
{
    table = tails_create(HOLD_MAX);
}

TestSuite(table_hold, .init = set_up, .timeout = 60);
TestSuite(table_take, .init = set_up, .timeout = 60);
TestSuite(table_look, .init = set_up, .timeout = 60);
TestSuite(table_counters, .init = set_up, .timeout = 60);

/* --- table_hold --------------------------------------------------------------------------- */

Test(table_hold, keeps_the_tail_and_only_the_tail)
{
    cr_assert(table_idle(table));
    cr_assert_eq(tails_hold(table, SOCKET, 1, 3000, 512), 0);
    assert_held(1, 1);
    assert_part(tails_take(table, SOCKET, 5000, 0), 1, 512, 2488, 0);
    assert_nothing_held(SOCKET);
    assert_held(0, 0);
}

/* The first part may end anywhere in the pieces, and in the table's pages. */
Test(table_hold, keeps_any_tail_of_any_pieces)
{
    static const size_t lengths[] = {1, 2, 3, 4095, 4096, 4097, 8192, 12289, 65507};

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        size_t length = lengths[i];
        size_t offsets[] = {0, 1, length / 3, length / 3 + 1, length / 2, length - 1};

        for (size_t j = 0; j < sizeof offsets / sizeof *offsets; j++) {
            size_t offset = offsets[j];

            if (offset >= length)
                continue;
            cr_assert_eq(tails_hold(table, SOCKET, 5, length, offset), 0);
            assert_part(tails_take(table, SOCKET, length, 0), 5, offset, length - offset, 0);
        }
    }
    assert_held(0, 0);
}

Test(table_hold, keeps_a_message_of_1_MiB)
{
    cr_assert_eq(tails_hold(table, SOCKET, 1, 1 << 20, 1), 0);
    for (size_t offset = 1; offset < 1 << 20;) {
        size_t left = (1 << 20) - offset, given = left < 70001 ? left : 70001;

        assert_part(tails_take(table, SOCKET, 70001, 0), 1, offset, given, left - given);
        offset += given;
    }
    assert_nothing_held(SOCKET);
}

Test(table_hold, keeps_what_is_known_beside_the_bytes)
{
    struct held held = {.kind = HELD_HERE,
                        .length = 10,
                        .offset = 4,
                        .msg_flags = MSG_EOR | MSG_CTRUNC,
                        .peer_known = true,
                        .peer_length = sizeof held.peer};
    char bytes[] = "0123456789";
    struct iovec whole = {bytes, 10};
    struct tail_take first, last;

    memset(&held.peer, 0x5a, sizeof held.peer);
    cr_assert_eq(table_hold(table, SOCKET, &held, &whole, 1), 0);
    held.peer_known = false;
    held.peer_length = 0;
    cr_assert_eq(table_hold(table, OTHER, &held, &whole, 1), 0);

    first = tails_take(table, SOCKET, 3, 0);
    last = tails_take(table, SOCKET, 3, 0);
    cr_assert_eq(first.result, 1);
    cr_assert_eq(last.result, 1);
    cr_expect_eq(first.held.msg_flags, MSG_EOR | MSG_CTRUNC);
    cr_expect_eq(last.held.msg_flags, MSG_EOR | MSG_CTRUNC);
    cr_expect_eq(first.held.peer_length, sizeof held.peer);
    cr_expect_eq(last.held.peer_length, sizeof held.peer);
    cr_expect(last.held.peer_known);
    cr_expect_eq(memcmp(&last.held.peer, &held.peer, sizeof held.peer), 0);
    cr_expect_eq(first.held.length, 10);
    cr_expect_eq(first.held.offset, 4);
    cr_expect_eq(last.held.offset, 7);

    last = tails_take(table, OTHER, 6, 0);
    cr_assert_eq(last.result, 1);
    cr_expect_not(last.held.peer_known);
    cr_expect_eq(last.held.peer_length, 0);
}

/* The part that was handed out by mistake is not missing: the message is whole. */
Test(table_hold, behind_another_one_it_is_whole)
{
    cr_assert_eq(tails_hold(table, SOCKET, 1, 3000, 512), 0);
    cr_assert_eq(tails_hold(table, SOCKET, 2, 900, 512), 1);
    cr_assert_eq(tails_hold(table, SOCKET, 3, 700, 0), 1);
    assert_held(3, 3);
    assert_part(tails_take(table, SOCKET, 3000, 0), 1, 512, 2488, 0);
    assert_part(tails_take(table, SOCKET, 3000, 0), 2, 0, 900, 0);
    assert_part(tails_take(table, SOCKET, 3000, 0), 3, 0, 700, 0);
    assert_nothing_held(SOCKET);

    /* And the next one is first again. */
    cr_assert_eq(tails_hold(table, SOCKET, 4, 900, 512), 0);
    assert_part(tails_take(table, SOCKET, 3000, 0), 4, 512, 388, 0);
}

Test(table_hold, behind_one_that_is_held_in_the_kernel)
{
    struct critical_section section;

    cr_assert_eq(tails_hold_in_kernel(table, SOCKET, 1, 3000, 512), 0);
    cr_assert_eq(tails_hold(table, SOCKET, 2, 900, 512), 1);
    assert_held(2, 1);
    cr_assert_eq(tails_take(table, SOCKET, 3000, 0).result, -EREMOTE);
    table_enter(table, &section);
    table_finish_locked(table, SOCKET);
    table_leave(table, &section);
    assert_part(tails_take(table, SOCKET, 3000, 0), 2, 0, 900, 0);
}

/* Messages of length 0 stay messages, in their place. */
Test(table_hold, of_an_empty_message_behind_another_one)
{
    cr_assert_eq(tails_hold(table, SOCKET, 1, 20, 10), 0);
    cr_assert_eq(tails_hold(table, SOCKET, 2, 0, 0), 1);
    cr_assert_eq(tails_hold(table, SOCKET, 3, 0, 0), 1);
    cr_assert_eq(tails_hold(table, SOCKET, 4, 5, 0), 1);
    assert_part(tails_take(table, SOCKET, 10, 0), 1, 10, 10, 0);
    assert_part(tails_take(table, SOCKET, 10, 0), 2, 0, 0, 0);
    assert_part(tails_take(table, SOCKET, 10, 0), 3, 0, 0, 0);
    assert_part(tails_take(table, SOCKET, 10, 0), 4, 0, 5, 0);
    assert_nothing_held(SOCKET);
}

Test(table_hold, keeps_the_order_of_many)
{
    enum { MANY = 300 };

    for (unsigned i = 0; i < MANY; i++)
        cr_assert_eq(tails_hold(table, SOCKET, i, 100 + i, 100), i == 0 ? 0 : 1);
    for (unsigned i = 0; i < MANY; i++)
        assert_part(tails_take(table, SOCKET, 1000, 0), i, i == 0 ? 100 : 0, i == 0 ? 0 : 100 + i,
                    0);
    assert_held(0, 0);
}

Test(table_hold, keeps_sockets_apart)
{
    cr_assert_eq(tails_hold(table, SOCKET, 1, 100, 10), 0);
    cr_assert_eq(tails_hold(table, OTHER, 2, 100, 20), 0);
    cr_assert_eq(tails_hold(table, SOCKET, 3, 100, 30), 1);
    assert_part(tails_take(table, OTHER, 50, 0), 2, 20, 50, 30);
    assert_part(tails_take(table, SOCKET, 50, 0), 1, 10, 50, 40);
    assert_part(tails_take(table, OTHER, 50, 0), 2, 70, 30, 0);
    assert_nothing_held(OTHER);
    assert_part(tails_take(table, SOCKET, 50, 0), 1, 60, 40, 0);
    assert_part(tails_take(table, SOCKET, 50, 0), 3, 0, 50, 50);
}

/* Cookies that share a chain of the hash: first, middle and last of it come and go. */
Test(table_hold, keeps_colliding_sockets_apart)
{
    enum { CHAIN = 5 };

    for (unsigned gone = 0; gone < CHAIN; gone++) {
        for (unsigned i = 0; i < CHAIN; i++) {
            uint64_t cookie = tails_collide(SOCKET, i);

            cr_assert_eq(tails_hold(table, cookie, 10 * i, 100, 10), 0);
            cr_assert_eq(tails_hold(table, cookie, 10 * i + 1, 200, 10), 1);
        }
        for (unsigned i = 0; i < CHAIN; i++) {
            unsigned which = (gone + i) % CHAIN;
            uint64_t cookie = tails_collide(SOCKET, which);

            assert_part(tails_take(table, cookie, 100, 0), 10 * which, 10, 90, 0);
            assert_held(2 * CHAIN - 2 * i - 1, 2 * CHAIN - 2 * i - 1);
            assert_part(tails_take(table, cookie, 200, 0), 10 * which + 1, 0, 200, 0);
            assert_nothing_held(cookie);
        }
    }
}

/* One bucket of the hash holds them all. */
Test(table_hold, keeps_count_of_very_many)
{
    enum { MANY = 70000 };

    struct critical_section section;

    table = tails_create((size_t)MANY * PAGE);
    for (unsigned i = 0; i < MANY; i++) {
        cr_assert_eq(tails_hold_in_kernel(table, SOCKET, i, 3000, 512), i > 0);
        cr_assert(table_may_hold(table, SOCKET), "%u messages", i + 1);
    }
    assert_held(MANY, 0);
    table_enter(table, &section);
    for (unsigned i = 0; i < MANY; i++) {
        struct held held;

        cr_assert(table_may_hold(table, SOCKET), "%u messages are gone", i);
        cr_assert(table_get_locked(table, SOCKET, &held));
        cr_assert_eq(held.msg_flags, (int)i);
        table_finish_locked(table, SOCKET);
    }
    table_leave(table, &section);
    cr_assert_not(table_may_hold(table, SOCKET));
    assert_held(0, 0);
}

/* --- table_take --------------------------------------------------------------------------- */

Test(table_take, gives_part_after_part)
{
    tails_hold(table, SOCKET, 1, 1000, 100);
    assert_part(tails_take(table, SOCKET, 300, 0), 1, 100, 300, 600);
    assert_part(tails_take(table, SOCKET, 1, 0), 1, 400, 1, 599);
    assert_part(tails_take(table, SOCKET, 598, 0), 1, 401, 598, 1);
    assert_held(1, 1);
    assert_part(tails_take(table, SOCKET, 598, 0), 1, 999, 1, 0);
    assert_nothing_held(SOCKET);
}

/* The edges of room against what remains: one short, just enough, one more. */
Test(table_take, ends_the_message_when_it_fits)
{
    for (size_t more = 0; more < 3; more++) {
        tails_hold(table, SOCKET, 1, 5000, 100);
        assert_part(tails_take(table, SOCKET, 4899 + more, 0), 1, 100, more == 0 ? 4899 : 4900,
                    more == 0 ? 1 : 0);
        if (more == 0)
            assert_part(tails_take(table, SOCKET, 100, 0), 1, 4999, 1, 0);
        assert_nothing_held(SOCKET);
    }
}

Test(table_take, of_nothing_takes_nothing)
{
    tails_hold(table, OTHER, 1, 100, 10);
    cr_assert_eq(tails_take(table, SOCKET, 100, 0).result, 0);
    cr_assert_eq(tails_take(table, SOCKET, 0, 0).result, 0);
    cr_assert_eq(tails_take(table, SOCKET, 100, PART_PEEK).result, 0);
    assert_held(1, 1);
}

/* Two messages are never merged, however much room there is. */
Test(table_take, never_crosses_into_the_next_message)
{
    tails_hold(table, SOCKET, 1, 100, 90);
    tails_hold(table, SOCKET, 2, 100, 0);
    assert_part(tails_take(table, SOCKET, 8, 0), 1, 90, 8, 2);
    assert_part(tails_take(table, SOCKET, 8, 0), 1, 98, 2, 0);
    assert_part(tails_take(table, SOCKET, 1000, 0), 2, 0, 100, 0);
}

Test(table_take, with_peek_consumes_nothing)
{
    tails_hold(table, SOCKET, 1, 1000, 100);
    for (int i = 0; i < 3; i++) {
        assert_part(tails_take(table, SOCKET, 300, PART_PEEK), 1, 100, 300, 900);
        assert_part(tails_take(table, SOCKET, 3000, PART_PEEK), 1, 100, 900, 900);
        assert_part(tails_take(table, SOCKET, 0, PART_PEEK), 1, 100, 0, 900);
    }
    assert_counter(parts, 0);
    assert_counter(bytes_saved, 0);
    assert_part(tails_take(table, SOCKET, 300, 0), 1, 100, 300, 600);
    assert_part(tails_take(table, SOCKET, 300, PART_PEEK), 1, 400, 300, 600);
    assert_part(tails_take(table, SOCKET, 3000, 0), 1, 400, 600, 0);
    assert_held(0, 0);
}

Test(table_take, with_peek_and_trunc_tells_what_remains)
{
    struct tail_take take;

    tails_hold(table, SOCKET, 1, 1000, 100);
    take = tails_take(table, SOCKET, 0, PART_PEEK | PART_TRUNC);
    assert_part(take, 1, 100, 0, 900);
    cr_assert_eq(take.part.result, 900);
    take = tails_take(table, SOCKET, 10, PART_PEEK | PART_TRUNC);
    assert_part(take, 1, 100, 10, 900);
    cr_assert_eq(take.part.result, 900);
}

Test(table_take, with_no_room_skips_to_the_next_message)
{
    tails_hold(table, SOCKET, 1, 1000, 100);
    tails_hold(table, SOCKET, 2, 50, 0);
    assert_part(tails_take(table, SOCKET, 0, 0), 1, 100, 0, 0);
    assert_counter(messages_lost, 1);
    assert_counter(bytes_lost, 900);
    assert_part(tails_take(table, SOCKET, 100, 0), 2, 0, 50, 0);
    assert_nothing_held(SOCKET);
}

Test(table_take, with_trunc_drops_what_does_not_fit)
{
    struct tail_take take;

    tails_hold(table, SOCKET, 1, 1000, 100);
    tails_hold(table, SOCKET, 2, 50, 0);
    take = tails_take(table, SOCKET, 10, PART_TRUNC);
    assert_part(take, 1, 100, 10, 0);
    cr_assert_eq(take.part.result, 900);
    assert_counter(bytes_lost, 890);
    take = tails_take(table, SOCKET, 100, PART_TRUNC);
    assert_part(take, 2, 0, 50, 0);
    cr_assert_eq(take.part.result, 50);
    assert_counter(messages_lost, 1);
    assert_held(0, 0);
}

/* EFAULT consumes nothing: the next receive with a good buffer gets the very same part. */
Test(table_take, whose_copy_fails_leaves_everything)
{
    static const unsigned hows[] = {0, PART_PEEK, PART_TRUNC};

    tails_hold(table, SOCKET, 1, 1000, 100);
    tails_hold(table, SOCKET, 2, 50, 0);
    for (size_t i = 0; i < sizeof hows / sizeof *hows; i++) {
        cr_assert_eq(tails_take_failing(table, SOCKET, 300, hows[i], -EFAULT), -EFAULT);
        cr_assert_eq(tails_take_failing(table, SOCKET, 3000, hows[i], -EFAULT), -EFAULT);
    }
    assert_held(2, 2);
    assert_counter(parts, 0);
    assert_counter(bytes_saved, 0);
    assert_counter(messages_lost, 0);
    assert_part(tails_take(table, SOCKET, 300, 0), 1, 100, 300, 600);
    cr_assert_eq(tails_take_failing(table, SOCKET, 600, 0, -EFAULT), -EFAULT);
    assert_part(tails_take(table, SOCKET, 600, 0), 1, 400, 600, 0);
    assert_part(tails_take(table, SOCKET, 100, 0), 2, 0, 50, 0);
}

/* "or the error of `copy`" (table.h): whatever it is. */
Test(table_take, gives_the_error_of_the_copy)
{
    static const int errors[] = {-EFAULT, -EINVAL, -EINTR, -ENOMEM, -EREMOTE};

    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        cr_assert_eq(tails_hold(table, SOCKET, 1, 1000, 100), 0);
        cr_assert_eq(tails_take_failing(table, SOCKET, 300, 0, errors[i]), errors[i]);
        cr_assert_eq(tails_take_failing(table, SOCKET, 3000, 0, errors[i]), errors[i]);
        assert_part(tails_take(table, SOCKET, 3000, 0), 1, 100, 900, 0);
    }
}

Test(table_take, leaves_what_is_held_in_the_kernel)
{
    struct tail_take take;
    size_t left;

    cr_assert_eq(tails_hold_in_kernel(table, SOCKET, 1, 3000, 512), 0);
    assert_held(1, 0);
    take = tails_take(table, SOCKET, 100, 0);
    cr_assert_eq(take.result, -EREMOTE);
    cr_assert_eq(take.copies, 0);
    cr_assert_eq(tails_take(table, SOCKET, 0, PART_PEEK).result, -EREMOTE);
    cr_assert_eq(tails_take(table, SOCKET, 5000, PART_TRUNC).result, -EREMOTE);
    cr_assert_eq(table_look(table, SOCKET, &left), HELD_KERNEL);
    cr_assert_eq(left, 2488);
}

/* Bytes of a stream that was taken for a message socket: no message ends, nothing is dropped. */
Test(table_take, of_a_stream_drops_nothing)
{
    struct held held = {.kind = HELD_STREAM, .length = 10, .offset = 2};
    char bytes[] = "0123456789";
    struct iovec whole = {bytes, 10};
    struct tail_take take;

    cr_assert_eq(table_hold(table, SOCKET, &held, &whole, 1), 0);
    assert_held(1, 1);
    cr_assert_eq(table_look(table, SOCKET, NULL), HELD_STREAM);
    take = tails_take(table, SOCKET, 0, 0);
    cr_assert_eq(take.result, 1);
    cr_assert_eq(take.part.given, 0);
    cr_assert_eq(take.part.left, 8);
    take = tails_take(table, SOCKET, 5, 0);
    cr_assert_eq(take.part.given, 5);
    cr_assert_eq(take.part.left, 3);
    take = tails_take(table, SOCKET, 5, 0);
    cr_assert_eq(take.part.given, 3);
    cr_assert_eq(take.part.left, 0);
    assert_nothing_held(SOCKET);
    assert_counter(messages_lost, 0);
}

/* --- table_look --------------------------------------------------------------------------- */

Test(table_look, tells_what_the_next_take_finds)
{
    size_t left = 4711;

    cr_assert_eq(table_look(table, SOCKET, &left), HELD_NOT);
    tails_hold(table, SOCKET, 1, 1000, 100);
    tails_hold(table, SOCKET, 2, 50, 0);
    cr_assert_eq(table_look(table, SOCKET, NULL), HELD_HERE);
    cr_assert_eq(table_look(table, SOCKET, &left), HELD_HERE);
    cr_assert_eq(left, 900);
    tails_take(table, SOCKET, 300, 0);
    cr_assert_eq(table_look(table, SOCKET, &left), HELD_HERE);
    cr_assert_eq(left, 600);
    tails_take(table, SOCKET, 600, 0);
    cr_assert_eq(table_look(table, SOCKET, &left), HELD_HERE);
    cr_assert_eq(left, 50);
    tails_take(table, SOCKET, 600, 0);
    cr_assert_eq(table_look(table, SOCKET, &left), HELD_NOT);
    assert_held(0, 0);
}

/* --- counters ----------------------------------------------------------------------------- */

Test(table_counters, count_messages_parts_and_bytes)
{
    tails_hold(table, SOCKET, 1, 1000, 100);
    tails_hold(table, SOCKET, 2, 50, 0);
    tails_hold_in_kernel(table, OTHER, 3, 3000, 512);
    assert_counter(held, 3);
    assert_counter(parts, 0);
    tails_take(table, SOCKET, 300, 0);
    tails_take(table, SOCKET, 300, PART_PEEK);
    tails_take(table, SOCKET, 3000, 0);
    tails_take(table, SOCKET, 50, 0);
    tails_take(table, SOCKET, 50, 0);
    tails_take(table, OTHER, 50, 0);
    assert_counter(held, 3);
    assert_counter(parts, 3);
    assert_counter(bytes_saved, 950);
    assert_counter(messages_lost, 0);
    assert_counter(bytes_lost, 0);
    table_count_lost(table, 17);
    table_count_lost(table, 3);
    assert_counter(messages_lost, 2);
    assert_counter(bytes_lost, 20);
}
