/* SPDX-License-Identifier: MIT */
/*
 * An event loop of one thread, level-triggered, over messages in two parts: neither part blocks
 * signals, since the registration lingers. A handler comes between any two instructions of the
 * receive of either part. Then each wait says what is true: the socket is readable as long as
 * something is queued or held, and no longer; and each part comes once.
 */
#define _GNU_SOURCE
#include "wait/epoll_linger.h"

#include "lifecycle.h"
#include "receive/fast_path.h"
#include "rows.h"
#include "step.h"
#include "table/current.h"
#include "wait/epoll_ctl.h"
#include "wait/epoll_wait.h"

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROOM = 200, LENGTH = 300, MESSAGES = 3 };

static int in, out, set = -1, other;
static uint64_t cookie;

/* --- the loop, as the preload makes it ----------------------------------------------------- */

static int said; /* what was wrong in a handler, or a sleep */

/* No sleep is longer than this, and none may begin while something is held. */
static int call_own(const struct epoll_wait_call *wait, int64_t timeout)
{
    enum { SLEEP_MS = 5 };
    bool held = wait->epfd == set && proxy_look(cookie, NULL);
    int count = epoll_wait(wait->epfd, wait->events, wait->max, timeout == 0 ? 0 : SLEEP_MS);

    said |= held && timeout != 0 && count == 0;
    return count;
}

static int wait_on(int epfd, int64_t timeout)
{
    struct epoll_event event;
    struct epoll_wait_call wait = {epfd, &event, 1, timeout, NULL, call_own};
    int before = epoll_wait_begins(), count = EPOLL_WAIT_NOT_CALLED;

    if (!epoll_wait_is_watched(epfd))
        count = call_own(&wait, timeout);
    epoll_wait_ends(before, epfd);
    if (count == EPOLL_WAIT_NOT_CALLED || (count > 0 && epoll_wait_is_watched(epfd)))
        count = epoll_wait_with_tails(&wait, count);
    return count;
}

/* Of each message: what was received of it. */
static size_t came[MESSAGES];
static unsigned sent;

static ssize_t receive(unsigned buffer)
{
    static unsigned char bytes[2][ROOM]; /* known to the library from the first receive on */
    struct receive_result made =
        receive_buffer(in, bytes[buffer], ROOM, MSG_DONTWAIT, NULL, NULL, RECORD_RECV);

    if (made.outcome != RECEIVE_DONE)
        abort();
    if (made.value > 0)
        came[bytes[buffer][0]] += (size_t)made.value;
    return made.value;
}

static void send_messages(unsigned count)
{
    unsigned char bytes[LENGTH];

    memset(came, 0, sizeof came);
    sent = count;
    for (unsigned i = 0; i < count; i++) {
        memset(bytes, (int)i, sizeof bytes);
        cr_assert_eq(send(out, bytes, sizeof bytes, 0), LENGTH);
    }
}

static void control(int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = in};

    epoll_ctl_follow(set, operation, in, &event);
}

static bool is_readable(void)
{
    char byte;

    return proxy_look(cookie, NULL) || recv(in, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

/* A new set, in which the socket lingers. */
static void begin(void)
{
    uint64_t begun = epoll_ctl_set_begins();

    if (set >= 0) {
        epoll_ctl_forget(set, true);
        close(set);
    }
    set = epoll_create1(0);
    epoll_ctl_set_made(set, begun);
    control(EPOLL_CTL_ADD, EPOLLIN);
    send_messages(2);
    for (unsigned i = 0; i < 4; i++) {
        cr_assert_eq(wait_on(set, 0), 1);
        receive(i % 2);
    }
    cr_assert(linger_may(cookie));
    cr_assert(!is_readable());
}

static void set_up(void)
{
    static char *settings[] = {NULL};
    struct lifecycle_entrance entrance = {
        .next = {recvfrom, recvmsg, ppoll, pselect, epoll_ctl, NULL, NULL}, .libc_beneath = true};
    int pair[2];

    cr_assert_eq(lifecycle_start(&entrance, settings), 0);
#if __has_include(<sys/single_threaded.h>)
    __libc_single_threaded = 1; /* Criterion has some, but not in the process of a test */
#else
    cr_skip_test("this libc does not say whether there are threads");
#endif
    cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
    in = pair[0];
    out = pair[1];
    cr_assert(fd_class_is_message(fd_class_query(in)));
    cookie = fd_cookie(in);
    other = epoll_create1(0);
    begin();
}

TestSuite(linger_steps, .init = set_up, .timeout = 240);

/* --- handlers ------------------------------------------------------------------------------ */

static void handler_waits(void)
{
    bool readable = is_readable();

    said |= (wait_on(set, readable ? -1 : 0) == 1) != readable;
}

static void handler_receives(void)
{
    receive(1);
}

static void handler_drains(void)
{
    while (receive(1) >= 0)
        continue;
}

static void handler_changes(void)
{
    control(EPOLL_CTL_MOD, EPOLLIN);
    handler_waits();
}

static void handler_makes_anew(void)
{
    control(EPOLL_CTL_DEL, 0);
    handler_receives();
    control(EPOLL_CTL_ADD, EPOLLIN);
}

static void handler_shoots(void)
{
    control(EPOLL_CTL_MOD, EPOLLIN | EPOLLONESHOT);
    control(EPOLL_CTL_MOD, EPOLLIN | EPOLLET);
    control(EPOLL_CTL_MOD, EPOLLIN);
}

/* poll(2) on the set; and another set, which is now the last one waited in. */
static void handler_exposes(void)
{
    epoll_ctl_expose(set);
    wait_on(other, 0);
}

static sigjmp_buf left;

static void handler_leaves(void)
{
    control(EPOLL_CTL_MOD, EPOLLIN);
    siglongjmp(left, 1);
}

static const struct {
    const char *name;
    void (*act)(void);
    bool last_part; /* that is interrupted */
} rows[] = {
    {"waits", handler_waits, false},           {"waits", handler_waits, true},
    {"receives", handler_receives, false},     {"receives", handler_receives, true},
    {"drains", handler_drains, false},         {"drains", handler_drains, true},
    {"changes", handler_changes, false},       {"changes", handler_changes, true},
    {"makes anew", handler_makes_anew, false}, {"makes anew", handler_makes_anew, true},
    {"shoots", handler_shoots, false},         {"shoots", handler_shoots, true},
    {"exposes", handler_exposes, false},       {"exposes", handler_exposes, true},
    {"leaves", handler_leaves, false},         {"leaves", handler_leaves, true},
};

/* --- between any two instructions ---------------------------------------------------------- */

static void (*act)(void);

static void handle(int signal)
{
    (void)signal;
    act();
}

static void raise_signal(void *unused)
{
    (void)unused;
    raise(SIGUSR1);
}

static void receive_outer(void *unused)
{
    (void)unused;
    receive(0);
}

/* The loop goes on to the end of what is there. Parts come once; a message that a receive had when it
 * was left is lost. */
static void finish(bool lost, const char *where)
{
    unsigned missing = 0;

    for (bool readable = true; readable;) {
        readable = is_readable();
        cr_assert_eq(wait_on(set, 0), readable, "%s: a wait does not say what is %s", where,
                     readable ? "there" : "gone");
        if (readable)
            cr_assert_gt(receive(0), 0);
    }
    cr_assert_eq(poll(&(struct pollfd){set, POLLIN, 0}, 1, 0), 0, "%s: a proxy is left", where);
    for (unsigned i = 0; i < sent; i++)
        missing += came[i] != LENGTH;
    cr_assert_leq(missing, (unsigned)lost, "%s: %zu, %zu, %zu", where, came[0], came[1], came[2]);
    cr_assert_eq(said, 0, "%s: the handler's wait was wrong", where);
}

/* All of them take minutes. */
static unsigned long stride(void)
{
    return getenv("WSRX_TEST_LONG") ? 1 : 89;
}

ROWS(linger_steps, handler_at_any_instruction, ROWS_OF(rows))
{
    static volatile bool interrupted = true;
    static unsigned long count;

    if (!step_supported())
        cr_skip_test("no single steps on this processor");
    signal(SIGUSR1, handle);
    act = rows[*row].act;
    for (count = 1 + *row % stride(); interrupted; count += stride()) {
        char where[100];

        begin();
        /* What is queued hides a tail that nobody shows. */
        send_messages(act == handler_receives || act == handler_drains ? MESSAGES : 1);
        if (rows[*row].last_part) {
            cr_assert_eq(wait_on(set, 0), 1);
            receive(0);
        }
        cr_assert_eq(wait_on(set, 0), 1);
        if (sigsetjmp(left, 1) == 0)
            interrupted = step_interrupt(count, receive_outer, raise_signal, NULL);
        snprintf(where, sizeof where, "%s after %lu instructions of the %s part", rows[*row].name,
                 count, rows[*row].last_part ? "last" : "first");
        finish(interrupted && act == handler_leaves, where);
    }
    cr_assert_gt(count, 300);
}

static void wait_outer(void *ret_count)
{
    *(int *)ret_count = wait_on(set, -1);
}

static void handler_begins_a_message(void)
{
    send_messages(1);
    receive(1);
}

/* What a handler receives ends the wait that it interrupts, whose set lingers: it sleeps or it is
 * about to. */
Test(linger_steps, handler_receives_at_any_instruction_of_a_wait)
{
    enum { INSTRUCTIONS = 600 }; /* of a wait that sleeps, and what is behind is the next one */

    if (!step_supported())
        cr_skip_test("no single steps on this processor");
    signal(SIGUSR1, handle);
    act = handler_begins_a_message;
    for (unsigned long count = 1; count < INSTRUCTIONS; count += 1 + stride() / 20) {
        int ready = 0;

        begin();
        cr_assert(step_interrupt(count, wait_outer, raise_signal, &ready));
        cr_assert_eq(ready, 1);
        cr_assert_eq(said, 0, "a wait sleeps on a tail that came after %lu instructions", count);
        cr_assert_eq(receive(0), LENGTH - ROOM);
        cr_assert_eq(wait_on(set, 0), 0);
    }
}

/* --- between the look and the message ------------------------------------------------------- */

/* Whatever a handler does to the registration after the look revokes the claim. */
static bool change_and_go_on(uint64_t unused)
{
    (void)unused;
    control(EPOLL_CTL_MOD, EPOLLIN);
    return true;
}

static void hold(bool (*may)(uint64_t cookie), bool expected)
{
    static unsigned char bytes[LENGTH];
    struct iovec whole = {bytes, sizeof bytes};
    struct held held = {.kind = HELD_HERE, .length = LENGTH, .offset = ROOM};

    cr_assert(linger_begin(cookie));
    cr_assert_eq(table_hold_lockless(state.table, cookie, &held, &whole, 1, may), expected);
    cr_assert_eq(linger_end(cookie), expected);
}

Test(linger_steps, change_after_the_look_revokes)
{
    memset(came, 0, sizeof came);
    hold(linger_goes_on, true);
    cr_assert_eq(wait_on(set, 0), 1);
    cr_assert_eq(receive(0), LENGTH - ROOM);
    cr_assert_eq(wait_on(set, 0), 0);
    hold(change_and_go_on, false);
    cr_assert(!is_readable());
    cr_assert_eq(wait_on(set, 0), 0);
}

/* A receive within a receive, and one that was never ended. */
Test(linger_steps, announcement_that_is_left_ends)
{
    cr_assert(linger_begin(cookie));
    cr_assert(!linger_begin(cookie));
    send_messages(2);
    for (unsigned i = 0; i < 4; i++) {
        cr_assert_eq(wait_on(set, 0), 1);
        receive(0);
    }
    cr_assert(!linger_goes_on(cookie));
    cr_assert(linger_begin(cookie));
    cr_assert(linger_end(cookie));
}

/* It is pending only until a few waits have found nothing; then a wait is the program's own call. */
Test(linger_steps, ends_after_a_few_waits)
{
    for (unsigned i = 0; i < 16; i++)
        cr_assert_eq(wait_on(set, 0), 0);
    cr_assert(linger_may(cookie));
    for (unsigned i = 0; i < 4; i++)
        cr_assert_eq(wait_on(set, 0), 0);
    cr_assert(!linger_may(cookie));
    cr_assert(!epoll_wait_is_watched(set));
}
