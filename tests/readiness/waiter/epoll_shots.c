/* SPDX-License-Identifier: MIT */
/* One shots whose tails are shown by the wait alone, and what happens when others look after all. */
#include "waiter.h"

#include "cases.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { SHOT = EPOLLIN | EPOLLONESHOT };

/* What looks at a set other than its own waits. */
static bool is_readable(int set)
{
    struct pollfd fd = {.fd = set, .events = POLLIN};

    return poll(&fd, 1, 0) == 1;
}

static bool is_readable_inside(int set)
{
    int outer = set_make();
    struct epoll_event event;
    bool readable;

    set_add(outer, set, EPOLLIN, 99);
    readable = set_wait(outer, &event, 1, 0, NULL) == 1;
    close(outer);
    return readable;
}

static void *wait_once(void *context)
{
    int *set = context;
    struct epoll_event event;

    *set = set_wait(*set, &event, 1, 0, NULL);
    return NULL;
}

static bool is_readable_for_a_thread(int set)
{
    pthread_t thread;

    EQUAL(pthread_create(&thread, NULL, wait_once, &set), 0);
    EQUAL(pthread_join(thread, NULL), 0);
    return set == 1;
}

static void wait_and_expect_nothing(void *context)
{
    NO_EVENT(*(int *)context);
}

static bool is_readable_for_a_child(int set)
{
    child_await(child_start(wait_and_expect_nothing, &set));
    return false;
}

static bool (*const looks[])(int set) = {is_readable, is_readable_inside, is_readable_for_a_thread,
                                         is_readable_for_a_child};

enum { LOOKS = sizeof looks / sizeof *looks };

/* The wait has reported the tail, so the shot is spent, also for a message that comes then. */
void case_one_shot_spent_for_others(void)
{
    for (int i = 0; i < LOOKS; i++) {
        struct pair pair = pair_make();
        int set = set_make();
        unsigned message;

        NO_EVENT(set);
        message = tail_begin(pair);
        set_add(set, pair.r, SHOT, 1);
        EVENT(set, EPOLLIN, 1);
        message_send(pair, 5);
        EXPECT(!looks[i](set));
        NO_EVENT(set);
        set_change(set, pair.r, SHOT, 2);
        EVENT(set, EPOLLIN, 2);
        TAKE(pair.r, LONG, message, LONG, PART, LONG);
        EXPECT(!looks[i](set));
        set_change(set, pair.r, SHOT, 3);
        EVENT(set, EPOLLIN, 3);
        TAKE(pair.r, PART, message + 1, 5, 0, 5);
    }
}

/* The kernel has reported the message, so no tail of it is reported; not even to others. */
void case_one_shot_fired_for_others(void)
{
    for (int i = 0; i < LOOKS; i++) {
        struct pair pair = pair_make();
        int set = set_make();
        unsigned message;

        set_add(set, pair.r, SHOT, 1);
        NO_EVENT(set);
        message = message_send(pair, LONG);
        EVENT(set, EPOLLIN, 1);
        TAKE(pair.r, PART, message, LONG, 0, PART);
        EXPECT(!looks[i](set));
        NO_EVENT(set);
        TAKE(pair.r, PART, message, LONG, PART, 2 * PART);
        set_change(set, pair.r, SHOT, 2);
        EVENT(set, EPOLLIN, 2);
        EXPECT(!looks[i](set));
    }
}

/* Nobody has reported the message: the tail is reported, whoever looks first. */
void case_one_shot_armed_for_others(void)
{
    for (int i = 0; i < LOOKS - 1; i++) {
        struct pair pair = pair_make();
        int set = set_make();

        set_add(set, pair.r, SHOT, 1);
        NO_EVENT(set);
        tail_begin(pair);
        EXPECT(looks[i](set));
        if (looks[i] != is_readable_for_a_thread)
            EVENT(set, EPOLLIN, 1);
        NO_EVENT(set);
    }
}

/* Another registration gets the data of one that is spent. */
void case_one_shot_spent_then_shared(void)
{
    struct pair pair = pair_make(), other = pair_make();
    int set = set_make();
    unsigned message;

    NO_EVENT(set);
    message = tail_begin(pair);
    set_add(set, pair.r, SHOT, 1);
    EVENT(set, EPOLLIN, 1);
    set_add(set, other.r, EPOLLIN, 1);
    message_send(pair, 5);
    NO_EVENT(set);
    message_send(other, 5);
    EVENT(set, EPOLLIN, 1);
    TAKE(other.r, PART, message + 2, 5, 0, 5);
    set_change(set, pair.r, SHOT, 1);
    EVENT(set, EPOLLIN, 1);
    NO_EVENT(set);
}

static void wait_for_the_end(void *context)
{
    int *ends = context;
    struct pollfd end = {.fd = ends[0], .events = 0};

    close(ends[1]);
    poll(&end, 1, -1);
}

/* The program that comes by exec knows nothing of the set. The socket stays with a child. */
void case_one_shot_spent_for_the_next(void)
{
    struct pair pair;
    int set, ends[2];

    if (getenv("WAITER_NEXT")) {
        NO_EVENT(STDIN_FILENO);
        return;
    }
    pair = pair_make();
    EQUAL(pipe(ends), 0);
    child_start(wait_for_the_end, ends);
    set = set_make();
    NO_EVENT(set);
    tail_begin(pair);
    set_add(set, pair.r, SHOT, 1);
    EVENT(set, EPOLLIN, 1);
    message_send(pair, 5);
    EQUAL(dup2(set, STDIN_FILENO), STDIN_FILENO);
    setenv("WAITER_NEXT", "", 1);
    execl("/proc/self/exe", "waiter", "one_shot_spent_for_the_next", "udp", "epoll_wait", NULL);
    EXPECT(!"exec");
}

/* --- a handler that comes between --------------------------------------------------------- */

static struct {
    struct pair pair;
    int set, done[2]; /* a pipe: the handler has taken what the wait may wait for */
    uint32_t events;
    volatile sig_atomic_t on;
    size_t received;
} shared;

static void receive_part(void)
{
    unsigned char bytes[LONG];
    ssize_t got = recv(shared.pair.r, bytes, PART, MSG_DONTWAIT);

    if (got > 0)
        __atomic_add_fetch(&shared.received, (size_t)got, __ATOMIC_RELAXED);
}

/* Arms the registration again, as a program must after a receive. */
static void handle(int number)
{
    int saved = errno;

    (void)number;
    if (shared.on) {
        receive_part();
        set_change(shared.set, shared.pair.r, shared.events, 1);
        EQUAL(write(shared.done[1], "", 1), 1);
    }
    errno = saved;
}

/* Every byte comes, and no wait sleeps while there is one left. */
static void receive_beside_a_handler(uint32_t events)
{
    enum { MESSAGES = 1000 };

    shared.pair = pair_make();
    shared.set = set_make();
    shared.events = events;
    shared.received = 0;
    EQUAL(pipe(shared.done), 0);
    set_add(shared.set, shared.pair.r, events, 1);
    set_add(shared.set, shared.done[0], EPOLLIN, 2);
    EXPECT(signal(SIGALRM, handle) != SIG_ERR);
    for (size_t i = 0; i < MESSAGES; i++) {
        struct itimerval timer = {.it_value = {0, 1 + (long)(i % 50)}};
        size_t sent = (i + 1) * LONG;

        message_send(shared.pair, LONG);
        shared.on = true;
        EQUAL(setitimer(ITIMER_REAL, &timer, NULL), 0);
        while (__atomic_load_n(&shared.received, __ATOMIC_RELAXED) < sent) {
            struct epoll_event event;
            int got = set_wait(shared.set, &event, 1, patience, NULL);
            char byte;

            if (got == -1 && errno == EINTR)
                continue;
            EQUAL(got, 1);
            if (event.data.u64 == 2) {
                EQUAL(read(shared.done[0], &byte, 1), 1);
                continue;
            }
            receive_part();
            set_change(shared.set, shared.pair.r, events, 1);
        }
        EQUAL((long long)shared.received, (long long)sent);
        shared.on = false;
    }
}

void case_one_shot_beside_a_handler(void)
{
    receive_beside_a_handler(SHOT);
}

void case_level_beside_a_handler(void)
{
    receive_beside_a_handler(EPOLLIN);
}
