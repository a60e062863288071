/* SPDX-License-Identifier: MIT */
/*
 * The fragment table under signals: receive functions may be called in a handler (POSIX,
 * signal-safety(7)) on top of a receive on the same socket. Whenever the signal comes, both get what
 * they would get one after the other, in one order or the other.
 */
#define _GNU_SOURCE
#include "table/table.h"

#include "interrupt.h"
#include "pattern.h"
#include "table_take.h"
#include "tails.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

TestSuite(table_signal, .init = interrupt_set_up, .timeout = 240);

/* --- a signal within the copy ------------------------------------------------------------- */

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

    signal(SIGUSR1, interrupt_handler);
    for (unsigned i = 0; i < sizeof takes / sizeof *takes; i++) {
        for (unsigned j = 0; j < OPERATIONS; j++) {
            char where[100];
            struct state before;
            struct tail_take *take = outer.take;

            interrupt_hold(&before);
            outer.operation = takes[i];
            inner.operation = (enum operation)j;
            take->bytes = outer.bytes[0];
            take->result = table_take(table, interrupt_socket, operation_room(takes[i]),
                                      operation_how(takes[i]), copy_and_raise, take->bytes,
                                      &take->held, &take->part);
            cr_assert_eq(handled, 1);
            snprintf(where, sizeof where, "%s with %s in its copy", operation_names[takes[i]],
                     operation_names[j]);
            interrupt_assert_some_order(&before, where);
        }
    }
}

/* A take that leaves something runs with signals open: the handler is first, and the take that it
 * interrupted gets the part after it. */
Test(table_signal, within_the_copy_the_handler_is_first)
{
    struct state before;
    struct tail_take *take = outer.take;

    signal(SIGUSR1, interrupt_handler);
    interrupt_hold(&before);
    inner.operation = TAKE;
    take->bytes = outer.bytes[0];
    take->result = table_take(table, interrupt_socket, PART, 0, copy_and_raise, take->bytes,
                              &take->held, &take->part);
    cr_assert_eq(take->result, 1);
    cr_assert_eq(take->held.offset, 100 + PART);
    cr_assert_eq(inner.take->result, 1);
    cr_assert_eq(inner.take->held.offset, 100);
}

/* recv(2) may be left by siglongjmp(): a timeout of old programs. Nothing is locked then, and
 * nothing is missing. */
Test(table_signal, within_the_copy_the_handler_leaves)
{
    for (volatile unsigned i = 0; i < 2; i++) {
        static unsigned char bytes[1000];
        struct state before, found;
        pid_t other;
        int status;

        signal(SIGUSR1, interrupt_leave);
        interrupt_hold(&before);
        if (sigsetjmp(interrupt_left, 1) == 0) {
            struct held held;
            struct part part;

            table_take(table, interrupt_socket, PART, i == 0 ? 0 : PART_PEEK, copy_and_raise, bytes,
                       &held, &part);
            cr_assert_fail("the handler has not left");
        }
        cr_assert_eq(handled, 1);
        cr_assert_eq(table_look(table, interrupt_socket, NULL), HELD_HERE);

        other = fork();
        if (other == 0) {
            alarm(10); /* it must not wait for the mutex */
            outer.operation = TAKE;
            operation_run(&outer);
            tails_check(outer.take);
            _exit(outer.take->result == 1 && outer.take->right == PART ? 0 : 1);
        }
        cr_assert_eq(waitpid(other, &status, 0), other);
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
        interrupt_take_all(&found, "left");
        cr_assert_eq(found.count, 2);
        cr_assert_eq(found.tail[0].offset, 100 + PART);
        cr_assert_eq(found.tail[1].offset, 0);
    }
}

/* --- a storm of signals ------------------------------------------------------------------- */

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
    tails_check(take);
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

        tails_take_bytes(table, interrupt_neighbour[which], 70, 0, bytes, &take);
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
    cr_assert_eq(table_hold(table, interrupt_neighbour[which], &held, &iov, 1), 0);
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
            tails_take_bytes(table, interrupt_neighbour[which], 50, 0, bytes, &take);
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
        table_abandon(table, interrupt_neighbour[which], true);
    cr_assert(table_idle(table));
}

/* --- signals and threads ------------------------------------------------------------------ */

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

    tails_take_bytes(table, interrupt_neighbour[which % 2], room, 0, bytes, &take);
    if (take.result == 0)
        return false;
    tails_check(&take);
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
        if (table_hold(table, interrupt_neighbour[message % 2], &held, &iov, 1) < 0)
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
