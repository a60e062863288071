/* SPDX-License-Identifier: MIT */
/*
 * A table in a file that somebody has damaged: its head, its links, its slots. It is mended or
 * refused; never a crash, never a hang, never another message's bytes.
 */
#define _GNU_SOURCE
#include "table/backing.h"
#include "table/layout.h"

#include "table_path.h"
#include "tails.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- fixture ------------------------------------------------------------------------------ */

static const uint64_t SOCKET = 77;

static void set_up_sound(void);

TestSuite(table_damaged, .init = set_up_sound, .fini = table_path_remove, .timeout = 240);

/* Three sockets with two messages each, the first two of them in one chain of the hash. */
enum { SOCKETS = 3, EACH = 2, NEW = 9, LENGTH = 5000, PART = 500 };

static uint64_t sockets[SOCKETS];
static struct inside *original; /* the file, as the test sees it */

/* What was in the file before anything was changed: all but most of the arena. */
static struct {
    char *head, *pages;
    size_t head_size, pages_size;
} sound;

static void set_up_sound(void)
{
    table_path_make();
    original = (struct inside *)table_path_open();
    for (unsigned i = 0; i < SOCKETS; i++)
        sockets[i] = i < 2 ? tails_collide(SOCKET, i) : SOCKET + 1000;
    for (unsigned i = 0; i < SOCKETS * EACH; i++)
        cr_assert_geq(tails_hold(&original->table, sockets[i % SOCKETS], i, LENGTH, 100), 0);
    sound.head_size = original->extents.arena_at;
    sound.pages_size = 32 * (size_t)PAGE;
    sound.head = malloc(sound.head_size);
    sound.pages = malloc(sound.pages_size);
    cr_assert(sound.head && sound.pages);
    memcpy(sound.head, original, sound.head_size);
    memcpy(sound.pages, page_of(original, 0), sound.pages_size);
}

static void restore(void)
{
    struct extents extents = ((struct inside *)sound.head)->extents;

    memcpy(original, sound.head, sound.head_size);
    memcpy((char *)original + extents.arena_at, sound.pages, sound.pages_size);
}

static struct slot *slot_of_message(unsigned message)
{
    for (uint32_t at = 1; at < original->top; at++)
        if (slot_of(original, at)->kind != HELD_NOT &&
            slot_of(original, at)->msg_flags == (int)message)
            return slot_of(original, at);
    cr_assert_fail("message %u is nowhere", message);
    return NULL;
}

/* Opens it as the next program does, and lets go of it as that one does. */
static const char *open_damaged(struct table **ret_table)
{
    *ret_table = NULL;
    return table_open(table_path, TABLE_PATH_HOLD_MAX, ret_table);
}

static void close_table(struct table *table)
{
    table_destroy(table);
}

/* Everything that a program does with a table. What is held from now on is right, whatever has
 * become of what was there. Says what is not. */
static const char *use_damaged(struct table *table)
{
    struct tail tails[8];
    struct tail_take take;
    size_t wrong, left;

    for (unsigned i = 0; i < SOCKETS; i++) {
        table_look(table, sockets[i], &left);
        tails_take(table, sockets[i], PART, PART_PEEK);
        tails_take(table, sockets[i], PART, 0);
        if (tails_hold(table, sockets[i], NEW, LENGTH, 100) < 0)
            return "there is no room";
    }
    if (tails_hold(table, SOCKET + 5000, NEW, LENGTH, 100) != 0)
        return "a socket of which nothing was held holds something";
    table_abandon(table, sockets[1], false);
    table_abandon(table, sockets[2], true);
    for (unsigned i = 0; i < 2; i++)
        if (tails_drain(table, sockets[i], tails, 8, &wrong) >= 8)
            return "a socket's messages have no end";
    take = tails_take(table, SOCKET + 5000, LENGTH, 0);
    if (take.message != NEW || take.held.offset != 100 || take.right != LENGTH - 100)
        return "a new message is not right";
    if (table_may_hold(table, sockets[0]) || table_may_hold(table, SOCKET + 5000))
        return "something is left";
    return NULL;
}

/* One byte of the file, changed in several ways; in a process of its own, which may crash or hang.
 * Returns how often the file was refused. */
static int try_byte(size_t at)
{
    static const unsigned char changes[] = {0x01, 0x80, 0xff, 0x10};
    pid_t pid;
    int status;

    pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        int refused = 0;

        alarm(60);
        for (unsigned i = 0; i < sizeof changes; i++) {
            struct table *table;
            const char *what = NULL;

            restore();
            if (i == 3) /* and somebody has died in the midst of a change */
                atomic_fetch_or(&original->version, 1);
            ((unsigned char *)original)[at] ^= changes[i];
            if (open_damaged(&table)) {
                refused++;
                continue;
            }
            what = use_damaged(table);
            close_table(table);
            if (what) {
                fprintf(stderr, "byte %zu ^ %#x: %s\n", at, changes[i], what);
                _exit(100);
            }
        }
        _exit(refused);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) <= (int)sizeof changes,
              "byte %zu (head to %zu, slots from %zu): status %x", at, sizeof(struct inside),
              (size_t)((struct inside *)sound.head)->extents.slots_at, status);
    return WEXITSTATUS(status);
}

/* Whatever a byte of a table is changed to: it is refused, or it is used without a crash, without
 * an end, and rightly. */
Test(table_damaged, any_byte_of_the_head)
{
    /* A mutex that says that it is held is waited for, which takes its time. */
    const size_t lock = offsetof(struct inside, lock);
    int refused = 0;

    for (size_t at = offsetof(struct table, used); at < sizeof(struct inside); at++) {
        if (at == offsetof(struct table, bucket))
            at += sizeof original->table.bucket;
        if (at == lock)
            at += sizeof(int);
        refused += try_byte(at);
    }
    cr_assert_gt(refused, 0);
}

Test(table_damaged, any_byte_of_the_buckets)
{
    for (unsigned i = 0; i < SOCKETS; i++)
        for (size_t byte = 0; byte < 2 * sizeof *original->table.bucket; byte++)
            cr_assert_eq(try_byte(offsetof(struct table, bucket) + byte +
                                  table_hash(sockets[i]) * sizeof *original->table.bucket),
                         0);
}

Test(table_damaged, any_byte_of_the_slots)
{
    size_t slot = (size_t)((char *)slot_of_message(1) - (char *)original);

    for (size_t byte = 0; byte < sizeof(struct slot); byte++)
        try_byte(slot + byte);
}

Test(table_damaged, any_byte_of_the_slots_between)
{
    size_t slot = (size_t)((char *)(slot_of_message(1) + 1) - (char *)original);

    for (size_t byte = 0; byte < sizeof(struct slot); byte++)
        try_byte(slot + byte);
}

static void next_in_a_circle(void)
{
    struct slot *slot = slot_of_message(0);

    slot->next = (uint32_t)(slot - slot_of(original, 0));
}

static void chain_in_a_circle(void)
{
    struct slot *slot = slot_of_message(0), *other = slot_of_message(1);

    slot->chain = (uint32_t)(other - slot_of(original, 0));
    other->chain = (uint32_t)(slot - slot_of(original, 0));
}

static void no_buckets(void)
{
    memset(original->table.bucket, 0, sizeof original->table.bucket);
}

static void all_in_one_bucket(void)
{
    for (unsigned i = 0; i < TABLE_HASHES; i++)
        original->table.bucket[i] = 1;
}

static void links_to_nowhere(void)
{
    for (unsigned message = 0; message < SOCKETS * EACH; message++)
        slot_of_message(message)->next = slot_of_message(message)->chain = UINT32_MAX;
}

static void free_pages(void)
{
    memset(bitmap_of(original), 0, 64);
    original->search = original->pages_used = original->orphans = 0;
}

static void no_messages(void)
{
    atomic_store(&original->table.used, 0);
    atomic_store(&original->table.here, 0);
}

/* What follows from the messages is made anew: no tail is lost by it. */
static void (*const mendable[])(void) = {
    next_in_a_circle, chain_in_a_circle, no_buckets,  all_in_one_bucket,
    links_to_nowhere, free_pages,        no_messages,
};

Test(table_damaged, links_and_sums_are_made_anew)
{
    for (unsigned i = 0; i < 2 * sizeof mendable / sizeof *mendable; i++) {
        struct table *table;
        const char *why;

        restore();
        mendable[i / 2]();
        if (i % 2)
            atomic_fetch_or(&original->version, 1);
        why = open_damaged(&table);
        cr_assert_null(why, "%u: %s", i, why);
        cr_assert_eq(atomic_load(&table->used), SOCKETS * EACH, "%u", i);
        cr_assert_geq(tails_hold(table, SOCKET + 5000, NEW, LENGTH, 100), 0);
        for (unsigned socket = 0; socket < SOCKETS; socket++) {
            struct tail tails[EACH + 1];
            size_t wrong, count = tails_drain(table, sockets[socket], tails, EACH + 1, &wrong);

            cr_assert_eq(count, EACH, "%u: socket %u has %zu", i, socket, count);
            cr_assert_eq(wrong, 0, "%u", i);
            cr_assert(tails[0].message == socket && tails[1].message == socket + SOCKETS, "%u", i);
        }
        cr_assert_eq(tails_take(table, SOCKET + 5000, LENGTH, 0).right, LENGTH - 100, "%u", i);
        cr_assert(table_idle(table));
        close_table(table);
    }
}

static void pages_of_another(void)
{
    slot_of_message(0)->pages++;
}

static void pages_without_end(void)
{
    slot_of_message(5)->pages = UINT32_MAX;
}

static void longer_than_its_pages(void)
{
    slot_of_message(0)->length = 3 * PAGE;
}

static void beyond_its_end(void)
{
    atomic_store(&slot_of_message(0)->state, LENGTH + 1);
}

static void before_its_bytes(void)
{
    atomic_store(&slot_of_message(0)->state, 1);
}

static void of_no_kind(void)
{
    slot_of_message(0)->kind = HELD_STREAM + 1;
}

static void beyond_the_top(void)
{
    original->top = 2;
}

static void last_beyond_the_top(void)
{
    original->top = (uint32_t)(slot_of_message(5) - slot_of(original, 0));
}

static void only_beyond_the_top(void)
{
    slot_of_message(0)->kind = HELD_NOT;
    original->top = 1;
}

static void peer_too_long(void)
{
    slot_of_message(0)->peer_length = sizeof(struct sockaddr_storage) + 1;
}

static void missed_in_the_future(void)
{
    slot_of_message(0)->missed = INT64_MAX;
}

static void later_than_all(void)
{
    slot_of_message(0)->sequence = original->sequence + 1;
}

static void no_later_one(void)
{
    original->sequence = UINT64_MAX;
}

/* What cannot be checked otherwise is accepted only where it can be true. */
static void (*const hopeless[])(void) = {
    pages_of_another,     pages_without_end, longer_than_its_pages, beyond_its_end,
    before_its_bytes,     of_no_kind,        beyond_the_top,        last_beyond_the_top,
    only_beyond_the_top,  peer_too_long,     later_than_all,        no_later_one,
    missed_in_the_future,
};

Test(table_damaged, messages_that_cannot_be)
{
    for (unsigned i = 0; i < 2 * sizeof hopeless / sizeof *hopeless; i++) {
        struct table *table;
        const char *why;

        restore();
        hopeless[i / 2]();
        if (i % 2) /* before anything is repaired */
            atomic_fetch_or(&original->version, 1);
        why = open_damaged(&table);
        cr_assert_not_null(why, "%u: taken", i);
        cr_expect_str_eq(why, "it is damaged");
        cr_expect_null(table);
    }
}

Test(table_damaged, a_mutex_that_nobody_will_release)
{
    struct table *table;
    const char *why;

    atomic_store(&original->lock, (uint32_t)getppid());
    why = open_damaged(&table);
    cr_assert_not_null(why);
    cr_expect_str_eq(why, "it is damaged");
}

Test(table_damaged, a_mutex_in_the_name_of_nobody)
{
    struct table *table;

    atomic_store(&original->lock, 0x11111111);
    cr_assert_null(open_damaged(&table));
    cr_assert_null(use_damaged(table));
}
