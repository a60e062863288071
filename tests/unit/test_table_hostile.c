/* SPDX-License-Identifier: MIT
 *
 * The fragment table with processes that share it and do what they must not: write anything into
 * it, stand still inside it, end and leave their tails.
 */
#define _GNU_SOURCE
#include "fd/fd_class.h"
#include "state.h"
#include "table/layout.h"

#include "child.h"
#include "tails.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const uint64_t SOCKET = 77, OTHER = 99;
static struct table *table;

static void set_up(void)
{
    table = tails_create(4 << 20);
    table_share(table);
}

TestSuite(table_hostile, .init = set_up, .timeout = 120);

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* --- what others write ------------------------------------------------------------------- */

/* Changes bytes of the heads, the slots and the pages in use, for ever, and counts. */
_Noreturn static void change_bytes(unsigned seed, volatile unsigned long *changes)
{
    const struct extents *extents = &view_of(inside_of(table))->extents;
    unsigned char *at = (unsigned char *)table;

    srandom(seed);
    for (;;) {
        size_t byte = (size_t)random();

        switch (random() % 4) {
        case 0:
            byte %= sizeof(struct inside);
            break;
        case 1:
            byte = extents->slots_at + byte % (64 * sizeof(struct slot));
            break;
        case 2:
            byte = extents->bitmap_at + byte % 64;
            break;
        default:
            byte = extents->arena_at + byte % (64 * (size_t)PAGE);
        }
        at[byte] = (unsigned char)random();
        ++*changes;
    }
}

/* No crash, no end that does not come, and no byte that is not the message's own. */
Test(table_hostile, bytes_that_change_at_random)
{
    enum { SECONDS = 4, MOST_SECONDS = 60, LEAST_CHANGES = 1000000 };
    volatile unsigned long *changes =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = child_start();
    double begun = now();
    unsigned message = 0, given = 0, wrong = 0;

    if (pid == 0)
        change_bytes(1, changes);
    for (double passed = 0; passed < SECONDS || (*changes < LEAST_CHANGES && passed < MOST_SECONDS);
         message++, passed = now() - begun) {
        size_t length = 100 + message * 37u % 9000;
        struct tail_take take;

        tails_hold(table, SOCKET + message % 3, message, length, 50);
        for (unsigned parts = 0; parts < 20; parts++) {
            take = tails_take(table, SOCKET + message % 3, 700, 0);
            if (take.result != 1)
                break;
            given++;
            wrong += take.right != take.part.given;
        }
    }
    kill(pid, SIGKILL);
    child_end(pid);
    cr_assert_gt(given, 0);
    cr_assert_geq(*changes, LEAST_CHANGES);
    cr_assert_eq(wrong, 0, "%u of %u parts of %u messages have other bytes", wrong, given, message);

    /* Whatever is left, the table is one again. */
    table_abandon(table, SOCKET, true);
    table_abandon(table, OTHER, true);
    cr_assert_geq(tails_hold(table, OTHER, 5, 3000, 0), 0);
    cr_assert_eq(tails_take(table, OTHER, 3000, 0).right, 3000);
}

/* --- who leaves -------------------------------------------------------------------------- */

/* What is held for the child's own socket goes with it; the rest stays, and what the child does to
 * its copy reaches nobody. */
Test(table_hostile, who_leaves_takes_what_is_its_own)
{
    uint64_t cookie;
    int ends[2];
    pid_t pid;

    cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
    cookie = fd_class_cookie(fd_class_query(ends[0]));
    cr_assert_neq(cookie, 0);
    tails_hold(table, cookie, 1, 3000, 100);
    tails_hold(table, OTHER, 2, 3000, 100);
    pid = child_start();
    if (pid == 0) {
        struct tail_take take;

        table_leave_shared(table);
        take = tails_take(table, cookie, 3000, 0);
        if (take.result != 1 || take.message != 1 || take.right != 2900)
            _exit(1);
        memset(page_of(inside_of(table), 1), 'F', 16 * (size_t)PAGE);
        memset(table, 0xff, sizeof(struct inside));
        _exit(0);
    }
    cr_assert_eq(child_end(pid), 0);
    cr_assert_eq(tails_take(table, cookie, 3000, 0).result, 0, "the child's own");
    cr_assert_eq(tails_take(table, OTHER, 3000, 0).right, 2900);
    cr_assert(table_idle(table));
}

/* --- who stands still -------------------------------------------------------------------- */

/* The others go on without it, and soon. */
Test(table_hostile, a_stopped_process_stops_nobody)
{
    struct critical_section section;
    struct tail_take take;
    pid_t pid;
    double start;
    int status;

    tails_hold(table, SOCKET, 1, 3000, 100);
    pid = child_start();
    if (pid == 0) {
        table_enter(table, &section);
        raise(SIGSTOP);
        _exit(0);
    }
    cr_assert_eq(waitpid(pid, &status, WUNTRACED), pid);
    cr_assert(WIFSTOPPED(status));
    start = now();
    cr_assert_eq(tails_hold(table, OTHER, 2, 3000, 100), 0);
    cr_expect_lt(now() - start, 1.0);
    take = tails_take(table, OTHER, 3000, 0);
    cr_assert(take.message == 2 && take.right == 2900);
    kill(pid, SIGKILL);
    child_end(pid);
}

/* --- who is dead ------------------------------------------------------------------------- */

/* A child's tails are given back when the table is full, but not those of a socket that we have. */
Test(table_hostile, the_dead_leave_room)
{
    const size_t length = 300000;
    uint64_t cookie;
    int ends[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
    cookie = fd_class_cookie(fd_class_query(ends[0]));
    atomic_store(&state.active, true);
    for (unsigned i = 0; i < 40; i++) {
        pid_t pid = child_start();

        if (pid == 0)
            _exit(tails_hold(table, i == 0 ? cookie : 1000 + i, i, length, 0) != 0);
        cr_assert_eq(child_end(pid), 0, "child %u", i);
    }
    tails_hold(table, SOCKET, 100, length, 0);
    tails_take(table, SOCKET, length, 0);
    cr_expect_not(atomic_load(&table->full));
    cr_expect_gt(atomic_load(&table->counters.messages_lost), 10);
    cr_expect_eq(tails_take(table, cookie, length, 0).right, length);
}
