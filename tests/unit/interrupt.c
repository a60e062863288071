/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "interrupt.h"

#include "pattern.h"
#include "rows.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct table *table;

uint64_t interrupt_socket, interrupt_neighbour[2];

static unsigned char content[600];
static struct iovec whole = {content, sizeof content};

enum { NEW = 3 };

void interrupt_set_up(void)
{
    interrupt_neighbour[0] = tails_collide(77, 0);
    interrupt_socket = tails_collide(77, 1);
    interrupt_neighbour[1] = tails_collide(77, 2);
    pattern_fill(content, NEW, 0, sizeof content);
    interrupt_make_table(1);
}

/* In a table of one page, a page that stays used for nothing shows as `full`. In a larger one slots
 * become vacant, and are claimed. */
static unsigned pages;

void interrupt_make_table(unsigned count)
{
    pages = count;
    table = tails_create(count * (size_t)4096);
}

/* --- operations, and a model of them ------------------------------------------------------ */

const char *const operation_names[] = {"take", "take the rest", "skip",   "take with MSG_TRUNC",
                                       "peek", "bad buffer",    "look",   "drain",
                                       "hold", "abandon",       "replace"};

size_t operation_room(enum operation operation)
{
    return operation == SKIP ? 0 : operation == TAKE_REST || operation == DRAIN ? 1000 : PART;
}

unsigned operation_how(enum operation operation)
{
    return operation == PEEK ? PART_PEEK : operation == TRUNC ? PART_TRUNC : 0;
}

static void model_take(struct state *state, enum operation operation, struct outcome *outcome)
{
    struct part part;

    if (state->count == 0)
        return;
    part = part_next(state->tail->length - state->tail->offset, operation_room(operation),
                     operation_how(operation));
    if (operation == FAULT) {
        outcome->result = -EFAULT;
        return;
    }
    *outcome =
        (struct outcome){1, state->tail->message, state->tail->offset, part.given, part.left, 0};
    if (operation == PEEK)
        return;
    state->tail->offset += part.given;
    if (part.left > 0)
        return;
    state->count--;
    memmove(state->tail, state->tail + 1, state->count * sizeof *state->tail);
}

void operation_model(enum operation operation, struct state *state, struct outcome *outcome)
{
    memset(outcome, 0, sizeof *outcome);
    switch (operation) {
    case LOOK:
        outcome->result = state->count > 0 ? (int)HELD_HERE : (int)HELD_NOT;
        if (state->count > 0)
            outcome->left = state->tail->length - state->tail->offset;
        break;
    case DRAIN: {
        size_t given = 0;
        int count = 0;

        for (; state->count > 0; count++) {
            model_take(state, operation, outcome);
            given += outcome->given;
        }
        *outcome = (struct outcome){.result = count, .given = given};
        break;
    }
    case HOLD:
        outcome->result = state->count > 0;
        state->tail[state->count].message = NEW;
        state->tail[state->count].length = sizeof content;
        state->tail[state->count].offset = state->count > 0 ? 0 : 50;
        state->count++;
        break;
    case ABANDON:
        state->count = 0;
        break;
    case REPLACE:
        state->count = 1;
        state->tail->message = NEW;
        state->tail->length = sizeof content;
        state->tail->offset = 100;
        break;
    default:
        model_take(state, operation, outcome);
    }
}

static void outcome_of(struct tail_take *take, struct outcome *outcome)
{
    *outcome = (struct outcome){.result = take->result};
    if (take->result != 1)
        return;
    tails_check(take);
    *outcome = (struct outcome){1,
                                take->message,
                                take->held.offset,
                                take->part.given,
                                take->part.left,
                                take->part.given - take->right};
}

void operation_run(struct run *run)
{
    struct held held;
    unsigned i = 0;

    switch (run->operation) {
    case LOOK:
        run->left = 0;
        run->result = (int)table_look(table, interrupt_socket, &run->left);
        break;
    case DRAIN:
        do
            tails_take_bytes(table, interrupt_socket, operation_room(DRAIN), 0, run->bytes[i],
                             &run->take[i]);
        while (run->take[i++].result == 1 && i <= INTERRUPT_TAILS);
        break;
    case HOLD:
        held = tails_record(HELD_HERE, NEW, sizeof content, 50);
        run->result = table_hold_lockless(table, interrupt_socket, &held, &whole, 1, NULL)
                          ? 0
                          : table_hold(table, interrupt_socket, &held, &whole, 1);
        break;
    case ABANDON:
        table_abandon(table, interrupt_socket, true);
        break;
    case REPLACE: /* by one at the same place, of the same length, of which as much is taken */
        held = tails_record(HELD_HERE, NEW, sizeof content, 100);
        table_abandon(table, interrupt_socket, true);
        run->result = table_hold(table, interrupt_socket, &held, &whole, 1);
        break;
    case FAULT:
        run->result = tails_take_failing(table, interrupt_socket, PART, 0, -EFAULT);
        break;
    default:
        tails_take_bytes(table, interrupt_socket, operation_room(run->operation),
                         operation_how(run->operation), run->bytes[0], &run->take[0]);
    }
}

void operation_outcome(struct run *run, struct outcome *outcome)
{
    memset(outcome, 0, sizeof *outcome);
    switch (run->operation) {
    case LOOK:
        outcome->result = run->result;
        outcome->left = run->result == (int)HELD_NOT ? 0 : run->left;
        break;
    case DRAIN: {
        struct outcome sum = {0};

        for (unsigned i = 0; i <= INTERRUPT_TAILS && run->take[i].result != 0; i++) {
            outcome_of(&run->take[i], outcome);
            sum.result += outcome->result;
            sum.given += outcome->given;
            sum.wrong += outcome->wrong;
        }
        *outcome = sum;
        break;
    }
    case HOLD:
    case REPLACE:
    case FAULT:
        outcome->result = run->result;
        break;
    case ABANDON:
        break;
    default:
        outcome_of(&run->take[0], outcome);
    }
}

/* --- running them ------------------------------------------------------------------------- */

struct run outer, inner;
volatile sig_atomic_t handled;

void interrupt_handler(int signal)
{
    int saved = errno;

    (void)signal;
    handled++;
    operation_run(&inner);
    errno = saved;
}

sigjmp_buf interrupt_left;

void interrupt_leave(int signal)
{
    (void)signal;
    handled++;
    siglongjmp(interrupt_left, 1);
}

void interrupt_hold_none(struct state *ret_state)
{
    struct tail tail;
    size_t wrong;

    tails_hold(table, interrupt_neighbour[0], 10, 100, 10);
    tails_hold(table, interrupt_socket, 1, 600, 100);
    tails_hold(table, interrupt_neighbour[1], 11, 100, 10);
    cr_assert_eq(tails_drain(table, interrupt_socket, &tail, 1, &wrong), 1);
    *ret_state = (struct state){0};
    memset(&outer, 0, sizeof outer);
    memset(&inner, 0, sizeof inner);
    handled = 0;
}

void interrupt_hold(struct state *ret_state)
{
    tails_hold(table, interrupt_neighbour[0], 10, 100, 10);
    tails_hold(table, interrupt_socket, 1, 600, 100);
    tails_hold(table, interrupt_socket, 2, 300, 0);
    tails_hold(table, interrupt_neighbour[1], 11, 100, 10);
    *ret_state = (struct state){2, {{1, 600, 100}, {2, 300, 0}}};
    memset(&outer, 0, sizeof outer);
    memset(&inner, 0, sizeof inner);
    handled = 0;
}

/* --- assertions --------------------------------------------------------------------------- */

static bool same_outcome(const struct outcome *one, const struct outcome *other)
{
    return one->result == other->result && one->message == other->message &&
           one->offset == other->offset && one->given == other->given && one->left == other->left &&
           one->wrong == other->wrong;
}

bool state_same(const struct state *one, const struct state *other)
{
    bool same = one->count == other->count;

    for (size_t i = 0; same && i < one->count; i++)
        same = one->tail[i].message == other->tail[i].message &&
               one->tail[i].offset == other->tail[i].offset;
    return same;
}

static const char *words(const struct outcome *outcome)
{
    static char text[2][200];
    static unsigned which;

    which = 1 - which;
    snprintf(text[which], sizeof text[which],
             "(result %d: message %u, offset %zu, given %zu, left %zu, wrong %zu)", outcome->result,
             outcome->message, outcome->offset, outcome->given, outcome->left, outcome->wrong);
    return text[which];
}

void interrupt_take_all(struct state *ret_state, const char *where)
{
    struct tail tails[INTERRUPT_TAILS];
    size_t wrong, count;

    for (unsigned i = 0; i < 2; i++) {
        count = tails_drain(table, interrupt_neighbour[i], tails, INTERRUPT_TAILS, &wrong);
        cr_assert(count == 1 && tails->message == 10 + i && tails->offset == 10 && wrong == 0,
                  "%s: the neighbour's tail is not what it was", where);
    }
    ret_state->count = tails_drain(table, interrupt_socket, tails, INTERRUPT_TAILS, &wrong);
    cr_assert_eq(wrong, 0, "%s: %zu wrong bytes are left", where, wrong);
    for (size_t i = 0; i < ret_state->count; i++) {
        ret_state->tail[i].message = tails[i].message;
        ret_state->tail[i].length = tails[i].length;
        ret_state->tail[i].offset = tails[i].offset;
    }
    cr_assert_eq(atomic_load(&table->used), 0, "%s: used is %u", where, atomic_load(&table->used));
    cr_assert_eq(atomic_load(&table->here), 0, "%s: here is %u", where, atomic_load(&table->here));
    cr_assert_not(atomic_load(&table->full), "%s: a page is lost", where);
}

void interrupt_assert_no_page_lost(const char *outer_name, const char *inner_name)
{
    struct tail tail;
    size_t wrong;

    if (pages == 1)
        return;
    cr_assert_eq(tails_hold(table, 99, 4, (pages - 1) * (size_t)4096, 0), 0);
    cr_assert_not(atomic_load(&table->full), "%s under %s: a page is lost", outer_name, inner_name);
    cr_assert_eq(tails_drain(table, 99, &tail, 1, &wrong), 1);
}

void interrupt_assert_some_order(const struct state *before, const char *where)
{
    struct outcome got_outer, got_inner, expected_outer, expected_inner;
    struct state first = *before, second = *before, found;
    bool outer_first, inner_first;

    operation_outcome(&outer, &got_outer);
    operation_outcome(&inner, &got_inner);
    interrupt_take_all(&found, where);

    operation_model(outer.operation, &first, &expected_outer);
    operation_model(inner.operation, &first, &expected_inner);
    outer_first = same_outcome(&got_outer, &expected_outer) &&
                  same_outcome(&got_inner, &expected_inner) && state_same(&found, &first);
    operation_model(inner.operation, &second, &expected_inner);
    operation_model(outer.operation, &second, &expected_outer);
    inner_first = same_outcome(&got_outer, &expected_outer) &&
                  same_outcome(&got_inner, &expected_inner) && state_same(&found, &second);
    cr_assert(outer_first || inner_first, "%s: %s got %s, the handler's %s got %s, %zu are left",
              where, operation_names[outer.operation], words(&got_outer),
              operation_names[inner.operation], words(&got_inner), found.count);
}
