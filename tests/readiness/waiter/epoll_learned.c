/* SPDX-License-Identifier: MIT */
/* What the library has to find out when the first tail comes, for it did not look before: sets and
 * descriptors that have a history by then. And what it must not do meanwhile. */
#include "waiter.h"

#include "cases.h"

#include <errno.h>
#include <gnu/libc-version.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void leave_at_once(void *unused)
{
    (void)unused;
}

/* Registered, closed while a copy is open, and the number is another socket's by now: all of it
 * before the first tail. */
void case_number_of_another(void)
{
    struct pair pair = pair_make(), other;
    int set = set_make(), copy = dup(pair.r), registered = pair.r;
    unsigned message;

    set_add(set, pair.r, EPOLLIN, 1);
    close(pair.r);
    other = pair_make();
    EQUAL(other.r, registered);
    pair.r = copy;
    message = tail_begin(pair);
    EVENT(set, EPOLLIN, 1);
    tail_end(copy, message);
    NO_EVENT(set);
    message = tail_begin(other); /* it is in no set */
    NO_EVENT(set);
    tail_end(other.r, message);
}

static void play_number_of_two(void)
{
    struct pair first = pair_make(), second = pair_make();
    int set = set_make(), copy = dup(first.r);
    unsigned message;

    set_add(set, first.r, EPOLLIN, 1);
    EQUAL(dup2(second.r, first.r), first.r);
    close(second.r);
    second.r = first.r;
    set_add(set, second.r, EPOLLIN | EPOLLONESHOT, 2);
    message = message_send(second, 7);
    EVENT(set, EPOLLIN, 2);
    TAKE(second.r, PART, message, 7, 0, 7);
    message = tail_begin(second);
    NO_EVENT(set); /* the shot has been reported */
    set_change(set, second.r, EPOLLIN | EPOLLONESHOT, 3);
    EVENT(set, EPOLLIN, 3);
    NO_EVENT(set);
    tail_end(second.r, message);
    close(copy);
    close(first.s);
    close(second.r);
    close(second.s);
    close(set);
}

/* The same, and the number is registered as the other socket, too. Which of the two is first in the
 * kernel is chance. */
void case_number_of_two(void)
{
    enum { TIMES = 20 };

    child_await(child_start(leave_at_once, NULL));
    for (unsigned i = 0; i < TIMES; i++)
        play_number_of_two();
}

/* A set among whose registrations are many kinds of files. */
void case_among_others(void)
{
    struct pair pair = pair_make();
    int set = set_make(), inner = set_make(), ends[2], streams[2];
    unsigned message;

    EQUAL(pipe(ends), 0);
    EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, streams), 0);
    set_add(set, ends[0], EPOLLIN, 2);
    set_add(set, streams[0], EPOLLIN | EPOLLET, 3);
    set_add(set, inner, EPOLLIN | EPOLLONESHOT, 4);
    set_add(set, pair.r, EPOLLIN, 1);
    set_remove(set, streams[0]);
    message = tail_begin(pair);
    EVENT(set, EPOLLIN, 1);
    tail_end(pair.r, message);
    EQUAL(write(ends[1], "x", 1), 1);
    EVENT(set, EPOLLIN, 2);
}

/* After so many changes with nothing held nobody follows them any more; the next tail finds what
 * they were. */
void case_long_after_a_tail(void)
{
    struct pair pair = pair_make();
    int set = set_make(), ends[2];
    unsigned message;

    EQUAL(pipe(ends), 0);
    set_add(set, pair.r, EPOLLIN, 1);
    set_add(set, ends[0], EPOLLIN, 9);
    for (unsigned round = 0; round < 3; round++) {
        message = tail_begin(pair);
        EVENT(set, EPOLLIN, round + 1);
        tail_end(pair.r, message);
        for (int i = 0; i < 500; i++)
            set_change(set, ends[0], EPOLLIN, 9);
        set_change(set, pair.r, EPOLLIN, round + 2);
    }
    message = tail_begin(pair);
    set_change(set, pair.r, EPOLLIN | EPOLLONESHOT, 7);
    EVENT(set, EPOLLIN, 7);
    NO_EVENT(set);
    tail_end(pair.r, message);
}

/* The child receives a part and ends; the set in which the socket is stands in another one. */
void case_nested_after_a_child(void)
{
    struct pair pair = pair_make();
    int inner = set_make(), outer = set_make();
    unsigned message;
    pid_t child;

    set_add(inner, pair.r, EPOLLIN, 1);
    set_add(outer, inner, EPOLLIN, 2);
    message = message_send(pair, LONG);
    child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        TAKE(pair.r, PART, message, LONG, 0, PART);
        _exit(0);
    }
    child_await(child);
    EVENT(outer, EPOLLIN, 2);
    EVENT(inner, EPOLLIN, 1);
    tail_end(pair.r, message);
    NO_EVENT(outer);
}

/* A record without an end, for the other side has closed: Linux reports that with the shot. */
static struct pair records(void)
{
    int ends[2];

    EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    return (struct pair){ends[0], ends[1]};
}

void case_one_shot_at_the_end(void)
{
    struct pair pair = records();
    int set = set_make();

    tail_begin(pair);
    close(pair.s);
    set_add(set, pair.r, EPOLLIN | EPOLLONESHOT, 1);
    EVENT(set, EPOLLIN | EPOLLHUP, 1);
    NO_EVENT_FOR(set, 50);
    NO_EVENT(set);
    set_change(set, pair.r, EPOLLIN | EPOLLONESHOT, 2);
    EVENT(set, EPOLLIN | EPOLLHUP, 2);
    NO_EVENT(set);
}

/* The end comes after the shot, which is spent. */
void case_one_shot_then_the_end(void)
{
    struct pair pair = records();
    int set = set_make();
    unsigned message;

    set_add(set, pair.r, EPOLLIN | EPOLLONESHOT, 1);
    message = tail_begin(pair);
    EVENT(set, EPOLLIN, 1);
    close(pair.s);
    NO_EVENT_FOR(set, 50);
    tail_end(pair.r, message);
    NO_EVENT_FOR(set, 50);
    set_change(set, pair.r, EPOLLIN | EPOLLONESHOT, 2);
    EVENT(set, EPOLLIN | EPOLLHUP, 2);
    NO_EVENT(set);
}

static long times_asleep(void)
{
    struct rusage usage;

    EQUAL(getrusage(RUSAGE_THREAD, &usage), 0);
    return usage.ru_nvcsw;
}

/* A process that has forked sleeps as long as it wants to, with sockets in its sets and after
 * tails of its own and of its child. */
void case_sleeps_after_a_fork(void)
{
    struct pair pair = pair_make();
    int set = set_make();
    unsigned message;
    pid_t child;
    long before;

    set_add(set, pair.r, EPOLLIN, 1);
    for (int tails = 0; tails < 2; tails++) {
        child = fork();
        EXPECT(child >= 0);
        if (child == 0)
            _exit(0);
        child_await(child);
        before = times_asleep();
        NO_EVENT_FOR(set, 900);
        EXPECT(times_asleep() - before <= 2);
        message = tail_begin(pair);
        EVENT(set, EPOLLIN, 1);
        tail_end(pair.r, message);
    }
}

static volatile bool ended;
static volatile long interrupted;

static void *wait_again_and_again(void *context)
{
    struct epoll_event event;

    while (!ended)
        if (set_wait(*(int *)context, &event, 1, 2, NULL) < 0 && errno == EINTR)
            interrupted++;
    return NULL;
}

/* From 2.41 on glibc blocks all signals while it forks, with the library and without it. */
static bool fork_blocks_signals(void)
{
    int major = 0, minor = 0;

    return sscanf(gnu_get_libc_version(), "%d.%d", &major, &minor) == 2 &&
           (major > 2 || minor >= 41);
}

/* SIGCHLD is ignored. Blocked in the thread that forks, it would wake another one. */
void case_fork_wakes_nobody(void)
{
    struct pair pair = pair_make();
    pthread_t threads[3];
    int set = set_make();

    set_add(set, pair.r, EPOLLIN, 1);
    for (size_t i = 0; i < 3; i++)
        EQUAL(pthread_create(&threads[i], NULL, wait_again_and_again, &set), 0);
    for (int i = 0; i < 400; i++) {
        pid_t child = fork();

        EXPECT(child >= 0);
        if (child == 0)
            _exit(0);
        child_await(child);
    }
    ended = true;
    for (size_t i = 0; i < 3; i++)
        EQUAL(pthread_join(threads[i], NULL), 0);
    if (!fork_blocks_signals())
        EQUAL(interrupted, 0);
}

/* No descriptor is free when a set gets its first registration, so it cannot be looked up; and too
 * many have been made to remember them all. Nor is what is known of another set forgotten. */
void case_set_without_a_descriptor(void)
{
    enum { MANY = 70 };
    struct pair pair = pair_make();
    int set = set_make(), later = set_make();
    struct rlimit usual, none;
    unsigned message;

    for (uint64_t i = 0; i < MANY; i++)
        set_add(set, pair_make().r, EPOLLIN, 100 + i);
    set_add(set, pair.r, EPOLLIN, 1);
    message = tail_begin(pair);
    EVENT(set, EPOLLIN, 1);
    EQUAL(getrlimit(RLIMIT_NOFILE, &usual), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = usual.rlim_max};
    EQUAL(setrlimit(RLIMIT_NOFILE, &none), 0);
    set_add(later, pair.r, EPOLLIN, 2);
    EVENT(later, EPOLLIN, 2);
    EVENT(set, EPOLLIN, 1);
    EQUAL(setrlimit(RLIMIT_NOFILE, &usual), 0);
    tail_end(pair.r, message);
    NO_EVENT(later);
    NO_EVENT(set);
}

/* When the first tail comes, the number that the set was made with is closed. */
void case_set_by_a_copy_alone(void)
{
    struct pair pair = pair_make();
    int set = set_make(), copy = dup(set), second;
    unsigned message;

    set_add(set, pair.r, EPOLLIN, 1);
    close(set);
    message = tail_begin(pair);
    EVENT(copy, EPOLLIN, 1);
    second = dup(copy);
    EVENT(second, EPOLLIN, 1);
    tail_end(pair.r, message);
    NO_EVENT(copy);
    NO_EVENT(second);
}

/* A set comes in a message: `closed`, `tail`: of these steps, the last before which its number is
 * closed and the tail is left. */
static void pass_set(int closed, int tail)
{
    struct pair pair = pair_make();
    int set = set_make(), came = -1, way[2];
    unsigned message = 0;

    set_add(set, pair.r, EPOLLIN, 1);
    EQUAL(socketpair(AF_UNIX, SOCK_DGRAM, 0, way), 0);
    for (int step = 0; step < 4; step++) {
        if (step == tail)
            message = tail_begin(pair);
        if (step == closed)
            close(set);
        if (step == 0)
            descriptor_send(way[1], set);
        else if (step == 1)
            came = descriptor_receive(way[0]);
        else
            EVENT(step == closed ? came : dup(came), EPOLLIN, 1);
        if (step == 2 && closed > 2)
            EVENT(set, EPOLLIN, 1);
    }
    TAKE(pair.r, PART, message, LONG, PART, 2 * PART);
    EVENT(came, EPOLLIN, 1);
    TAKE(pair.r, PART, message, LONG, 2 * PART, LONG);
    NO_EVENT(came);
    close(came);
    close(way[0]);
    close(way[1]);
}

void case_set_in_a_message(void)
{
    for (int closed = 1; closed <= 4; closed++)
        for (int tail = 0; tail <= 2; tail++)
            pass_set(closed, tail);
}
