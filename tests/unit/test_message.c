/* SPDX-License-Identifier: MIT
 *
 * The receive contract as arithmetic: each row of the contract's table for the sizes at its edges,
 * and each mode for each kind of call. */
#include "receive/policy.h"
#include "rows.h"
#include "table/part.h"

#include <criterion/criterion.h>
#include <stdint.h>

/* --- part_next ------------------------------------------------------------------------ */

/* For the first receive `remaining` is the message's length, for later ones what is left of it:
 * the arithmetic is one. */
struct row {
    const char *what;
    size_t remaining, room;
    unsigned how;
    struct part expected; /* given, result, left */
};

enum { PEEK = PART_PEEK, TRUNC = PART_TRUNC, STREAM = PART_STREAM };

static const struct row rows[] = {
    {"L > N: the message, nothing left", 100, 512, 0, {100, 100, 0}},
    {"L = N", 512, 512, 0, {512, 512, 0}},
    {"L = N - 1: one byte is left", 513, 512, 0, {512, 512, 1}},
    {"L < N", 3000, 512, 0, {512, 512, 2488}},
    {"L = 1", 3000, 1, 0, {1, 1, 2999}},
    {"one byte, one byte of room", 1, 1, 0, {1, 1, 0}},
    {"the longest datagram", 65507, 1, 0, {1, 1, 65506}},
    {"1 MiB", 1 << 20, 1000, 0, {1000, 1000, (1 << 20) - 1000}},
    {"the largest room", 3000, SIZE_MAX, 0, {3000, 3000, 0}},
    {"the largest numbers", SIZE_MAX, SIZE_MAX - 1, 0, {SIZE_MAX - 1, SIZE_MAX - 1, 1}},

    {"len 0 drops the rest", 3000, 0, 0, {0, 0, 0}},
    {"a message of length 0", 0, 512, 0, {0, 0, 0}},
    {"a message of length 0, len 0", 0, 0, 0, {0, 0, 0}},

    {"MSG_PEEK, it fits: nothing is consumed", 100, 512, PEEK, {100, 100, 100}},
    {"MSG_PEEK, it does not fit", 3000, 512, PEEK, {512, 512, 3000}},
    {"MSG_PEEK, len 0", 3000, 0, PEEK, {0, 0, 3000}},
    {"MSG_PEEK, a message of length 0", 0, 512, PEEK, {0, 0, 0}},

    {"MSG_PEEK|MSG_TRUNC: the real length", 3000, 512, PEEK | TRUNC, {512, 3000, 3000}},
    {"MSG_PEEK|MSG_TRUNC, len 0: the sizing idiom", 3000, 0, PEEK | TRUNC, {0, 3000, 3000}},
    {"MSG_PEEK|MSG_TRUNC, it fits", 100, 512, PEEK | TRUNC, {100, 100, 100}},

    {"MSG_TRUNC: the real length, the rest is dropped", 3000, 512, TRUNC, {512, 3000, 0}},
    {"MSG_TRUNC, len 0", 3000, 0, TRUNC, {0, 3000, 0}},
    {"MSG_TRUNC, it fits", 100, 512, TRUNC, {100, 100, 0}},
    {"MSG_TRUNC, one byte too many", 513, 512, TRUNC, {512, 513, 0}},

    {"a stream's bytes that fit", 100, 512, STREAM, {100, 100, 0}},
    {"a stream's bytes that do not", 3000, 512, STREAM, {512, 512, 2488}},
    {"a stream, len 0: nothing is dropped", 3000, 0, STREAM, {0, 0, 3000}},
    {"a stream, MSG_PEEK", 3000, 512, STREAM | PEEK, {512, 512, 3000}},
    {"a stream, MSG_PEEK, len 0", 3000, 0, STREAM | PEEK, {0, 0, 3000}},
};

ROWS(part_next, follows_the_contract, ROWS_OF(rows))
{
    const struct row *one = &rows[*row];
    struct part part = part_next(one->remaining, one->room, one->how);

    cr_expect_eq(part.given, one->expected.given, "%s: given %zu", one->what, part.given);
    cr_expect_eq(part.result, one->expected.result, "%s: result %zu", one->what, part.result);
    cr_expect_eq(part.left, one->expected.left, "%s: left %zu", one->what, part.left);
}

/* Part by part, every message ends, and its parts add up to it. */
Test(part_next, parts_add_up_to_the_message)
{
    for (size_t length = 0; length <= 40; length++) {
        for (size_t room = 1; room <= 42; room++) {
            size_t remaining = length, sum = 0, parts = 0;

            do {
                struct part part = part_next(remaining, room, 0);

                cr_assert_leq(part.given, room);
                cr_assert_eq(part.result, part.given);
                cr_assert_eq(part.given + part.left, remaining);
                sum += part.given;
                remaining = part.left;
                parts++;
            } while (remaining > 0);
            cr_assert_eq(sum, length, "%zu in parts of %zu gave %zu", length, room, sum);
            cr_assert_eq(parts, length == 0 ? 1 : (length + room - 1) / room);
        }
    }
}

/* A peek announces exactly what the receive after it gives. */
Test(part_next, a_peek_shows_what_a_receive_gives)
{
    static const unsigned hows[] = {0, TRUNC, STREAM};

    for (size_t i = 0; i < sizeof hows / sizeof *hows; i++) {
        for (size_t remaining = 0; remaining < 10; remaining++) {
            for (size_t room = 0; room < 12; room++) {
                struct part peeked = part_next(remaining, room, hows[i] | PEEK);
                struct part taken = part_next(remaining, room, hows[i]);

                cr_assert_eq(peeked.given, taken.given);
                cr_assert_eq(peeked.result, taken.result);
                cr_assert_eq(peeked.left, remaining);
            }
        }
    }
}

/* --- receive_policy ---------------------------------------------------------------------- */

struct ruling {
    enum mode mode;
    enum call_kind kind;
    bool calls_all;
    struct policy expected; /* hold, emsgsize */
};

/* Every combination: 5 modes, 3 kinds of call, WSRX_CALLS plain and all. */
static const struct ruling rulings[] = {
    {MODE_CONTINUE, CALL_PLAIN, false, {true, false}},
    {MODE_CONTINUE, CALL_PLAIN, true, {true, false}},
    {MODE_ERROR, CALL_PLAIN, false, {true, true}},
    {MODE_ERROR, CALL_PLAIN, true, {true, true}},
    {MODE_DISCARD, CALL_PLAIN, false, {false, true}},
    {MODE_DISCARD, CALL_PLAIN, true, {false, true}},
    {MODE_OBSERVE, CALL_PLAIN, false, {false, false}},
    {MODE_OBSERVE, CALL_PLAIN, true, {false, false}},
    {MODE_OFF, CALL_PLAIN, false, {false, false}},
    {MODE_OFF, CALL_PLAIN, true, {false, false}},

    /* A reporting call has MSG_TRUNC for its report, and never EMSGSIZE. */
    {MODE_CONTINUE, CALL_REPORTING, false, {false, false}},
    {MODE_CONTINUE, CALL_REPORTING, true, {true, false}},
    {MODE_ERROR, CALL_REPORTING, false, {false, false}},
    {MODE_ERROR, CALL_REPORTING, true, {true, false}},
    {MODE_DISCARD, CALL_REPORTING, false, {false, false}},
    {MODE_DISCARD, CALL_REPORTING, true, {false, false}},
    {MODE_OBSERVE, CALL_REPORTING, false, {false, false}},
    {MODE_OBSERVE, CALL_REPORTING, true, {false, false}},
    {MODE_OFF, CALL_REPORTING, false, {false, false}},
    {MODE_OFF, CALL_REPORTING, true, {false, false}},

    /* wsrx_receive() asks for the rest by itself, "whatever WSRX_MODE says" (wsrx.h). */
    {MODE_CONTINUE, CALL_COOPERATING, false, {true, false}},
    {MODE_CONTINUE, CALL_COOPERATING, true, {true, false}},
    {MODE_ERROR, CALL_COOPERATING, false, {true, false}},
    {MODE_ERROR, CALL_COOPERATING, true, {true, false}},
    {MODE_DISCARD, CALL_COOPERATING, false, {true, false}},
    {MODE_DISCARD, CALL_COOPERATING, true, {true, false}},
    {MODE_OBSERVE, CALL_COOPERATING, false, {true, false}},
    {MODE_OBSERVE, CALL_COOPERATING, true, {true, false}},
    {MODE_OFF, CALL_COOPERATING, false, {true, false}},
    {MODE_OFF, CALL_COOPERATING, true, {true, false}},
};

ROWS(receive_policy, of_each_mode_and_call, ROWS_OF(rulings))
{
    const struct ruling *ruling = &rulings[*row];
    struct policy policy = receive_policy(ruling->mode, ruling->kind, ruling->calls_all);

    cr_expect_eq(policy.hold, ruling->expected.hold, "mode %d, kind %d, all %d: hold %d",
                 ruling->mode, ruling->kind, ruling->calls_all, policy.hold);
    cr_expect_eq(policy.emsgsize, ruling->expected.emsgsize,
                 "mode %d, kind %d, all %d: emsgsize %d", ruling->mode, ruling->kind,
                 ruling->calls_all, policy.emsgsize);
}

Test(receive_policy, the_list_above_is_complete)
{
    bool seen[5][3][2] = {0};

    for (size_t i = 0; i < ROWS_OF(rulings); i++)
        seen[rulings[i].mode][rulings[i].kind][rulings[i].calls_all] = true;
    for (int mode = 0; mode < 5; mode++)
        for (int kind = 0; kind < 3; kind++)
            for (int all = 0; all < 2; all++)
                cr_expect(seen[mode][kind][all], "mode %d, kind %d, all %d", mode, kind, all);
}
