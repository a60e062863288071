/* SPDX-License-Identifier: MIT */
/* Descriptors that are closed while a tail is held: no stale event, and nothing is left behind. */
#include "waiter.h"

#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/socket.h>
#include <unistd.h>

/* A whole life, to see that what comes after the end is as new. */
static void live_once(void)
{
    struct pair pair = pair_make();
    int set = set_make();
    unsigned message;

    set_add(set, pair.r, EPOLLIN, 77);
    NO_EVENT(set);
    message = tail_begin(pair);
    EVENT(set, EPOLLIN, 77);
    tail_end(pair.r, message);
    NO_EVENT(set);
    close(set);
    close(pair.r);
    close(pair.s);
}

void case_same_descriptors(void)
{
    struct pair pair = pair_make();
    int set = set_make(), other = set_make();
    struct descriptors before, between, after;

    set_add(set, pair.r, EPOLLIN, 1);
    set_add(other, pair.r, EPOLLIN, 2);
    descriptors_list(&before);
    EQUAL(before.count, 3 + 4); /* three that everybody has, and ours */
    for (int i = 0; i < 200; i++) {
        unsigned message = message_send(pair, LONG);
        unsigned char bytes[LONG];

        EQUAL(recv(pair.r, bytes, PART, MSG_DONTWAIT), PART);
        descriptors_list(&between);
        EXPECT(between.count <= before.count + 2); /* one a set */
        while (recv(pair.r, bytes, PART, MSG_DONTWAIT) > 0)
            ;
        EQUAL(message, i + 1);
    }
    descriptors_list(&after);
    EXPECT(descriptors_same(&before, &after));
}

void case_close_socket(void)
{
    struct descriptors before, after;
    int set = set_make(), first;
    struct pair pair;
    unsigned message;

    descriptors_list(&before);
    pair = pair_make();
    first = pair.r;
    set_add(set, pair.r, EPOLLIN, 1);
    tail_begin(pair);
    EVENT(set, EPOLLIN, 1);
    EQUAL(close(pair.r), 0);
    NO_EVENT_FOR(set, 50);
    close(pair.s);
    descriptors_list(&after);
    EXPECT(descriptors_same(&before, &after));

    /* The number comes back as another socket: nothing of the old one is there. */
    pair = pair_make();
    EQUAL(pair.r, first);
    set_add(set, pair.r, EPOLLIN, 2);
    NO_EVENT(set);
    NOTHING(pair.r);
    message = tail_begin(pair);
    EVENT(set, EPOLLIN, 2);
    tail_end(pair.r, message);
    NO_EVENT(set);
}

void case_close_set(void)
{
    struct pair pair = pair_make();
    struct descriptors before, after;
    int set, again;
    unsigned message;

    descriptors_list(&before);
    set = set_make();
    set_add(set, pair.r, EPOLLIN, 1);
    message = tail_begin(pair);
    EVENT(set, EPOLLIN, 1);
    EQUAL(close(set), 0);
    descriptors_list(&after);
    EXPECT(descriptors_same(&before, &after));
    again = set_make();
    EQUAL(again, set);
    NO_EVENT(again);
    set_add(again, pair.r, EPOLLIN, 2);
    EVENT(again, EPOLLIN, 2);
    tail_end(pair.r, message);
    NO_EVENT(again);
    EQUAL(close(again), 0);
    descriptors_list(&after);
    EXPECT(descriptors_same(&before, &after));
}

/* Three sockets with tails, in two sets, one of them nested in the other. */
static void make_ground(void)
{
    int set = set_make(), outer = set_make();

    for (int i = 0; i < 3; i++) {
        struct pair pair = pair_make();

        set_add(set, pair.r, EPOLLIN, (uint64_t)i);
        set_add(outer, pair.r, EPOLLIN | EPOLLONESHOT, (uint64_t)i);
        tail_begin(pair);
    }
    set_add(outer, set, EPOLLIN, 9);
}

static void expect_none_above(int last)
{
    struct descriptors list;

    descriptors_list(&list);
    EQUAL(list.count, last + 1);
    EQUAL(list.fd[last], last);
    live_once();
    descriptors_list(&list);
    EQUAL(list.count, last + 1);
}

void case_close_in_a_loop(void)
{
    make_ground();
    for (int fd = 3; fd < 1024; fd++)
        close(fd);
    expect_none_above(2);
    make_ground();
    for (int fd = 1023; fd >= 3; fd--)
        close(fd);
    expect_none_above(2);
}

void case_close_from(void)
{
    make_ground();
    closefrom(3);
    expect_none_above(2);
}

void case_close_a_range(void)
{
    make_ground();
    EQUAL(close_range(3, ~0u, 0), 0);
    expect_none_above(2);
#ifdef __GLIBC__ /* musl does not say whether there are threads */
    /* With threads it is unshare(2) of descriptors, after which nothing is held (process-forks). */
    if (has_threads())
        return;
    make_ground();
    EQUAL(close_range(3, 1 << 20, CLOSE_RANGE_UNSHARE), 0);
    expect_none_above(2);
#endif
}

/* All that is above what the program uses itself: "close what I do not know". */
void case_close_above(void)
{
    struct pair pair = pair_make();
    struct descriptors before, after;
    int set = set_make();
    unsigned message;

    set_add(set, pair.r, EPOLLIN, 1);
    descriptors_list(&before);
    message = tail_begin(pair);
    closefrom(set + 1);
    EVENT(set, EPOLLIN, 1);
    EQUAL(close_range((unsigned)set + 1, ~0u, 0), 0);
    EVENT(set, EPOLLIN, 1);
    for (int fd = set + 1; fd < 1024; fd++)
        close(fd);
    EVENT(set, EPOLLIN, 1);
    TAKE(pair.r, PART, message, LONG, PART, 2 * PART);
    EVENT(set, EPOLLIN, 1);
    TAKE(pair.r, PART, message, LONG, 2 * PART, LONG);
    NO_EVENT(set);
    descriptors_list(&after);
    EXPECT(descriptors_same(&before, &after));
}

/* The socket's number becomes another socket by dup2, and the registration goes with the old. */
void case_number_used_again(void)
{
    struct pair pair = pair_make(), other = pair_make();
    int set = set_make();
    unsigned message;

    set_add(set, pair.r, EPOLLIN, 1);
    tail_begin(pair);
    EQUAL(dup2(other.r, pair.r), pair.r);
    NO_EVENT_FOR(set, 20);
    NOTHING(pair.r);
    message = tail_begin(other);
    NO_EVENT(set); /* it is in no set */
    set_add(set, pair.r, EPOLLIN, 2);
    EVENT(set, EPOLLIN, 2);
    tail_end(pair.r, message);
    NO_EVENT(set);
}

/* What the program did not open it cannot close. */
void case_stand_in_closed(void)
{
    struct pair pair = pair_make();
    int set = set_make(), number;
    unsigned message;

    set_add(set, pair.r, EPOLLIN, 1);
    set_add(set_make(), set, EPOLLIN, 9); /* for somebody else to look at: a wait needs none */
    message = tail_begin(pair);
    number = descriptors_find_eventfd();
    EXPECT(number >= 0);
    REFUSED(close(number), EBADF);
    EVENT(set, EPOLLIN, 1);
    tail_end(pair.r, message);
    NO_EVENT(set);
    EQUAL(descriptors_find_eventfd(), -1);
}

/* It may take the number for a descriptor of its own, which then stays its own. */
void case_stand_in_overwritten(void)
{
    struct pair pair = pair_make();
    int set = set_make(), ends[2], number;
    struct descriptors before, after;
    unsigned message;
    char byte;

    EQUAL(pipe(ends), 0);
    set_add(set, pair.r, EPOLLIN, 1);
    set_add(set_make(), set, EPOLLIN, 9);
    descriptors_list(&before);
    for (int way = 0; way < 2; way++) {
        message = tail_begin(pair);
        number = descriptors_find_eventfd();
        EXPECT(number >= 0);
        EQUAL(way ? dup3(ends[1], number, O_CLOEXEC) : dup2(ends[1], number), number);
        EVENT(set, EPOLLIN, 1);
        EQUAL(write(number, "x", 1), 1);
        EQUAL(read(ends[0], &byte, 1), 1);
        TAKE(pair.r, PART, message, LONG, PART, 2 * PART);
        EVENT(set, EPOLLIN, 1);
        TAKE(pair.r, PART, message, LONG, 2 * PART, LONG);
        NO_EVENT(set);
        EQUAL(write(number, "x", 1), 1);
        EQUAL(read(ends[0], &byte, 1), 1);
        EQUAL(close(number), 0);
        descriptors_list(&after);
        EXPECT(descriptors_same(&before, &after));
    }
}
