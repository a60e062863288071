/* SPDX-License-Identifier: MIT
 *
 * The fragment table, one caller at a time: hold, take, look, abandon, the calls under the critical section,
 * and what becomes of its memory. */
#define _GNU_SOURCE
#include "table/table.h"

#include "tails.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- fixture ----------------------------------------------------------------------------- */

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
TestSuite(table_abandon, .init = set_up, .timeout = 60);
TestSuite(table_guard, .init = set_up, .timeout = 60);
TestSuite(table_counters, .init = set_up, .timeout = 60);
TestSuite(table_memory, .timeout = 60);

/* --- assertions -------------------------------------------------------------------------- */

/* A take that gave `given_` bytes of the message, from `offset_`, after which `left_` remain. */
#define assert_part(take_, message_, offset_, given_, left_)                                 \
    do {                                                                                     \
        struct tail_take part_ = (take_);                                                    \
                                                                                             \
        cr_assert_eq(part_.result, 1, "taken: %d", part_.result);                            \
        cr_assert_eq(part_.message, (unsigned)(message_), "message %u", part_.message);      \
        cr_assert_eq(part_.held.offset, (size_t)(offset_), "offset %zu", part_.held.offset); \
        cr_assert_eq(part_.part.given, (size_t)(given_), "given %zu", part_.part.given);     \
        cr_assert_eq(part_.part.left, (size_t)(left_), "left %zu", part_.part.left);         \
        cr_assert_eq(part_.right, part_.part.given, "%zu bytes are right", part_.right);     \
    } while (0)

#define assert_nothing_held(cookie_)                                  \
    do {                                                              \
        cr_assert_eq(table_look(table, (cookie_), NULL), HELD_NOT);   \
        cr_assert_eq(tails_take(table, (cookie_), 100, 0).result, 0); \
    } while (0)

#define assert_held(used_, here_)                                                               \
    do {                                                                                        \
        cr_assert_eq(atomic_load(&table->used), (used_), "used %u", atomic_load(&table->used)); \
        cr_assert_eq(atomic_load(&table->here), (here_), "here %u", atomic_load(&table->here)); \
        cr_assert_eq(table_idle(table), (used_) == 0);                                          \
    } while (0)

#define assert_counter(name_, expected_)                                                         \
    cr_assert_eq(atomic_load(&table->counters.name_), (unsigned long)(expected_), #name_ " %lu", \
                 atomic_load(&table->counters.name_))

/* --- table_hold -------------------------------------------------------------------------- */

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

/* --- table_take -------------------------------------------------------------------------- */

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

/* --- table_look -------------------------------------------------------------------------- */

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

/* --- table_abandon ----------------------------------------------------------------------- */

Test(table_abandon, of_the_last_loses_and_counts)
{
    tails_hold(table, SOCKET, 1, 1000, 100);
    tails_take(table, SOCKET, 300, 0);
    tails_hold(table, SOCKET, 2, 50, 0);
    tails_hold(table, OTHER, 3, 70, 7);
    table_abandon(table, SOCKET, true);
    assert_nothing_held(SOCKET);
    assert_held(1, 1);
    assert_counter(messages_lost, 2);
    assert_counter(bytes_lost, 650);
    assert_part(tails_take(table, OTHER, 100, 0), 3, 7, 63, 0);
}

Test(table_abandon, of_nothing_does_nothing)
{
    tails_hold(table, OTHER, 3, 70, 7);
    table_abandon(table, SOCKET, true);
    table_abandon(table, SOCKET, false);
    assert_held(1, 1);
    assert_counter(messages_lost, 0);
}

/* In the midst of a chain of the hash, with neighbours on both sides. */
Test(table_abandon, takes_only_its_own)
{
    for (unsigned gone = 0; gone < 3; gone++) {
        for (unsigned i = 0; i < 3; i++) {
            tails_hold(table, tails_collide(SOCKET, i), 2 * i, 100, 10);
            tails_hold(table, tails_collide(SOCKET, i), 2 * i + 1, 100, 0);
        }
        table_abandon(table, tails_collide(SOCKET, gone), true);
        assert_held(4, 4);
        for (unsigned i = 0; i < 3; i++) {
            uint64_t cookie = tails_collide(SOCKET, i);

            if (i != gone) {
                assert_part(tails_take(table, cookie, 100, 0), 2 * i, 10, 90, 0);
                assert_part(tails_take(table, cookie, 100, 0), 2 * i + 1, 0, 100, 0);
            }
            assert_nothing_held(cookie);
        }
    }
}

/* The kernel drops its queue with the socket, and with it the tail (wsrx.h: "closed while
 * held"). */
Test(table_abandon, of_one_held_in_the_kernel_loses_it_too)
{
    tails_hold_in_kernel(table, SOCKET, 1, 3000, 512);
    table_abandon(table, SOCKET, true);
    assert_held(0, 0);
    assert_counter(messages_lost, 1);
    assert_counter(bytes_lost, 2488);
}

/* Where others may still ask, the tail stays, and they get it. */
Test(table_abandon, of_not_the_last_keeps)
{
    tails_hold(table, SOCKET, 1, 1000, 100);
    table_abandon(table, SOCKET, false);
    table_abandon(table, SOCKET, false);
    assert_held(1, 1);
    assert_part(tails_take(table, SOCKET, 300, 0), 1, 100, 300, 600);
    cr_assert_eq(tails_hold(table, SOCKET, 2, 50, 0), 1);
    assert_part(tails_take(table, SOCKET, 600, 0), 1, 400, 600, 0);
    assert_part(tails_take(table, SOCKET, 600, 0), 2, 0, 50, 0);
    assert_held(0, 0);
    assert_counter(messages_lost, 0);
}

Test(table_abandon, of_the_last_after_not_the_last)
{
    tails_hold(table, SOCKET, 1, 1000, 100);
    table_abandon(table, SOCKET, false);
    table_abandon(table, SOCKET, true);
    assert_held(0, 0);
    assert_counter(messages_lost, 1);
    assert_counter(bytes_lost, 900);
}

/* Nobody may ever ask again, so they cannot be many: the oldest goes, the younger ones stay. */
Test(table_abandon, keeps_the_youngest_of_many)
{
    enum { MANY = 3000 };
    unsigned kept = 0;
    bool gone = true;

    for (unsigned i = 0; i < MANY; i++) {
        tails_hold(table, 1000 + i, i, 100, 10);
        table_abandon(table, 1000 + i, false);
    }
    for (unsigned i = 0; i < MANY; i++) {
        struct tail_take take = tails_take(table, 1000 + i, 100, 0);

        cr_assert(take.result == 1 || gone, "%u is gone, an older one is not", i);
        gone = take.result != 1;
        kept += take.result == 1;
    }
    cr_assert_gt(kept, 0);
    cr_assert_lt(kept, MANY);
    assert_held(0, 0);
    assert_counter(messages_lost, MANY - kept);
    assert_counter(bytes_lost, 90 * (MANY - kept));
}

/* Nobody loses a tail to another one's need for memory: `full` tells, and what is held stays. */
Test(table_abandon, of_not_the_last_keeps_when_room_is_needed)
{
    const size_t half = HOLD_MAX / 2;

    for (unsigned i = 1; i <= 4; i++) {
        cr_assert_eq(tails_hold(table, i, i, half, 1), 0);
        table_abandon(table, i, false);
    }
    cr_assert(atomic_load(&table->full));
    assert_held(4, 4);
    assert_counter(messages_lost, 0);
    for (unsigned i = 1; i <= 4; i++)
        assert_part(tails_take(table, i, half, 0), i, 1, half - 1, 0);
    cr_assert_not(atomic_load(&table->full));
}

/* --- table_get_locked, table_advance_locked, table_finish_locked -------------------------- */

Test(table_guard, get_advance_and_finish)
{
    struct critical_section section;
    struct held held;
    size_t left;

    table_enter(table, &section);
    cr_assert_not(table_get_locked(table, SOCKET, &held));
    table_leave(table, &section);

    tails_hold_in_kernel(table, SOCKET, 1, 3000, 512);
    tails_hold_in_kernel(table, SOCKET, 2, 700, 0);
    table_enter(table, &section);
    cr_assert(table_get_locked(table, SOCKET, &held));
    cr_assert_eq(held.kind, HELD_KERNEL);
    cr_assert_eq(held.length, 3000);
    cr_assert_eq(held.offset, 512);
    cr_assert_eq(held.msg_flags, 1);
    table_advance_locked(table, SOCKET, &(struct held){.offset = 1024});
    cr_assert(table_get_locked(table, SOCKET, &held));
    cr_assert_eq(held.offset, 1024);
    table_leave(table, &section);

    cr_assert_eq(table_look(table, SOCKET, &left), HELD_KERNEL);
    cr_assert_eq(left, 1976);
    assert_held(2, 0);

    table_enter(table, &section);
    table_finish_locked(table, SOCKET);
    cr_assert(table_get_locked(table, SOCKET, &held));
    cr_assert_eq(held.msg_flags, 2);
    cr_assert_eq(held.offset, 0);
    table_finish_locked(table, SOCKET);
    cr_assert_not(table_get_locked(table, SOCKET, &held));
    table_leave(table, &section);
    assert_held(0, 0);
    assert_nothing_held(SOCKET);
}

Test(table_guard, holds_under_the_guard)
{
    struct critical_section section;
    struct held held = {.kind = HELD_KERNEL, .length = 100, .offset = 30};

    table_enter(table, &section);
    cr_assert_eq(table_hold_locked(table, SOCKET, &held, NULL, 0), 0);
    cr_assert_eq(table_hold_locked(table, SOCKET, &held, NULL, 0), 1);
    table_leave(table, &section);
    assert_held(2, 0);
}

/* The thread's own mask comes back, and nothing is delivered in between. */
Test(table_guard, blocks_signals_and_gives_the_mask_back)
{
    struct critical_section section;
    sigset_t before, within, after;

    sigemptyset(&before);
    sigaddset(&before, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    table_enter(table, &section);
    pthread_sigmask(SIG_SETMASK, NULL, &within);
    table_leave(table, &section);
    pthread_sigmask(SIG_SETMASK, NULL, &after);

    cr_expect(sigismember(&within, SIGINT));
    cr_expect(sigismember(&within, SIGALRM));
    cr_expect(sigismember(&within, SIGRTMIN));
    for (int signal = 1; signal < SIGRTMAX; signal++)
        cr_expect_eq(sigismember(&after, signal) == 1, signal == SIGUSR2, "signal %d", signal);
}

static bool still_in;

static void *be_cancelled(void *unused)
{
    struct critical_section section;

    table_enter(table, &section);
    pthread_cancel(pthread_self());
    pthread_testcancel();
    still_in = true;
    table_leave(table, &section);
    pthread_testcancel();
    return unused;
}

/* A receive under the mutex is a cancellation point; a thread that ends there takes it along. */
Test(table_guard, no_thread_is_cancelled_inside)
{
    pthread_t thread;
    void *result;

    cr_assert_eq(pthread_create(&thread, NULL, be_cancelled, NULL), 0);
    cr_assert_eq(pthread_join(thread, &result), 0);
    cr_assert(still_in);
    cr_assert_eq(result, PTHREAD_CANCELED);
    tails_hold(table, SOCKET, 1, 100, 10);
    assert_part(tails_take(table, SOCKET, 100, 0), 1, 10, 90, 0);
}

/* Every call gives the mask back, and the mutex too: the next call does not wait for ever. */
Test(table_guard, no_call_leaves_signals_blocked)
{
    sigset_t after;

    tails_hold(table, SOCKET, 1, 100, 10);
    tails_hold(table, SOCKET, 2, 100, 10);
    tails_take(table, SOCKET, 10, 0);
    tails_take(table, SOCKET, 100, 0);
    tails_take_failing(table, SOCKET, 10, 0, -EFAULT);
    tails_take_failing(table, SOCKET, 100, 0, -EFAULT);
    table_look(table, SOCKET, NULL);
    table_abandon(table, SOCKET, false);
    table_abandon(table, SOCKET, true);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int signal = 1; signal < SIGRTMAX; signal++)
        cr_expect_neq(sigismember(&after, signal), 1, "signal %d is blocked", signal);
}

/* --- counters ---------------------------------------------------------------------------- */

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

/* --- memory: hold_max and full ----------------------------------------------------------- */

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

Test(table_memory, the_largest_hold_max_is_address_space_only)
{
    table = tails_create((size_t)1 << 40);
    cr_assert_eq(tails_hold(table, SOCKET, 1, 3000, 512), 0);
    assert_part(tails_take(table, SOCKET, 3000, 0), 1, 512, 2488, 0);
}

/* More than the arena holds: the caller is told, and what is held stays as it was. */
Test(table_memory, no_room_at_all_is_told)
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

/* --- memory: pages ----------------------------------------------------------------------- */

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

/* --- memory: many sockets ---------------------------------------------------------------- */

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
