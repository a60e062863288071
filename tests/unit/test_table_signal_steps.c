/* SPDX-License-Identifier: MIT */
/*
 * The fragment table under signals, between any two instructions: receive functions may be called in a handler (POSIX,
 * signal-safety(7)) on top of a receive on the same socket. Whenever the signal comes, both get what
 * they would get one after the other, in one order or the other.
 */
#define _GNU_SOURCE
#include "table/table.h"

#include "child.h"
#include "interrupt.h"
#include "rows.h"
#include "step.h"
#include "tails.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(table_signal_steps, .init = interrupt_set_up, .timeout = 240);

/* --- a signal between any two instructions ------------------------------------------------ */

static void run_outer(void *context)
{
    (void)context;
    operation_run(&outer);
}

static void raise_signal(void *context)
{
    (void)context;
    raise(SIGUSR1);
}

struct pair {
    enum operation outer, inner;
};

/* The operations that take different ways through the table, under those that change it. */
static const struct pair pairs[] = {
    {TAKE, TAKE},      {TAKE, DRAIN},   {TAKE, HOLD},    {TAKE, ABANDON}, {TAKE_REST, DRAIN},
    {TAKE_REST, HOLD}, {PEEK, TAKE},    {PEEK, DRAIN},   {LOOK, TAKE},    {LOOK, TAKE_REST},
    {LOOK, DRAIN},     {FAULT, DRAIN},  {HOLD, TAKE},    {HOLD, DRAIN},   {ABANDON, TAKE},
    {TAKE, REPLACE},   {PEEK, REPLACE}, {LOOK, REPLACE}, {SKIP, REPLACE},
};

/* In a table in which slots become vacant. */
static const struct pair vacating_pairs[] = {
    {TAKE_REST, TAKE}, {TAKE_REST, HOLD}, {TAKE_REST, ABANDON}};

/* Nothing is held, and the last one's slot is vacant. */
static const struct pair vacant_pairs[] = {
    {HOLD, HOLD}, {HOLD, DRAIN}, {HOLD, ABANDON}, {ABANDON, HOLD}};

static unsigned long interrupt_at_any_instruction(const struct pair *pair,
                                                  void (*hold)(struct state *ret_state))
{
    bool interrupted = true;
    unsigned long count = 1;

    signal(SIGUSR1, interrupt_handler);
    for (; interrupted; count = step_next(count, 0)) {
        char where[100];
        struct state before;

        hold(&before);
        outer.operation = pair->outer;
        inner.operation = pair->inner;
        interrupted = step_interrupt(count, run_outer, raise_signal, NULL);
        if (!interrupted)
            operation_run(&inner);
        else
            cr_assert_eq(handled, 1);
        snprintf(where, sizeof where, "%s under %s after %lu instructions",
                 operation_names[pair->outer], operation_names[pair->inner], count);
        interrupt_assert_some_order(&before, where);
    }
    interrupt_assert_no_page_lost(operation_names[pair->outer], operation_names[pair->inner]);
    return count;
}

ROWS(table_signal_steps, at_any_instruction, ROWS_OF(pairs))
{
    if (!step_supported())
        cr_skip_test("no single steps on this processor");
    cr_assert_gt(interrupt_at_any_instruction(&pairs[*row], interrupt_hold), 100);
}

ROWS(table_signal_steps, at_any_instruction_with_room, ROWS_OF(vacating_pairs))
{
    if (!step_supported())
        cr_skip_test("no single steps on this processor");
    interrupt_make_table(16);
    cr_assert_gt(interrupt_at_any_instruction(&vacating_pairs[*row], interrupt_hold), 100);
}

ROWS(table_signal_steps, at_any_instruction_with_a_vacant_slot, ROWS_OF(vacant_pairs))
{
    if (!step_supported())
        cr_skip_test("no single steps on this processor");
    interrupt_make_table(16);
    cr_assert_gt(interrupt_at_any_instruction(&vacant_pairs[*row], interrupt_hold_none), 50);
}

/* What a take was copying is lost in its midst, and the pages are given back to the system: either
 * the take has its part, or all is lost; no byte is both, or neither, or wrong. */
Test(table_signal_steps, abandoned_within_a_take)
{
    bool interrupted = true;
    unsigned taken = 0, lost = 0;

    if (!step_supported())
        cr_skip_test("no single steps on this processor");
    signal(SIGUSR1, interrupt_handler);
    table = tails_create(4 << 20);
    /* Beyond the pages that are kept for the next burst. */
    cr_assert_eq(tails_hold(table, 1, 0, 1 << 20, 0), 0);
    cr_assert_eq(tails_hold(table, 2, 0, 1 << 20, 0), 0);
    for (unsigned long count = 1; interrupted; count = step_next(count, 0)) {
        unsigned long before, more;
        struct outcome outcome;
        struct state state;

        interrupt_hold(&state);
        before = atomic_load(&table->counters.bytes_lost);
        outer.operation = TAKE;
        inner.operation = ABANDON;
        interrupted = step_interrupt(count, run_outer, raise_signal, NULL);
        if (!interrupted)
            operation_run(&inner);
        more = atomic_load(&table->counters.bytes_lost) - before;
        operation_outcome(&outer, &outcome);
        taken += outcome.result == 1;
        lost += outcome.result == 0;
        cr_assert(outcome.result == 0 || (outcome.result == 1 && outcome.given == PART));
        cr_assert_eq(outcome.wrong, 0, "%zu wrong bytes after %lu instructions", outcome.wrong,
                     count);
        cr_assert_eq(more + outcome.given, 500 + 300, "%lu lost and %zu taken, at %lu", more,
                     outcome.given, count);
        for (unsigned i = 0; i < 2; i++)
            table_abandon(table, interrupt_neighbour[i], true);
    }
    cr_assert_gt(taken, 0);
    cr_assert_gt(lost, 0);
}

/* --- a handler that leaves, between any two instructions ---------------------------------- */

/* recv(2) may be left by siglongjmp() at any moment. Nothing is locked then: what the call was to
 * change is as before it or as after it, for this thread and for the next process. */
static void leave_at_any_instruction(enum operation operation,
                                     void (*hold)(struct state *ret_state), unsigned long least)
{
    static volatile bool ended; /* by itself */
    static unsigned long count;
    static unsigned afters;

    signal(SIGUSR1, interrupt_leave);
    for (count = 1; !ended; count = step_next(count, 0)) {
        struct state before, after, found;
        struct outcome outcome;
        char where[100];
        int status;
        pid_t other;

        hold(&before);
        after = before;
        operation_model(operation, &after, &outcome);
        outer.operation = operation;
        if (sigsetjmp(interrupt_left, 1) == 0)
            ended = !step_interrupt(count, run_outer, raise_signal, NULL);
        snprintf(where, sizeof where, "%s, left after %lu instructions", operation_names[operation],
                 count);
        cr_assert_eq(handled, !ended, "%s", where);

        other = fork();
        if (other == 0) {
            alarm(30); /* it must not wait for the mutex */
            table_look(table, interrupt_socket, NULL);
            interrupt_take_all(&found, where);
            _exit(state_same(&found, &after) ? 2 : state_same(&found, &before) ? 1 : 0);
        }
        cr_assert_eq(waitpid(other, &status, 0), other);
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) > 0, "%s: status %x", where, status);
        afters += WEXITSTATUS(status) == 2;
        cr_assert(table_idle(table));
    }
    cr_assert_gt(count, least);
    cr_assert_gt(afters, 0);
}

static const enum operation left[] = {TAKE, TAKE_REST, PEEK, LOOK, HOLD, ABANDON};

ROWS(table_signal_steps, left_at_any_instruction, ROWS_OF(left))
{
    if (!step_supported())
        cr_skip_test("no single steps on this processor");
    leave_at_any_instruction(left[*row], interrupt_hold, 100);
}

/* A jump out of a claim leaves a page that is used for nothing, so there are many. */
static const enum operation left_with_room[] = {TAKE_REST, HOLD};

ROWS(table_signal_steps, left_at_any_instruction_with_room, ROWS_OF(left_with_room))
{
    enum operation operation = left_with_room[*row];

    if (!step_supported())
        cr_skip_test("no single steps on this processor");
    interrupt_make_table(2048);
    leave_at_any_instruction(operation, operation == HOLD ? interrupt_hold_none : interrupt_hold,
                             50);
}

/* --- a signal during the repair after a death --------------------------------------------- */

static const struct pair repairing_pairs[] = {{TAKE, TAKE}, {TAKE, HOLD}, {LOOK, DRAIN}};

ROWS(table_signal_steps, during_the_repair, ROWS_OF(repairing_pairs))
{
    const struct pair *pair = &repairing_pairs[*row];
    bool interrupted = true;
    unsigned long count = 1, length;
    struct state before;

    if (!step_supported())
        cr_skip_test("no single steps on this processor");
    signal(SIGUSR1, interrupt_handler);
    interrupt_hold(&before);
    child_dies_inside(table);
    outer.operation = LOOK;
    length = step_count(run_outer, NULL);
    interrupt_take_all(&before, "a first repair");
    for (; interrupted; count = step_next(count, length)) {
        char where[100];

        interrupt_hold(&before);
        child_dies_inside(table);
        outer.operation = pair->outer;
        inner.operation = pair->inner;
        interrupted = step_interrupt(count, run_outer, raise_signal, NULL);
        if (!interrupted)
            operation_run(&inner);
        snprintf(where, sizeof where, "%s under %s, repairing, after %lu instructions",
                 operation_names[pair->outer], operation_names[pair->inner], count);
        interrupt_assert_some_order(&before, where);
    }
}
