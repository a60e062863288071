/* SPDX-License-Identifier: MIT */
/* What the tests of the fragment table assert of `table`, which each of their files has. */
#ifndef WSRX_TESTS_TABLE_ASSERTS_H
#define WSRX_TESTS_TABLE_ASSERTS_H

#include <criterion/criterion.h>

#include "tails.h"

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

#endif
