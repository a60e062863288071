/* SPDX-License-Identifier: MIT */
/*
 * WSRX_HOLD=kernel, a message that fits: taken without the table's mutex, between two instructions of
 * which anything may come that one thread can meet: a handler that receives from the same socket, one
 * that leaves the receive, a stranger who takes the message. No byte is lost or doubled, and each
 * message's parts come in their order.
 */
#define _GNU_SOURCE
#include "receive/fitting.h"

#include "lifecycle.h"
#include "pattern.h"
#include "receive/fast_path.h"
#include "receive/unlocked.h"
#include "rows.h"
#include "step.h"
#include "table/current.h"

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>

/* --- fixture ----------------------------------------------------------------------------- */

enum { ROOM = 200, MESSAGES = 4, PARTS = 40 };

/* The first one fits; what comes after it may not. */
static const size_t lengths[MESSAGES] = {100, 500, 60, 300};

static int in, out;

/* As libc says it of a process with other threads or without. */
static void say_threads(bool others)
{
#if __has_include(<sys/single_threaded.h>)
    __libc_single_threaded = !others;
#else
    if (!others)
        cr_skip_test("this libc does not say whether there are threads");
#endif
}

static void set_up(void)
{
    static char setting[] = "WSRX_HOLD=kernel";
    static char *settings[] = {setting, NULL};
    struct lifecycle_entrance entrance = {
        .next = {recvfrom, recvmsg, ppoll, pselect, epoll_ctl, NULL, NULL}, .libc_beneath = true};

    cr_assert_eq(lifecycle_start(&entrance, settings), 0);
    say_threads(false); /* Criterion has some, but not in the process that it makes for a test */
}

static void open_sockets(int domain)
{
    int pair[2];

    if (domain == AF_UNIX) {
        cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
    } else {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        socklen_t size = sizeof at;

        pair[0] = socket(AF_INET, SOCK_DGRAM, 0);
        pair[1] = socket(AF_INET, SOCK_DGRAM, 0);
        cr_assert_eq(bind(pair[0], (struct sockaddr *)&at, size), 0);
        cr_assert_eq(getsockname(pair[0], (struct sockaddr *)&at, &size), 0);
        cr_assert_eq(connect(pair[1], (struct sockaddr *)&at, size), 0);
    }
    in = pair[0];
    out = pair[1];
    cr_assert(fd_class_is_message(fd_class_query(in)));
}

TestSuite(fitting, .init = set_up, .timeout = 240);

/* --- receives ---------------------------------------------------------------------------- */

struct got {
    ssize_t length;
    unsigned char bytes[ROOM];
};

/* What was received: within the step, on top of it, and afterwards. */
struct parts {
    unsigned count;
    struct got part[PARTS];
};

static struct parts outer, inner, rest;
static unsigned inner_receives;

static struct got *receive(struct parts *parts)
{
    static unsigned char buffer[3][ROOM]; /* known to the library from the first receive on */
    unsigned char *buf = buffer[parts == &outer ? 0 : parts == &inner ? 1 : 2];
    struct got *part = &parts->part[parts->count++];
    struct receive_result made =
        receive_buffer(in, buf, ROOM, MSG_DONTWAIT, NULL, NULL, RECORD_RECV);

    if (made.outcome != RECEIVE_DONE)
        abort();
    part->length = made.value;
    if (made.value > 0)
        memcpy(part->bytes, buf, (size_t)made.value);
    return part;
}

static void send_messages(void)
{
    unsigned char bytes[1000];

    for (unsigned i = 0; i < MESSAGES; i++) {
        pattern_fill(bytes, i, 0, lengths[i]);
        cr_assert_eq(send(out, bytes, lengths[i], 0), (ssize_t)lengths[i]);
    }
    outer.count = inner.count = rest.count = 0;
}

static void drain(void)
{
    while (receive(&rest)->length != -EAGAIN)
        cr_assert_lt(rest.count, PARTS);
    rest.count--;
    cr_assert(table_idle(state.table), "%u messages are still held", state.table->used);
}

/* Each page, class and buffer has been seen. */
static void warm_up(void)
{
    for (unsigned i = 0; i < 3; i++) {
        send_messages();
        receive(&outer);
        receive(&inner);
        drain();
    }
}

/* --- what must have come ----------------------------------------------------------------- */

struct progress {
    size_t offset[MESSAGES];
    unsigned
        overtaken; /* parts that came before the rest of an earlier message; not of the first */
};

static bool goes_on(struct progress *progress, const struct got *part)
{
    for (unsigned i = 0; i < MESSAGES; i++) {
        size_t left = lengths[i] - progress->offset[i];
        size_t given = left < ROOM ? left : ROOM;

        if (left == 0 || part->length != (ssize_t)given ||
            pattern_match(part->bytes, given, i, progress->offset[i], lengths[i]) != given)
            continue;
        for (unsigned before = 0; before < i; before++)
            progress->overtaken += before > 0 && progress->offset[before] < lengths[before];
        progress->offset[i] += given;
        return true;
    }
    return part->length == -EAGAIN; /* a handler has taken all there was */
}

/* In this order each part is the next one of a message. */
static bool is_order(const struct parts *first, const struct parts *second,
                     struct progress *ret_progress)
{
    const struct parts *order[] = {first, second, &rest};

    memset(ret_progress, 0, sizeof *ret_progress);
    for (unsigned i = 0; i < ROWS_OF(order); i++)
        for (unsigned j = 0; j < order[i]->count; j++)
            if (!goes_on(ret_progress, &order[i]->part[j]))
                return false;
    return true;
}

/* The first message may be in flight while a handler begins the next one. `lost`: the message that a receive had when it was left. */
static void assert_all(bool lost, const char *where)
{
    struct progress progress;
    unsigned missing = 0;

    cr_assert(is_order(&outer, &inner, &progress) || is_order(&inner, &outer, &progress),
              "%s: a part out of order, or twice", where);
    for (unsigned i = 0; i < MESSAGES; i++) {
        missing += progress.offset[i] == 0;
        cr_assert(progress.offset[i] == lengths[i] || (lost && progress.offset[i] == 0),
                  "%s: %zu of %zu bytes of message %u", where, progress.offset[i], lengths[i], i);
    }
    cr_assert_leq(missing, (unsigned)lost, "%s: %u messages are lost", where, missing);
    cr_assert_eq(progress.overtaken, 0, "%s: %u parts came too early", where, progress.overtaken);
}

/* --- a handler that receives ------------------------------------------------------------- */

static void receive_outer(void *unused)
{
    (void)unused;
    receive(&outer);
}

static unsigned within, outside; /* times that a handler has, or has not, held it in the kernel */

static __attribute__((noinline)) void receive_inner(void *unused)
{
    enum held_kind kind;

    (void)unused;
    for (unsigned i = 0; i < inner_receives; i++)
        receive(&inner);
    kind = table_look(state.table, fd_cookie(in), NULL);
    if (unlocked_is_interrupted(BOUNCE_CALL)) {
        within++;
        /* Otherwise a second handler could wait for a message that is in flight beneath it. */
        if (kind == HELD_KERNEL)
            abort();
    } else if (kind == HELD_KERNEL) {
        outside++;
    }
}

static const struct {
    int domain;
    unsigned receives;
} handlers[] = {{AF_INET, 1}, {AF_INET, 2}, {AF_UNIX, 3}};

ROWS(fitting, handler_receives_at_any_instruction, ROWS_OF(handlers))
{
    bool interrupted = true;

    if (!step_supported())
        cr_skip_test("no single steps on this processor");
    open_sockets(handlers[*row].domain);
    inner_receives = handlers[*row].receives;
    warm_up();
    for (unsigned long count = 1; interrupted; count = step_next(count, 0)) {
        char where[100];

        send_messages();
        interrupted = step_interrupt(count, receive_outer, receive_inner, NULL);
        drain();
        snprintf(where, sizeof where, "%u receives after %lu instructions", inner_receives, count);
        assert_all(false, where);
        cr_assert_eq(outer.count, 1);
    }
    cr_assert_gt(within, 20);
    if (inner_receives == 2) /* the second one gets a part, and before and after it is as always */
        cr_assert_gt(outside, 20);
}

/* --- a handler that leaves --------------------------------------------------------------- */

static sigjmp_buf left;

static void leave(void *unused)
{
    (void)unused;
    siglongjmp(left, 1);
}

static void receive_rest(void *unused)
{
    (void)unused;
    receive(&rest);
}

/* What comes next is as if the receive had never been: a part is held in the kernel again, from a
 * receive at the same place on the stack. */
Test(fitting, handler_leaves_at_any_instruction)
{
    static volatile bool interrupted = true;
    static unsigned long count;

    if (!step_supported())
        cr_skip_test("no single steps on this processor");
    open_sockets(AF_INET);
    warm_up();
    for (count = 1; interrupted; count = step_next(count, 0)) {
        char where[100];

        send_messages();
        if (sigsetjmp(left, 1) == 0)
            interrupted = step_interrupt(count, receive_outer, leave, NULL);
        if (interrupted)
            outer.count = 0;
        snprintf(where, sizeof where, "left after %lu instructions", count);
        do {
            enum held_kind kind;

            step_interrupt(0, receive_rest, NULL, NULL);
            kind = table_look(state.table, fd_cookie(in), NULL);
            cr_assert(kind != HELD_HERE, "%s: a tail is held in the process", where);
        } while (rest.part[rest.count - 1].length != -EAGAIN);
        rest.count--;
        assert_all(interrupted, where);
    }
}

/* --- strangers --------------------------------------------------------------------------- */

static void take_as_stranger(void *unused)
{
    struct got *part = &inner.part[inner.count];
    unsigned char bytes[1000];

    (void)unused;
    part->length = recv(in, bytes, sizeof bytes, MSG_DONTWAIT);
    memcpy(part->bytes, bytes, sizeof part->bytes);
    inner.count++;
}

/* The message that was asked about is gone, and a long one comes in its place. */
Test(fitting, stranger_takes_it_at_any_instruction)
{
    bool interrupted = true;
    unsigned long here = 0;

    if (!step_supported())
        cr_skip_test("no single steps on this processor");
    open_sockets(AF_INET);
    warm_up();
    for (unsigned long count = 1; interrupted; count = step_next(count, 0)) {
        char where[100];

        send_messages();
        interrupted = step_interrupt(count, receive_outer, take_as_stranger, NULL);
        snprintf(where, sizeof where, "a stranger after %lu instructions", count);
        if (interrupted && inner.part[0].length != (ssize_t)lengths[0])
            break; /* the receive has it already */
        here += interrupted && table_look(state.table, fd_cookie(in), NULL) == HELD_HERE;
        drain();
        assert_all(false, where);
    }
    cr_assert_gt(here, 2, "the long one was never taken unasked");
    cr_assert_lt(here, 200);
}

/* --- where it is not so ------------------------------------------------------------------ */

static enum { NOWHERE, UNLOCKED, LOCKED } taken;

static ssize_t take_noting(int fd, void *buf, size_t len, int flags, struct sockaddr *name,
                           socklen_t *namelen)
{
    taken = sys_critical_sections > 0 ? LOCKED : UNLOCKED;
    return recvfrom(fd, buf, len, flags, name, namelen);
}

static void set_up_noting(void)
{
    open_sockets(AF_INET);
    warm_up();
    next_calls.recvfrom = take_noting;
    atomic_store(&sys_libc_beneath, false);
    atomic_store(&sys_libc_cancels_at_once, false);
}

static void assert_received(ssize_t length, int where)
{
    taken = NOWHERE;
    cr_assert_eq(receive(&rest)->length, length);
    cr_assert_eq((int)taken, where);
}

Test(fitting, only_what_fits)
{
    set_up_noting();
    assert_received(-EAGAIN, NOWHERE);
    cr_assert_eq(send(out, "", 0, 0), 0);
    assert_received(0, LOCKED);
    send_messages();
    assert_received((ssize_t)lengths[0], UNLOCKED);
    assert_received(ROOM, NOWHERE); /* peeked */
    cr_assert_eq(table_look(state.table, fd_cookie(in), NULL), HELD_KERNEL);
    assert_received(ROOM, NOWHERE);
    assert_received((ssize_t)lengths[1] - 2 * ROOM, NOWHERE);
    assert_received((ssize_t)lengths[2], UNLOCKED);
    drain();
    assert_all(false, "in turn");
}

Test(fitting, not_while_something_is_held)
{
    int before;

    set_up_noting();
    send_messages();
    assert_received((ssize_t)lengths[0], UNLOCKED);
    assert_received(ROOM, NOWHERE);
    before = in;
    open_sockets(AF_INET);
    cr_assert_eq(send(out, "abc", 3, 0), 3);
    assert_received(3, LOCKED);
    rest.count--;
    in = before;
    drain();
    assert_all(false, "held");
}

Test(fitting, not_in_a_table_that_others_share)
{
    set_up_noting();
    send_messages();
    lifecycle_forks();
    cr_assert(table_is_shared());
    assert_received((ssize_t)lengths[0], LOCKED);
    drain();
    assert_all(false, "shared");
}

Test(fitting, not_in_a_process_with_threads)
{
    set_up_noting();
    send_messages();
    say_threads(true);
    assert_received((ssize_t)lengths[0], LOCKED);
    drain();
    assert_all(false, "threads");
}
