/* SPDX-License-Identifier: MIT
 *
 * The fragment table under signals: receive functions may be called in a handler (POSIX,
 * signal-safety(7)) on top of a receive on the same socket. Whatever the moment, both get what
 * they would get one after the other, in one order or the other.
 */
#define _GNU_SOURCE
#include "table/table.h"

#include "pattern.h"
#include "rows.h"
#include "step.h"
#include "tails.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* --- fixture ----------------------------------------------------------------------------- */

static struct table *table;

/* The socket, in the midst of a chain of the table's hash. */
static uint64_t socket_cookie, neighbour[2];

static unsigned char content[600];
static struct iovec whole = {content, sizeof content};

enum { NEW = 3, PART = 200 };

static void set_up(void)
{
    neighbour[0] = tails_collide(77, 0);
    socket_cookie = tails_collide(77, 1);
    neighbour[1] = tails_collide(77, 2);
    pattern_fill(content, NEW, 0, sizeof content);
    /* One page, so that a page that stays used for nothing shows as `full`. */
    table = tails_create(1);
}

TestSuite(table_signal, .init = set_up, .timeout = 240);

/* --- operations, and a model of them ----------------------------------------------------- */

/* What is held for the socket. */
enum { TAILS = 4 };

struct state {
    size_t count;
    struct {
        unsigned message;
        size_t length, offset;
    } tail[TAILS];
};

enum operation { TAKE, TAKE_REST, SKIP, TRUNC, PEEK, FAULT, LOOK, DRAIN, HOLD, ABANDON, REPLACE };

static const char *const names[] = {"take", "take the rest", "skip",   "take with MSG_TRUNC",
                                    "peek", "bad buffer",    "look",   "drain",
                                    "hold", "abandon",       "replace"};

/* What an operation tells its caller. */
struct outcome {
    int result;
    unsigned message;
    size_t offset, given, left;
    size_t wrong; /* bytes */
};

static size_t room_of(enum operation operation)
{
    return operation == SKIP ? 0 : operation == TAKE_REST || operation == DRAIN ? 1000 : PART;
}

static unsigned how_of(enum operation operation)
{
    return operation == PEEK ? PART_PEEK : operation == TRUNC ? PART_TRUNC : 0;
}

static void model_take(struct state *state, enum operation operation, struct outcome *outcome)
{
    struct part part;

    if (state->count == 0)
        return;
    part =
        part_next(state->tail->length - state->tail->offset, room_of(operation), how_of(operation));
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

static void model(enum operation operation, struct state *state, struct outcome *outcome)
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
    tails_judge(take);
    *outcome = (struct outcome){1,
                                take->message,
                                take->held.offset,
                                take->part.given,
                                take->part.left,
                                take->part.given - take->right};
}

/* An operation in two halves: what may be interrupted, and the judgement of it. Async-signal-safe;
 * one within another. */
struct run {
    enum operation operation;
    struct tail_take take[TAILS + 1];
    unsigned char bytes[TAILS + 1][1000];
    int result;
    size_t left;
};

static void run(struct run *run)
{
    struct held held;
    unsigned i = 0;

    switch (run->operation) {
    case LOOK:
        run->left = 0;
        run->result = (int)table_look(table, socket_cookie, &run->left);
        break;
    case DRAIN:
        do
            tails_take_bytes(table, socket_cookie, room_of(DRAIN), 0, run->bytes[i], &run->take[i]);
        while (run->take[i++].result == 1 && i <= TAILS);
        break;
    case HOLD:
        held = tails_record(HELD_HERE, NEW, sizeof content, 50);
        run->result = table_hold(table, socket_cookie, &held, &whole, 1);
        break;
    case ABANDON:
        table_abandon(table, socket_cookie, true);
        break;
    case REPLACE: /* by one at the same place, of the same length, of which as much is taken */
        held = tails_record(HELD_HERE, NEW, sizeof content, 100);
        table_abandon(table, socket_cookie, true);
        run->result = table_hold(table, socket_cookie, &held, &whole, 1);
        break;
    case FAULT:
        run->result = tails_take_failing(table, socket_cookie, PART, 0, -EFAULT);
        break;
    default:
        tails_take_bytes(table, socket_cookie, room_of(run->operation), how_of(run->operation),
                         run->bytes[0], &run->take[0]);
    }
}

static void judge(struct run *run, struct outcome *outcome)
{
    memset(outcome, 0, sizeof *outcome);
    switch (run->operation) {
    case LOOK:
        outcome->result = run->result;
        outcome->left = run->result == (int)HELD_NOT ? 0 : run->left;
        break;
    case DRAIN: {
        struct outcome sum = {0};

        for (unsigned i = 0; i <= TAILS && run->take[i].result != 0; i++) {
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

/* --- helpers ----------------------------------------------------------------------------- */

static struct run outer, inner;
static volatile sig_atomic_t handled;

static void handler(int signal)
{
    int saved = errno;

    (void)signal;
    handled++;
    run(&inner);
    errno = saved;
}

/* One neighbour came before the socket into the chain, the other one after it. */
static void hold_scene(struct state *ret_state)
{
    tails_hold(table, neighbour[0], 10, 100, 10);
    tails_hold(table, socket_cookie, 1, 600, 100);
    tails_hold(table, socket_cookie, 2, 300, 0);
    tails_hold(table, neighbour[1], 11, 100, 10);
    *ret_state = (struct state){2, {{1, 600, 100}, {2, 300, 0}}};
    memset(&outer, 0, sizeof outer);
    memset(&inner, 0, sizeof inner);
    handled = 0;
}

/* --- assertions -------------------------------------------------------------------------- */

static bool same_outcome(const struct outcome *one, const struct outcome *other)
{
    return one->result == other->result && one->message == other->message &&
           one->offset == other->offset && one->given == other->given && one->left == other->left &&
           one->wrong == other->wrong;
}

static bool same_state(const struct state *one, const struct state *other)
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

static void take_stock(struct state *ret_state, const char *where)
{
    struct tail tails[TAILS];
    size_t wrong, count;

    for (unsigned i = 0; i < 2; i++) {
        count = tails_drain(table, neighbour[i], tails, TAILS, &wrong);
        cr_assert(count == 1 && tails->message == 10 + i && tails->offset == 10 && wrong == 0,
                  "%s: the neighbour's tail is not what it was", where);
    }
    ret_state->count = tails_drain(table, socket_cookie, tails, TAILS, &wrong);
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

/* Both outcomes, and what is left, are those of one order or of the other. */
static void assert_in_some_order(const struct state *before, const char *where)
{
    struct outcome got_outer, got_inner, expected_outer, expected_inner;
    struct state first = *before, second = *before, found;
    bool outer_first, inner_first;

    judge(&outer, &got_outer);
    judge(&inner, &got_inner);
    take_stock(&found, where);

    model(outer.operation, &first, &expected_outer);
    model(inner.operation, &first, &expected_inner);
    outer_first = same_outcome(&got_outer, &expected_outer) &&
                  same_outcome(&got_inner, &expected_inner) && same_state(&found, &first);
    model(inner.operation, &second, &expected_inner);
    model(outer.operation, &second, &expected_outer);
    inner_first = same_outcome(&got_outer, &expected_outer) &&
                  same_outcome(&got_inner, &expected_inner) && same_state(&found, &second);
    cr_assert(outer_first || inner_first, "%s: %s got %s, the handler's %s got %s, %zu are left",
              where, names[outer.operation], words(&got_outer), names[inner.operation],
              words(&got_inner), found.count);
}

/* --- a signal within the copy ------------------------------------------------------------ */

static int copy_and_raise(void *context, const void *from, size_t size)
{
    memcpy(context, from, size);
    if (handled == 0)
        raise(SIGUSR1);
    return 0;
}

Test(table_signal, within_the_copy)
{
    static const enum operation takes[] = {TAKE, TAKE_REST, SKIP, TRUNC, PEEK};

    signal(SIGUSR1, handler);
    for (unsigned i = 0; i < sizeof takes / sizeof *takes; i++) {
        for (unsigned j = 0; j < ROWS_OF(names); j++) {
            char where[100];
            struct state before;
            struct tail_take *take = outer.take;

            hold_scene(&before);
            outer.operation = takes[i];
            inner.operation = (enum operation)j;
            take->bytes = outer.bytes[0];
            take->result = table_take(table, socket_cookie, room_of(takes[i]), how_of(takes[i]),
                                      copy_and_raise, take->bytes, &take->held, &take->part);
            cr_assert_eq(handled, 1);
            snprintf(where, sizeof where, "%s with %s in its copy", names[takes[i]], names[j]);
            assert_in_some_order(&before, where);
        }
    }
}

/* A take that leaves something runs with signals open: the handler is first, and the take that it
 * interrupted gets the part after it. */
Test(table_signal, within_the_copy_the_handler_is_first)
{
    struct state before;
    struct tail_take *take = outer.take;

    signal(SIGUSR1, handler);
    hold_scene(&before);
    inner.operation = TAKE;
    take->bytes = outer.bytes[0];
    take->result = table_take(table, socket_cookie, PART, 0, copy_and_raise, take->bytes,
                              &take->held, &take->part);
    cr_assert_eq(take->result, 1);
    cr_assert_eq(take->held.offset, 100 + PART);
    cr_assert_eq(inner.take->result, 1);
    cr_assert_eq(inner.take->held.offset, 100);
}

/* recv(2) may be left by siglongjmp(): a timeout of old programs. Nothing is locked then, and
 * nothing is missing. */
static sigjmp_buf before_the_take;

static void leave(int signal)
{
    (void)signal;
    handled++;
    siglongjmp(before_the_take, 1);
}

Test(table_signal, within_the_copy_the_handler_leaves)
{
    for (unsigned i = 0; i < 2; i++) {
        static unsigned char bytes[1000];
        struct state before, found;
        pid_t other;
        int status;

        signal(SIGUSR1, leave);
        hold_scene(&before);
        if (sigsetjmp(before_the_take, 1) == 0) {
            struct held held;
            struct part part;

            table_take(table, socket_cookie, PART, i == 0 ? 0 : PART_PEEK, copy_and_raise, bytes,
                       &held, &part);
            cr_assert_fail("the handler has not left");
        }
        cr_assert_eq(handled, 1);
        cr_assert_eq(table_look(table, socket_cookie, NULL), HELD_HERE);

        other = fork();
        if (other == 0) {
            alarm(10); /* it must not wait for the mutex */
            outer.operation = TAKE;
            run(&outer);
            tails_judge(outer.take);
            _exit(outer.take->result == 1 && outer.take->right == PART ? 0 : 1);
        }
        cr_assert_eq(waitpid(other, &status, 0), other);
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
        take_stock(&found, "left");
        cr_assert_eq(found.count, 2);
        cr_assert_eq(found.tail[0].offset, 100 + PART);
        cr_assert_eq(found.tail[1].offset, 0);
    }
}

/* --- a signal between any two instructions ----------------------------------------------- */

static void run_outer(void *context)
{
    (void)context;
    run(&outer);
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

ROWS(table_signal, at_any_instruction, ROWS_OF(pairs))
{
    const struct pair *pair = &pairs[*row];
    bool interrupted = true;
    unsigned long count = 1;

    if (!step_supported())
        cr_skip_test("no single steps on this processor");
    signal(SIGUSR1, handler);
    for (; interrupted; count = step_next(count, 0)) {
        char where[100];
        struct state before;

        hold_scene(&before);
        outer.operation = pair->outer;
        inner.operation = pair->inner;
        interrupted = step_interrupt(count, run_outer, raise_signal, NULL);
        if (!interrupted)
            run(&inner);
        else
            cr_assert_eq(handled, 1);
        snprintf(where, sizeof where, "%s under %s after %lu instructions", names[pair->outer],
                 names[pair->inner], count);
        assert_in_some_order(&before, where);
    }
    cr_assert_gt(count, 100);
}

/* What a take was copying is lost in its midst, and the pages are given back to the system: either
 * the take has its part, or all is lost; no byte is both, or neither, or wrong. */
Test(table_signal, abandoned_within_a_take)
{
    bool interrupted = true;
    unsigned taken = 0, lost = 0;

    if (!step_supported())
        cr_skip_test("no single steps on this processor");
    signal(SIGUSR1, handler);
    table = tails_create(4 << 20);
    /* Beyond the pages that are kept for the next burst. */
    cr_assert_eq(tails_hold(table, 1, 0, 1 << 20, 0), 0);
    cr_assert_eq(tails_hold(table, 2, 0, 1 << 20, 0), 0);
    for (unsigned long count = 1; interrupted; count = step_next(count, 0)) {
        unsigned long before, more;
        struct outcome outcome;
        struct state state;

        hold_scene(&state);
        before = atomic_load(&table->counters.bytes_lost);
        outer.operation = TAKE;
        inner.operation = ABANDON;
        interrupted = step_interrupt(count, run_outer, raise_signal, NULL);
        if (!interrupted)
            run(&inner);
        more = atomic_load(&table->counters.bytes_lost) - before;
        judge(&outer, &outcome);
        taken += outcome.result == 1;
        lost += outcome.result == 0;
        cr_assert(outcome.result == 0 || (outcome.result == 1 && outcome.given == PART));
        cr_assert_eq(outcome.wrong, 0, "%zu wrong bytes after %lu instructions", outcome.wrong,
                     count);
        cr_assert_eq(more + outcome.given, 500 + 300, "%lu lost and %zu taken, at %lu", more,
                     outcome.given, count);
        for (unsigned i = 0; i < 2; i++)
            table_abandon(table, neighbour[i], true);
    }
    cr_assert_gt(taken, 0);
    cr_assert_gt(lost, 0);
}

/* --- a handler that leaves, between any two instructions --------------------------------- */

/* recv(2) may be left by siglongjmp() at any moment. Nothing is locked then: what the call was to
 * change is as before it or as after it, for this thread and for the next process. */
static const enum operation left[] = {TAKE, TAKE_REST, PEEK, LOOK, HOLD, ABANDON};

ROWS(table_signal, left_at_any_instruction, ROWS_OF(left))
{
    enum operation operation = left[*row];
    static volatile bool ended; /* by itself */
    static unsigned long count;
    static unsigned afters;

    if (!step_supported())
        cr_skip_test("no single steps on this processor");
    signal(SIGUSR1, leave);
    for (count = 1; !ended; count = step_next(count, 0)) {
        struct state before, after, found;
        struct outcome outcome;
        char where[100];
        int status;
        pid_t other;

        hold_scene(&before);
        after = before;
        model(operation, &after, &outcome);
        outer.operation = operation;
        if (sigsetjmp(before_the_take, 1) == 0)
            ended = !step_interrupt(count, run_outer, raise_signal, NULL);
        snprintf(where, sizeof where, "%s, left after %lu instructions", names[operation], count);
        cr_assert_eq(handled, !ended, "%s", where);

        other = fork();
        if (other == 0) {
            alarm(30); /* it must not wait for the mutex */
            table_look(table, socket_cookie, NULL);
            take_stock(&found, where);
            _exit(same_state(&found, &after) ? 2 : same_state(&found, &before) ? 1 : 0);
        }
        cr_assert_eq(waitpid(other, &status, 0), other);
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) > 0, "%s: status %x", where, status);
        afters += WEXITSTATUS(status) == 2;
        cr_assert(table_idle(table));
    }
    cr_assert_gt(count, 100);
    cr_assert_gt(afters, 0);
}

/* --- a signal during the repair after a death -------------------------------------------- */

/* In the midst of a change, for all that the next one knows. */
static void die_in_the_table(void)
{
    int status;
    pid_t pid = fork();

    cr_assert_geq(pid, 0);
    if (pid == 0) {
        struct critical_section section;

        table_enter(table, &section);
        kill(getpid(), SIGKILL);
        _exit(0);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static const struct pair repairing_pairs[] = {{TAKE, TAKE}, {TAKE, HOLD}, {LOOK, DRAIN}};

ROWS(table_signal, during_the_repair, ROWS_OF(repairing_pairs))
{
    const struct pair *pair = &repairing_pairs[*row];
    bool interrupted = true;
    unsigned long count = 1, length;
    struct state before;

    if (!step_supported())
        cr_skip_test("no single steps on this processor");
    signal(SIGUSR1, handler);
    hold_scene(&before);
    die_in_the_table();
    outer.operation = LOOK;
    length = step_count(run_outer, NULL);
    take_stock(&before, "a first repair");
    for (; interrupted; count = step_next(count, length)) {
        char where[100];

        hold_scene(&before);
        die_in_the_table();
        outer.operation = pair->outer;
        inner.operation = pair->inner;
        interrupted = step_interrupt(count, run_outer, raise_signal, NULL);
        if (!interrupted)
            run(&inner);
        snprintf(where, sizeof where, "%s under %s, repairing, after %lu instructions",
                 names[pair->outer], names[pair->inner], count);
        assert_in_some_order(&before, where);
    }
}

/* --- a storm of signals ------------------------------------------------------------------ */

/* The program and a handler take from one socket, for some time; nobody says when. */
enum { LENGTH = 3000, SOCKETS = 2 };

static struct {
    unsigned message[SOCKETS];
    unsigned char times[SOCKETS][LENGTH]; /* that each byte of the message came */
    volatile bool taking;
    volatile unsigned wrong;
    volatile unsigned long taken, interruptions;
} storm;

static void account(struct tail_take *take, unsigned which)
{
    tails_judge(take);
    if (take->result != 1 || take->right != take->part.given ||
        take->message != storm.message[which]) {
        storm.wrong++;
        return;
    }
    for (size_t i = 0; i < take->part.given; i++)
        storm.times[which][take->held.offset + i]++;
}

static void storm_handler(int signal)
{
    int saved = errno;
    bool interrupts = storm.taking;

    (void)signal;
    for (unsigned which = 0; which < SOCKETS; which++) {
        static unsigned char bytes[LENGTH];
        struct tail_take take;

        tails_take_bytes(table, neighbour[which], 70, 0, bytes, &take);
        if (take.result == 0)
            continue;
        account(&take, which);
        storm.taken++;
        storm.interruptions += interrupts;
    }
    errno = saved;
}

static void hold_in_storm(unsigned which, unsigned message)
{
    static unsigned char bytes[LENGTH];
    struct iovec iov = {bytes, LENGTH};
    struct held held = tails_record(HELD_HERE, message, LENGTH, 1);

    for (size_t i = 0; i < LENGTH; i++)
        cr_assert(message < SOCKETS || storm.times[which][i] == (i > 0),
                  "byte %zu of message %u came %d times", i, storm.message[which],
                  storm.times[which][i]);
    memset(storm.times[which], 0, LENGTH);
    storm.message[which] = message;
    pattern_fill(bytes, message, 0, LENGTH);
    cr_assert_eq(table_hold(table, neighbour[which], &held, &iov, 1), 0);
}

Test(table_signal, a_storm_of_signals)
{
    const struct itimerval often = {{0, 40}, {0, 40}}, never = {{0, 0}, {0, 0}};
    struct timespec start, now;
    unsigned message = 0;

    signal(SIGALRM, storm_handler);
    clock_gettime(CLOCK_MONOTONIC, &start);
    setitimer(ITIMER_REAL, &often, NULL);
    do {
        unsigned which = message % SOCKETS;
        struct tail_take take;

        hold_in_storm(which, message++);
        if (message < SOCKETS)
            continue;
        which = message % SOCKETS;
        do {
            static unsigned char bytes[LENGTH];

            storm.taking = true;
            tails_take_bytes(table, neighbour[which], 50, 0, bytes, &take);
            storm.taking = false;
            if (take.result != 0)
                account(&take, which);
        } while (take.result != 0 && storm.wrong == 0);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (message < SOCKETS || (now.tv_sec - start.tv_sec < 2 && storm.wrong == 0));
    setitimer(ITIMER_REAL, &never, NULL);

    cr_assert_eq(storm.wrong, 0, "%u takes were wrong", storm.wrong);
    cr_assert_gt(storm.taken, 0, "no signal came");
    cr_assert_gt(storm.interruptions, 0, "no signal came within a take");
    for (unsigned which = 0; which < SOCKETS; which++)
        table_abandon(table, neighbour[which], true);
    cr_assert(table_idle(table));
}

/* --- signals and threads ----------------------------------------------------------------- */

/* Takes that leave something run without the mutex, in several threads and their handlers at once.
 * Threads take what one of them holds, under a hail of signals whose handlers take too. */
enum { THREADS = 3, MESSAGES = 6000, SHORT = 700 };

static struct {
    atomic_uchar times[MESSAGES][SHORT];
    atomic_bool all_held;
    atomic_uint wrong;
    atomic_ulong in_handlers;
} hail;

static size_t hail_length(unsigned message)
{
    return 2 + message * 37 % (SHORT - 1);
}

/* Async-signal-safe. */
static bool take_in_hail(unsigned which, size_t room)
{
    unsigned char bytes[SHORT];
    struct tail_take take;

    tails_take_bytes(table, neighbour[which % 2], room, 0, bytes, &take);
    if (take.result == 0)
        return false;
    tails_judge(&take);
    if (take.result != 1 || take.right != take.part.given || take.message >= MESSAGES) {
        atomic_fetch_add(&hail.wrong, 1);
        return true;
    }
    for (size_t i = 0; i < take.part.given; i++)
        atomic_fetch_add(&hail.times[take.message][take.held.offset + i], 1);
    return true;
}

static void hail_handler(int signal)
{
    int saved = errno;
    static atomic_uint turn;

    (void)signal;
    if (take_in_hail(atomic_fetch_add(&turn, 1), 90))
        atomic_fetch_add(&hail.in_handlers, 1);
    errno = saved;
}

static void *take_all(void *unused)
{
    for (unsigned turn = 0;; turn++) {
        bool all_held = atomic_load(&hail.all_held);
        bool one = take_in_hail(0, 50 + turn % 100), other = take_in_hail(1, 200);

        if (all_held && !one && !other)
            return unused;
    }
}

static void *hold_all(void *unused)
{
    for (unsigned message = 0; message < MESSAGES; message++) {
        static unsigned char bytes[SHORT];
        size_t length = hail_length(message);
        struct held held = tails_record(HELD_HERE, message, length, 0);
        struct iovec iov = {bytes, length};

        pattern_fill(bytes, message, 0, length);
        if (table_hold(table, neighbour[message % 2], &held, &iov, 1) < 0)
            atomic_fetch_add(&hail.wrong, 1);
    }
    atomic_store(&hail.all_held, true);
    return unused;
}

Test(table_signal, a_hail_of_signals_over_threads)
{
    pthread_t holder, takers[THREADS];

    signal(SIGUSR1, hail_handler);
    for (unsigned i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&takers[i], NULL, take_all, NULL), 0);
    cr_assert_eq(pthread_create(&holder, NULL, hold_all, NULL), 0);
    while (!atomic_load(&hail.all_held))
        for (unsigned i = 0; i < THREADS; i++)
            pthread_kill(takers[i], SIGUSR1);
    cr_assert_eq(pthread_join(holder, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_join(takers[i], NULL), 0);

    cr_assert_eq(atomic_load(&hail.wrong), 0, "%u takes were wrong", atomic_load(&hail.wrong));
    cr_assert_gt(atomic_load(&hail.in_handlers), 0, "no handler took anything");
    for (unsigned message = 0; message < MESSAGES; message++)
        for (size_t i = 0; i < SHORT; i++)
            cr_assert_eq(atomic_load(&hail.times[message][i]), i < hail_length(message),
                         "byte %zu of message %u came %u times", i, message,
                         atomic_load(&hail.times[message][i]));
    cr_assert(table_idle(table));
    cr_assert_eq(atomic_load(&table->here), 0);
    cr_assert_not(atomic_load(&table->full));
}
