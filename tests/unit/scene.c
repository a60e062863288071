/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "scene.h"

#include "child.h"
#include "table_take.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const uint64_t SOCKET = 77;

/* Before and after the socket in its chain of the hash. */
struct table *table;
uint64_t scene_socket;
static uint64_t neighbour[2];

void scene_make(void)
{
    neighbour[0] = tails_collide(SOCKET, 0);
    scene_socket = tails_collide(SOCKET, 1);
    neighbour[1] = tails_collide(SOCKET, 2);
    /* One page, so that a page that stays used for nothing shows as `full`. */
    table = tails_create(1);
}

void scene_hold_neighbour(unsigned which)
{
    tails_hold(table, neighbour[which], 10 + which, 100, 10);
    tails_hold(table, neighbour[which], 20 + which, 50, 0);
}

bool scene_same(const struct state *found, const struct state *expected)
{
    bool same = found->count == expected->count;

    for (size_t i = 0; same && i < found->count; i++)
        same = found->tail[i].kind == expected->tail[i].kind &&
               found->tail[i].message == expected->tail[i].message &&
               found->tail[i].length == expected->tail[i].length &&
               found->tail[i].offset == expected->tail[i].offset;
    return same;
}

const char *scene_words(const struct state *state)
{
    static char text[256];

    text[0] = '\0';
    for (size_t i = 0; i < state->count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "[%d: %u, %zu of %zu]",
                 (int)state->tail[i].kind, state->tail[i].message, state->tail[i].offset,
                 state->tail[i].length);
    return text;
}

static void drain(uint64_t cookie, struct state *ret_found)
{
    size_t wrong;

    ret_found->count = tails_drain(table, cookie, ret_found->tail, SCENE_TAILS, &wrong);
    cr_assert_eq(wrong, 0, "%zu wrong bytes in %s", wrong, scene_words(ret_found));
}

void scene_take_all(struct state *ret_found, const char *where, unsigned long count)
{
    struct state found;
    unsigned used, here, kernel = 0;

    /* The first look repairs the table, if it needs that. */
    table_look(table, scene_socket, NULL);
    used = atomic_load(&table->used);
    here = atomic_load(&table->here);

    for (unsigned i = 0; i < 2; i++) {
        struct state expected = {2, {{HELD_HERE, 10 + i, 100, 10}, {HELD_HERE, 20 + i, 50, 0}}};

        drain(neighbour[i], &found);
        cr_assert(scene_same(&found, &expected), "%s, %lu: the neighbour has %s", where, count,
                  scene_words(&found));
    }
    drain(scene_socket, ret_found);
    for (size_t i = 0; i < ret_found->count; i++)
        kernel += ret_found->tail[i].kind == HELD_KERNEL;
    cr_assert_eq(used, 4 + ret_found->count, "%s, %lu: used was %u, found %s", where, count, used,
                 scene_words(ret_found));
    cr_assert_eq(here, 4 + ret_found->count - kernel, "%s, %lu: here was %u, found %s", where,
                 count, here, scene_words(ret_found));
    cr_assert_eq(atomic_load(&table->used), 0, "%s, %lu: used is %u", where, count,
                 atomic_load(&table->used));
    cr_assert_eq(atomic_load(&table->here), 0, "%s, %lu: here is %u", where, count,
                 atomic_load(&table->here));
    cr_assert_not(atomic_load(&table->full), "%s, %lu: a page is lost", where, count);
}

void scene_die(void *context)
{
    (void)context;
    kill(getpid(), SIGKILL);
}

int scene_die_in_copy(void *context, const void *from, size_t size)
{
    (void)from;
    (void)size;
    scene_die(context);
    return 0;
}

void scene_take(size_t room, unsigned how, table_copy copy)
{
    struct held held;
    struct part part;

    table_take(table, scene_socket, room, how, copy, NULL, &held, &part);
}

void scene_hold(const struct state *state)
{
    scene_hold_neighbour(0);
    for (size_t i = 0; i < state->count; i++) {
        const struct tail *tail = &state->tail[i];

        if (tail->kind == HELD_KERNEL)
            tails_hold_in_kernel(table, scene_socket, tail->message, tail->length, tail->offset);
        else
            tails_hold(table, scene_socket, tail->message, tail->length, tail->offset);
    }
    scene_hold_neighbour(1);
}
