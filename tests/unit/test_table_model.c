/* SPDX-License-Identifier: MIT
 *
 * The fragment table against a reference so simple that it can be seen to be right: a list of
 * messages for each socket. Random calls go to both, and both must say the same all the time.
 *
 * WSRX_TEST_SEED=N repeats the run that a failure names.
 */
#define _GNU_SOURCE
#include "table/layout.h"

#include "rows.h"
#include "tails.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* --- the reference ----------------------------------------------------------------------- */

enum { SOCKETS = 24, QUEUE = 64, PAGES_MAX = 256 };

struct message {
    unsigned number;
    enum held_kind kind;
    size_t length, offset, pages;
    unsigned sequence;
    bool orphan;
};

struct queue {
    uint64_t cookie;
    struct message message[QUEUE];
    size_t count;
};

static struct {
    struct queue queue[SOCKETS];
    unsigned sequence;
    unsigned long held, parts, bytes_saved, messages_lost, bytes_lost;
} model;

static struct table *table;
static unsigned long seed;

static void model_remove(struct queue *queue)
{
    queue->count--;
    memmove(queue->message, queue->message + 1, queue->count * sizeof *queue->message);
}

static void model_lose(struct queue *queue)
{
    model.messages_lost++;
    model.bytes_lost += queue->message->length - queue->message->offset;
    model_remove(queue);
}

struct sums {
    unsigned used, here, orphans;
    size_t pages;
    struct queue *oldest_orphan;
};

static struct sums model_sums(void)
{
    struct sums sums = {0};
    unsigned oldest = 0;

    for (struct queue *queue = model.queue; queue < model.queue + SOCKETS; queue++) {
        for (size_t i = 0; i < queue->count; i++) {
            const struct message *message = &queue->message[i];

            sums.used++;
            sums.here += message->kind != HELD_KERNEL;
            sums.pages += message->pages;
            sums.orphans += message->orphan;
            if (message->orphan && (!sums.oldest_orphan || message->sequence < oldest)) {
                sums.oldest_orphan = queue;
                oldest = message->sequence;
            }
        }
    }
    return sums;
}

static int model_hold(struct queue *queue, struct message message)
{
    bool behind = queue->count > 0;

    if (behind)
        message.offset = 0;
    message.pages = message.kind == HELD_KERNEL ? 0 : message.length - message.offset;
    message.pages = message.pages ? (message.pages + PAGE - 1) / PAGE : 1;
    message.sequence = ++model.sequence;
    queue->message[queue->count++] = message;
    model.held++;
    return behind;
}

static void model_abandon(struct queue *queue, bool last)
{
    struct sums sums;

    while (last && queue->count > 0)
        model_lose(queue);
    for (size_t i = 0; i < queue->count; i++)
        queue->message[i].orphan = true;
    for (sums = model_sums(); sums.orphans > ORPHANS_MAX; sums = model_sums())
        model_lose(sums.oldest_orphan);
}

/* --- helpers ----------------------------------------------------------------------------- */

static unsigned long dice;

static unsigned below(unsigned limit)
{
    dice ^= dice << 13; /* Marsaglia's xorshift, 64 bits */
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (unsigned)(dice >> 20) % limit;
}

/* Short ones, ones around a page, and long ones. */
static size_t some_length(void)
{
    switch (below(4)) {
    case 0:
        return 1 + below(40);
    case 1:
        return PAGE - 2 + below(5);
    case 2:
        return 2 * PAGE - 2 + below(5);
    default:
        return 1 + below(30000);
    }
}

/* --- assertions -------------------------------------------------------------------------- */

#define assert_same(what, got, expected)                                                         \
    cr_assert_eq((got), (expected), "WSRX_TEST_SEED=%lu, step %u: %s is %ld, must be %ld", seed, \
                 step, (what), (long)(got), (long)(expected))

static void assert_state(unsigned step)
{
    struct sums sums = model_sums();

    assert_same("used", atomic_load(&table->used), sums.used);
    assert_same("here", atomic_load(&table->here), sums.here);
    assert_same("full", atomic_load(&table->full), sums.pages >= PAGES_MAX);
    assert_same("held", atomic_load(&table->counters.held), model.held);
    assert_same("parts", atomic_load(&table->counters.parts), model.parts);
    assert_same("bytes_saved", atomic_load(&table->counters.bytes_saved), model.bytes_saved);
    assert_same("messages_lost", atomic_load(&table->counters.messages_lost), model.messages_lost);
    assert_same("bytes_lost", atomic_load(&table->counters.bytes_lost), model.bytes_lost);
}

static void assert_look(struct queue *queue, unsigned step)
{
    size_t left = 0;
    enum held_kind kind = table_look(table, queue->cookie, &left);

    assert_same("look", kind, queue->count ? queue->message->kind : HELD_NOT);
    if (queue->count > 0)
        assert_same("left", left, queue->message->length - queue->message->offset);
}

/* --- steps ------------------------------------------------------------------------------- */

static void do_hold(struct queue *queue, unsigned step)
{
    struct message message = {.number = step, .length = some_length(), .kind = HELD_HERE};

    if (queue->count == QUEUE)
        return;
    if (below(5) == 0)
        message.kind = HELD_KERNEL;
    if (queue->count > 0 && below(10) == 0)
        message.length = 0;
    message.offset = message.length ? below((unsigned)message.length) : 0;
    if (message.kind == HELD_KERNEL)
        assert_same(
            "hold",
            tails_hold_in_kernel(table, queue->cookie, step, message.length, message.offset),
            model_hold(queue, message));
    else
        assert_same("hold", tails_hold(table, queue->cookie, step, message.length, message.offset),
                    model_hold(queue, message));
}

static void do_take(struct queue *queue, unsigned step)
{
    static const unsigned hows[] = {0, 0, 0, 0, PART_PEEK, PART_TRUNC, PART_PEEK | PART_TRUNC};
    unsigned how = hows[below(7)];
    struct message *message = queue->message;
    size_t remaining = message->length - message->offset;
    size_t room = below(12) == 0                      ? 0
                  : below(3) == 0 && queue->count > 0 ? remaining - 1 + below(3)
                                                      : some_length();
    bool fails = below(8) == 0;
    int result = 0;
    struct tail_take take = {0};
    struct part part;

    if (room > TAILS_LONGEST) /* 0 - 1 */
        room = 0;
    if (fails)
        take.result = tails_take_failing(table, queue->cookie, room, how, -EFAULT);
    else
        take = tails_take(table, queue->cookie, room, how);
    if (queue->count > 0)
        result = message->kind == HELD_KERNEL ? -EREMOTE : fails ? -EFAULT : 1;
    assert_same("take", take.result, result);
    if (result != 1)
        return;

    part = part_next(remaining, room, how);
    assert_same("number", take.message, message->number);
    assert_same("offset", take.held.offset, message->offset);
    assert_same("given", take.part.given, part.given);
    assert_same("result", take.part.result, part.result);
    assert_same("left", take.part.left, part.left);
    assert_same("right bytes", take.right, part.given);
    if (how & PART_PEEK)
        return;
    model.parts++;
    model.bytes_saved += part.given;
    if (remaining > part.given + part.left) {
        model.messages_lost++;
        model.bytes_lost += remaining - part.given - part.left;
    }
    if (part.left > 0)
        message->offset += part.given;
    else
        model_remove(queue);
}

static void do_kernel_part(struct queue *queue, unsigned step)
{
    struct message *message = queue->message;
    struct critical_section section;
    struct held held = {0};
    size_t offset;
    bool got;

    table_enter(table, &section);
    got = table_get_locked(table, queue->cookie, &held);
    assert_same("get", got, queue->count > 0);
    if (got) {
        assert_same("number", (unsigned)held.msg_flags, message->number);
        assert_same("kind", held.kind, message->kind);
        assert_same("length", held.length, message->length);
        assert_same("offset", held.offset, message->offset);
    }
    if (got && held.kind == HELD_KERNEL) {
        offset = held.offset + below(5000);
        if (offset < held.length) {
            table_advance_locked(table, queue->cookie, &(struct held){.offset = offset});
            message->offset = offset;
        } else {
            table_finish_locked(table, queue->cookie);
            model_remove(queue);
        }
    }
    table_leave(table, &section);
}

static void do_abandon(struct queue *queue)
{
    bool last = below(3) == 0;

    table_abandon(table, queue->cookie, last);
    model_abandon(queue, last);
}

/* Mostly full of tails, mostly empty, and in between: the weights change as it goes. */
static void do_step(unsigned step)
{
    unsigned holds = 10 + step / 500 % 3 * 20;
    struct queue *queue = &model.queue[below(SOCKETS)];
    unsigned what = below(100);

    if (what < holds)
        do_hold(queue, step);
    else if (what < 85)
        do_take(queue, step);
    else if (what < 95)
        do_kernel_part(queue, step);
    else if (what < 97)
        do_abandon(queue);
    else
        assert_look(queue, step);
}

/* --- table ------------------------------------------------------------------------------- */

static void run_model(unsigned long with_seed, unsigned steps)
{
    seed = with_seed;
    dice = seed * 2 + 1;
    memset(&model, 0, sizeof model);
    table = tails_create(PAGES_MAX * PAGE);
    /* Some alone in their chain of the hash, some in one together. */
    for (unsigned i = 0; i < SOCKETS; i++)
        model.queue[i].cookie = i < SOCKETS / 2 ? 100 + i : tails_collide(9, i - SOCKETS / 2);

    for (unsigned step = 0; step < steps; step++) {
        do_step(step);
        assert_state(step);
    }
    for (unsigned i = 0; i < SOCKETS; i++)
        assert_look(&model.queue[i], steps);
    for (unsigned i = 0; i < SOCKETS; i++) {
        table_abandon(table, model.queue[i].cookie, true);
        model_abandon(&model.queue[i], true);
    }
    assert_state(steps);
}

TestSuite(table_model, .timeout = 60);

static const unsigned long seeds[] = {1, 2, 3, 4, 5, 6};

ROWS(table_model, says_the_same, ROWS_OF(seeds))
{
    run_model(seeds[*row], 6000);
}

Test(table_model, says_the_same_for_a_new_seed)
{
    const char *given = getenv("WSRX_TEST_SEED");
    unsigned long from = given ? strtoul(given, NULL, 10)
                               : (unsigned long)time(NULL) * 100000 + (unsigned long)getpid();

    fprintf(stderr, "# WSRX_TEST_SEED=%lu\n", from);
    run_model(from, 20000);
}
