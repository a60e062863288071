/* SPDX-License-Identifier: MIT */
/*
 * A process that dies inside the fragment table locks nobody out, and takes nothing along: deaths at
 * certain places.
 */
#define _GNU_SOURCE
#include "table/layout.h"

#include "child.h"
#include "rows.h"
#include "scene.h"

#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const uint64_t SOCKET = 77;

TestSuite(table_death, .init = scene_make, .timeout = 240);

static bool part_is(const struct tail_take *take, unsigned message, size_t offset, size_t given)
{
    return take->result == 1 && take->message == message && take->held.offset == offset &&
           take->part.given == given && take->right == given;
}

#define assert_part(take_, message_, offset_, given_)                                      \
    do {                                                                                   \
        struct tail_take part_ = (take_);                                                  \
                                                                                           \
        cr_assert(part_is(&part_, (message_), (offset_), (given_)),                        \
                  "result %d, message %u, offset %zu, given %zu, right %zu", part_.result, \
                  part_.message, part_.held.offset, part_.part.given, part_.right);        \
    } while (0)

struct dying_take {
    size_t room;
    unsigned how;
};

static const struct dying_take dying_takes[] = {
    {PART, 0}, {600, 0}, {0, 0}, {PART, PART_PEEK}, {PART, PART_TRUNC}};

Test(table_death, a_death_in_the_copy_consumes_nothing)
{
    for (unsigned i = 0; i < ROWS_OF(dying_takes); i++) {
        struct state found, expected = {2, {ONE, TWO}};
        pid_t pid;

        scene_hold_neighbour(0);
        tails_hold(table, scene_socket, 1, 600, 100);
        scene_hold_neighbour(1);
        tails_hold(table, scene_socket, 2, 300, 0);
        pid = child_start();
        if (pid == 0) {
            scene_take(dying_takes[i].room, dying_takes[i].how, scene_die_in_copy);
            _exit(0);
        }
        cr_assert_eq(child_end(pid), 128 + SIGKILL);
        scene_take_all(&found, "copy", i);
        cr_assert(scene_same(&found, &expected), "take %u: %s", i, scene_words(&found));
    }
}

static int inside;

static int stay_in_copy(void *context, const void *from, size_t size)
{
    (void)context;
    (void)from;
    (void)size;
    if (write(inside, "", 1) == 1)
        pause();
    return 0;
}

/* Those who wait for the mutex when its owner dies go on. */
Test(table_death, a_death_lets_the_waiting_in)
{
    pid_t owner, waiting[2];
    int ends[2];
    char byte;

    cr_assert_eq(pipe(ends), 0);
    inside = ends[1];
    tails_hold(table, scene_socket, 1, 600, 100);
    owner = child_start();
    if (owner == 0) {
        scene_take(600, 0, stay_in_copy); /* to the message's end, for which it takes the mutex */
        _exit(0);
    }
    cr_assert_eq(read(ends[0], &byte, 1), 1);
    for (unsigned i = 0; i < 2; i++) {
        waiting[i] = child_start();
        if (waiting[i] == 0) {
            struct tail_take got = tails_take(table, scene_socket, PART, 0);

            _exit(got.result == 1 && got.right == PART ? 0 : 1);
        }
    }
    /* Let them get to the mutex; if they have not, the test is easier, not wrong. */
    poll(NULL, 0, 20);
    kill(owner, SIGKILL);
    cr_assert_eq(child_end(owner), 128 + SIGKILL);
    cr_assert_eq(child_end(waiting[0]), 0);
    cr_assert_eq(child_end(waiting[1]), 0);
    assert_part(tails_take(table, scene_socket, 600, 0), 1, 100 + 2 * PART, 100);
    cr_assert(table_idle(table));
}

/* The mutex goes on being one: whoever is in the table keeps others out of it. */
Test(table_death, a_death_leaves_the_mutex_whole)
{
    struct critical_section section;
    struct pollfd in = {.events = POLLIN};
    int ends[2];
    pid_t other;

    cr_assert_eq(pipe(ends), 0);
    in.fd = ends[0];
    child_dies_inside(table);
    for (unsigned i = 0; i < 2; i++) {
        table_enter(table, &section);
        other = child_start();
        if (other == 0) {
            table_enter(table, &section);
            _exit(write(ends[1], "", 1) == 1 ? 0 : 1);
        }
        /* Where it is slow to come, the test is easier, not wrong. It dies in the table too. */
        cr_assert_eq(poll(&in, 1, 50), 0, "two are in the table");
        table_leave(table, &section);
        cr_assert_eq(child_end(other), 0);
        cr_assert_eq(read(ends[0], (char[1]){0}, 1), 1);
    }
}

/* A waiter is woken by the owner that releases the mutex. That owner may be killed in between, and a
 * third process may take the mutex while its word says that there is no waiter. */
Test(table_death, a_wake_up_that_does_not_come, .timeout = 60)
{
    int *word;
    struct critical_section section;
    pid_t other;

    word = (int *)&((struct inside *)table)->lock;
    table_enter(table, &section);
    other = child_start();
    if (other == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* it would sleep for ever */
        table_enter(table, &section);
        _exit(0);
    }
    while (!(__atomic_load_n(word, __ATOMIC_RELAXED) & (int)FUTEX_WAITERS))
        sched_yield();
    poll(NULL, 0, 5); /* and it sleeps; or else the test is easier, not wrong */
    __atomic_and_fetch(word, (int)~FUTEX_WAITERS, __ATOMIC_RELAXED);
    table_leave(table, &section);
    cr_assert_eq(child_end(other), 0);
}

/* A child made behind libc's back has its parent's thread id, and the kernel knows of no mutex of
 * its: the parent finds the mutex in its own name. */
Test(table_death, a_death_in_our_name, .timeout = 60)
{
    struct state found, expected = {1, {ONE}};

    scene_hold_neighbour(0);
    scene_hold_neighbour(1);
    tails_hold(table, scene_socket, 1, 600, 100);
    for (unsigned i = 0; i < 3; i++) {
        pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

        if (pid == 0) {
            struct critical_section section;

            table_enter(table, &section);
            syscall(SYS_exit_group, 0);
        }
        cr_assert_eq(child_end(pid), 0);
        cr_assert_eq(table_look(table, scene_socket, NULL), HELD_HERE);
    }
    scene_take_all(&found, "in our name", 3);
    cr_assert(scene_same(&found, &expected), "%s", scene_words(&found));
}

/* One death after the other: each finds the table repaired, and breaks it again. */
Test(table_death, many_deaths)
{
    struct state found, expected = {2, {ONE, TWO}};

    scene_hold_neighbour(0);
    scene_hold_neighbour(1);
    tails_hold(table, scene_socket, 1, 600, 100);
    tails_hold(table, scene_socket, 2, 300, 0);
    for (unsigned i = 0; i < 50; i++) {
        pid_t pid = child_start();

        if (pid == 0) {
            scene_take(dying_takes[i % ROWS_OF(dying_takes)].room,
                       dying_takes[i % ROWS_OF(dying_takes)].how, scene_die_in_copy);
            _exit(0);
        }
        cr_assert_eq(child_end(pid), 128 + SIGKILL);
        child_dies_inside(table);
    }
    scene_take_all(&found, "many", 50);
    cr_assert(scene_same(&found, &expected), "%s", scene_words(&found));
}

/* Freed pages are used again, so a younger message may lie before an older one. */
Test(table_death, a_death_when_the_younger_message_lies_first)
{
    struct state found, expected = {2, {ONE, TWO}};

    tails_hold(table, SOCKET + 1, 4, 10, 0);
    scene_hold_neighbour(0);
    tails_hold(table, scene_socket, 1, 600, 100);
    scene_hold_neighbour(1);
    assert_part(tails_take(table, SOCKET + 1, 100, 0), 4, 0, 10);
    tails_hold(table, scene_socket, 2, 300, 0);
    child_dies_inside(table);
    scene_take_all(&found, "younger first", 0);
    cr_assert(scene_same(&found, &expected), "%s", scene_words(&found));
}
