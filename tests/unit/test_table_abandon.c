/* SPDX-License-Identifier: MIT */
/* The fragment table: what is abandoned, and the calls within its critical section. */
#define _GNU_SOURCE
#include "table/table.h"

#include "table_asserts.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

/* --- fixture ------------------------------------------------------------------------------ */

static const size_t HOLD_MAX = 1 << 20;
static const uint64_t SOCKET = 77, OTHER = 78;

static struct table *table;

static void set_up(void)
{
    table = tails_create(HOLD_MAX);
}

TestSuite(table_abandon, .init = set_up, .timeout = 60);
TestSuite(table_guard, .init = set_up, .timeout = 60);

/* --- table_abandon ------------------------------------------------------------------------ */

Test(table_abandon, of_the_last_loses_and_counts)
{
    tails_hold(table, SOCKET, 1, 1000, 100);
    tails_take(table, SOCKET, 300, 0);
    tails_hold(table, SOCKET, 2, 50, 0);
    tails_hold(table, OTHER, 3, 70, 7);
    table_abandon(table, SOCKET, true);
    assert_nothing_held(SOCKET);
    assert_held(1, 1);
    assert_counter(messages_lost, 2);
    assert_counter(bytes_lost, 650);
    assert_part(tails_take(table, OTHER, 100, 0), 3, 7, 63, 0);
}

Test(table_abandon, of_nothing_does_nothing)
{
    tails_hold(table, OTHER, 3, 70, 7);
    table_abandon(table, SOCKET, true);
    table_abandon(table, SOCKET, false);
    assert_held(1, 1);
    assert_counter(messages_lost, 0);
}

/* In the midst of a chain of the hash, with neighbours on both sides. */
Test(table_abandon, takes_only_its_own)
{
    for (unsigned gone = 0; gone < 3; gone++) {
        for (unsigned i = 0; i < 3; i++) {
            tails_hold(table, tails_collide(SOCKET, i), 2 * i, 100, 10);
            tails_hold(table, tails_collide(SOCKET, i), 2 * i + 1, 100, 0);
        }
        table_abandon(table, tails_collide(SOCKET, gone), true);
        assert_held(4, 4);
        for (unsigned i = 0; i < 3; i++) {
            uint64_t cookie = tails_collide(SOCKET, i);

            if (i != gone) {
                assert_part(tails_take(table, cookie, 100, 0), 2 * i, 10, 90, 0);
                assert_part(tails_take(table, cookie, 100, 0), 2 * i + 1, 0, 100, 0);
            }
            assert_nothing_held(cookie);
        }
    }
}

/* The kernel drops its queue with the socket, and with it the tail (wsrx.h: "closed while
 * held"). */
Test(table_abandon, of_one_held_in_the_kernel_loses_it_too)
{
    tails_hold_in_kernel(table, SOCKET, 1, 3000, 512);
    table_abandon(table, SOCKET, true);
    assert_held(0, 0);
    assert_counter(messages_lost, 1);
    assert_counter(bytes_lost, 2488);
}

/* Where others may still ask, the tail stays, and they get it. */
Test(table_abandon, of_not_the_last_keeps)
{
    tails_hold(table, SOCKET, 1, 1000, 100);
    table_abandon(table, SOCKET, false);
    table_abandon(table, SOCKET, false);
    assert_held(1, 1);
    assert_part(tails_take(table, SOCKET, 300, 0), 1, 100, 300, 600);
    cr_assert_eq(tails_hold(table, SOCKET, 2, 50, 0), 1);
    assert_part(tails_take(table, SOCKET, 600, 0), 1, 400, 600, 0);
    assert_part(tails_take(table, SOCKET, 600, 0), 2, 0, 50, 0);
    assert_held(0, 0);
    assert_counter(messages_lost, 0);
}

Test(table_abandon, of_the_last_after_not_the_last)
{
    tails_hold(table, SOCKET, 1, 1000, 100);
    table_abandon(table, SOCKET, false);
    table_abandon(table, SOCKET, true);
    assert_held(0, 0);
    assert_counter(messages_lost, 1);
    assert_counter(bytes_lost, 900);
}

/* Nobody may ever ask again, so they cannot be many: the oldest goes, the younger ones stay. */
Test(table_abandon, keeps_the_youngest_of_many)
{
    enum { MANY = 3000 };
    unsigned kept = 0;
    bool gone = true;

    for (unsigned i = 0; i < MANY; i++) {
        tails_hold(table, 1000 + i, i, 100, 10);
        table_abandon(table, 1000 + i, false);
    }
    for (unsigned i = 0; i < MANY; i++) {
        struct tail_take take = tails_take(table, 1000 + i, 100, 0);

        cr_assert(take.result == 1 || gone, "%u is gone, an older one is not", i);
        gone = take.result != 1;
        kept += take.result == 1;
    }
    cr_assert_gt(kept, 0);
    cr_assert_lt(kept, MANY);
    assert_held(0, 0);
    assert_counter(messages_lost, MANY - kept);
    assert_counter(bytes_lost, 90 * (MANY - kept));
}

/* Nobody loses a tail to another one's need for memory: `full` is set, and what is held stays. */
Test(table_abandon, of_not_the_last_keeps_when_room_is_needed)
{
    const size_t half = HOLD_MAX / 2;

    for (unsigned i = 1; i <= 4; i++) {
        cr_assert_eq(tails_hold(table, i, i, half, 1), 0);
        table_abandon(table, i, false);
    }
    cr_assert(atomic_load(&table->full));
    assert_held(4, 4);
    assert_counter(messages_lost, 0);
    for (unsigned i = 1; i <= 4; i++)
        assert_part(tails_take(table, i, half, 0), i, 1, half - 1, 0);
    cr_assert_not(atomic_load(&table->full));
}

/* --- table_get_locked, table_advance_locked, table_finish_locked -------------------------- */

Test(table_guard, get_advance_and_finish)
{
    struct critical_section section;
    struct held held;
    size_t left;

    table_enter(table, &section);
    cr_assert_not(table_get_locked(table, SOCKET, &held));
    table_leave(table, &section);

    tails_hold_in_kernel(table, SOCKET, 1, 3000, 512);
    tails_hold_in_kernel(table, SOCKET, 2, 700, 0);
    table_enter(table, &section);
    cr_assert(table_get_locked(table, SOCKET, &held));
    cr_assert_eq(held.kind, HELD_KERNEL);
    cr_assert_eq(held.length, 3000);
    cr_assert_eq(held.offset, 512);
    cr_assert_eq(held.msg_flags, 1);
    table_advance_locked(table, SOCKET, &(struct held){.offset = 1024});
    cr_assert(table_get_locked(table, SOCKET, &held));
    cr_assert_eq(held.offset, 1024);
    table_leave(table, &section);

    cr_assert_eq(table_look(table, SOCKET, &left), HELD_KERNEL);
    cr_assert_eq(left, 1976);
    assert_held(2, 0);

    table_enter(table, &section);
    table_finish_locked(table, SOCKET);
    cr_assert(table_get_locked(table, SOCKET, &held));
    cr_assert_eq(held.msg_flags, 2);
    cr_assert_eq(held.offset, 0);
    table_finish_locked(table, SOCKET);
    cr_assert_not(table_get_locked(table, SOCKET, &held));
    table_leave(table, &section);
    assert_held(0, 0);
    assert_nothing_held(SOCKET);
}

Test(table_guard, holds_under_the_guard)
{
    struct critical_section section;
    struct held held = {.kind = HELD_KERNEL, .length = 100, .offset = 30};

    table_enter(table, &section);
    cr_assert_eq(table_hold_locked(table, SOCKET, &held, NULL, 0), 0);
    cr_assert_eq(table_hold_locked(table, SOCKET, &held, NULL, 0), 1);
    table_leave(table, &section);
    assert_held(2, 0);
}

/* The thread's own mask comes back, and nothing is delivered in between. */
Test(table_guard, blocks_signals_and_gives_the_mask_back)
{
    struct critical_section section;
    sigset_t before, within, after;

    sigemptyset(&before);
    sigaddset(&before, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    table_enter(table, &section);
    pthread_sigmask(SIG_SETMASK, NULL, &within);
    table_leave(table, &section);
    pthread_sigmask(SIG_SETMASK, NULL, &after);

    cr_expect(sigismember(&within, SIGINT));
    cr_expect(sigismember(&within, SIGALRM));
    cr_expect(sigismember(&within, SIGRTMIN));
    for (int signal = 1; signal < SIGRTMAX; signal++)
        cr_expect_eq(sigismember(&after, signal) == 1, signal == SIGUSR2, "signal %d", signal);
}

static bool still_in;

static void *be_cancelled(void *unused)
{
    struct critical_section section;

    table_enter(table, &section);
    pthread_cancel(pthread_self());
    pthread_testcancel();
    still_in = true;
    table_leave(table, &section);
    pthread_testcancel();
    return unused;
}

/* A receive under the mutex is a cancellation point; a thread that ends there takes it along. */
Test(table_guard, no_thread_is_cancelled_inside)
{
    pthread_t thread;
    void *result;

    cr_assert_eq(pthread_create(&thread, NULL, be_cancelled, NULL), 0);
    cr_assert_eq(pthread_join(thread, &result), 0);
    cr_assert(still_in);
    cr_assert_eq(result, PTHREAD_CANCELED);
    tails_hold(table, SOCKET, 1, 100, 10);
    assert_part(tails_take(table, SOCKET, 100, 0), 1, 10, 90, 0);
}

/* Every call gives the mask back, and the mutex too: the next call does not wait for ever. */
Test(table_guard, no_call_leaves_signals_blocked)
{
    sigset_t after;

    tails_hold(table, SOCKET, 1, 100, 10);
    tails_hold(table, SOCKET, 2, 100, 10);
    tails_take(table, SOCKET, 10, 0);
    tails_take(table, SOCKET, 100, 0);
    tails_take_failing(table, SOCKET, 10, 0, -EFAULT);
    tails_take_failing(table, SOCKET, 100, 0, -EFAULT);
    table_look(table, SOCKET, NULL);
    table_abandon(table, SOCKET, false);
    table_abandon(table, SOCKET, true);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int signal = 1; signal < SIGRTMAX; signal++)
        cr_expect_neq(sigismember(&after, signal), 1, "signal %d is blocked", signal);
}
