/* SPDX-License-Identifier: MIT */
/* epoll in one thread: several sets, sets in sets, and what is registered in them. */
#include "waiter.h"

#include "cases.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

void case_several_sets(void)
{
    struct pair pair = pair_make();
    int level = set_make(), writing = set_make(), edge = set_make(), shot = set_make();
    unsigned message;

    set_add(level, pair.r, EPOLLIN, 1);
    set_add(writing, pair.r, EPOLLOUT, 2);
    set_add(edge, pair.r, EPOLLIN | EPOLLET, 3);
    set_add(shot, pair.r, EPOLLIN | EPOLLONESHOT, 4);
    message = message_send(pair, LONG);
    EVENT(level, EPOLLIN, 1);
    EVENT(edge, EPOLLIN, 3);
    EVENT(shot, EPOLLIN, 4);
    TAKE(pair.r, PART, message, LONG, 0, PART);
    EVENT(level, EPOLLIN, 1);
    EVENT(writing, EPOLLOUT, 2);
    NO_EVENT(edge);
    NO_EVENT(shot);
    set_change(shot, pair.r, EPOLLIN | EPOLLONESHOT, 5);
    EVENT(shot, EPOLLIN, 5);
    EVENT(level, EPOLLIN, 1);
    close(level);
    set_change(shot, pair.r, EPOLLIN | EPOLLONESHOT, 6);
    TAKE(pair.r, 4000, message, LONG, PART, LONG);
    EVENT(writing, EPOLLOUT, 2);
    NO_EVENT(edge);
    NO_EVENT(shot);
}

void case_nested_sets(void)
{
    struct pair pair = pair_make();
    int inner = set_make(), middle = set_make(), outer = set_make();
    unsigned message;

    set_add(inner, pair.r, EPOLLIN, 1);
    set_add(middle, inner, EPOLLIN, 2);
    set_add(outer, middle, EPOLLIN, 3);
    message = message_send(pair, LONG);
    TAKE(pair.r, PART, message, LONG, 0, PART);
    EVENT(outer, EPOLLIN, 3);
    EVENT(middle, EPOLLIN, 2);
    EVENT(inner, EPOLLIN, 1);
    EVENT(outer, EPOLLIN, 3);
    TAKE(pair.r, PART, message, LONG, PART, 2 * PART);
    EVENT(outer, EPOLLIN, 3);
    EVENT(inner, EPOLLIN, 1);
    TAKE(pair.r, PART, message, LONG, 2 * PART, LONG);
    NO_EVENT(outer);
    NO_EVENT(middle);
    NO_EVENT(inner);
}

void case_polled_set(void)
{
    struct pair pair = pair_make();
    int set = set_make();
    struct pollfd one = {set, POLLIN, 0};
    unsigned message;

    set_add(set, pair.r, EPOLLIN, 1);
    message = tail_begin(pair);
    EQUAL(poll(&one, 1, patience), 1);
    EQUAL(one.revents, POLLIN);
    EVENT(set, EPOLLIN, 1);
    tail_end(pair.r, message);
    EQUAL(poll(&one, 1, 0), 0);
}

void case_change(void)
{
    struct pair pair = pair_make();
    int set = set_make();
    unsigned message;

    set_add(set, pair.r, EPOLLIN, 11);
    message = tail_begin(pair);
    set_change(set, pair.r, EPOLLIN, 22);
    EVENT(set, EPOLLIN, 22);
    set_change(set, pair.r, EPOLLOUT, 23);
    EVENT(set, EPOLLOUT, 23);
    set_change(set, pair.r, EPOLLIN, 24);
    EVENT(set, EPOLLIN, 24);
    set_change(set, pair.r, 0, 25);
    NO_EVENT(set);
    set_change(set, pair.r, EPOLLIN, UINT64_MAX);
    EVENT(set, EPOLLIN, UINT64_MAX);
    TAKE(pair.r, PART, message, LONG, PART, 2 * PART);
    EVENT(set, EPOLLIN, UINT64_MAX);
    TAKE(pair.r, PART, message, LONG, 2 * PART, LONG);
    NO_EVENT(set);
    set_change(set, pair.r, EPOLLOUT, 26);
    message = tail_begin(pair);
    EVENT(set, EPOLLOUT, 26);
    set_change(set, pair.r, EPOLLIN | EPOLLOUT, 27);
    EVENT(set, EPOLLIN | EPOLLOUT, 27);
}

void case_removal(void)
{
    struct pair pair = pair_make();
    int set = set_make();
    struct descriptors before, after;
    unsigned message;

    set_add(set, pair.r, EPOLLIN, 11);
    descriptors_list(&before);
    message = tail_begin(pair);
    set_remove(set, pair.r);
    NO_EVENT_FOR(set, 20);
    descriptors_list(&after);
    EXPECT(descriptors_same(&before, &after));
    REFUSED(epoll_ctl(set, EPOLL_CTL_DEL, pair.r, NULL), ENOENT);
    set_add(set, pair.r, EPOLLIN, 12);
    EVENT(set, EPOLLIN, 12);
    REFUSED(epoll_ctl(set, EPOLL_CTL_ADD, pair.r, &(struct epoll_event){.events = EPOLLIN}),
            EEXIST);
    EVENT(set, EPOLLIN, 12);
    tail_end(pair.r, message);
    NO_EVENT(set);
}

/* How many events with this data, and all of them EPOLLIN. */
static int count_events(int set, uint64_t data, int timeout)
{
    struct epoll_event events[64];
    int count = set_wait(set, events, 64, timeout, NULL), matching = 0;

    for (int i = 0; i < count; i++) {
        EQUAL(events[i].events, EPOLLIN);
        matching += events[i].data.u64 == data;
    }
    EXPECT(count >= 0);
    return matching;
}

void case_two_descriptors(void)
{
    struct pair pair = pair_make();
    int set = set_make(), copy = dup(pair.r);
    unsigned message;

    set_add(set, pair.r, EPOLLIN, 1);
    set_add(set, copy, EPOLLIN, 2);
    message = message_send(pair, LONG);
    TAKE(copy, PART, message, LONG, 0, PART);
    EQUAL(count_events(set, 1, patience), 1);
    EQUAL(count_events(set, 2, patience), 1);
    set_remove(set, pair.r);
    EVENT(set, EPOLLIN, 2);
    TAKE(pair.r, PART, message, LONG, PART, 2 * PART);
    EVENT(set, EPOLLIN, 2);
    TAKE(pair.r, PART, message, LONG, 2 * PART, LONG);
    NO_EVENT(set);
}

void case_two_descriptors_one_data(void)
{
    struct pair pair = pair_make();
    int set = set_make(), copy = dup(pair.r);
    unsigned message;

    set_add(set, pair.r, EPOLLIN, 7);
    set_add(set, copy, EPOLLIN, 7);
    message = tail_begin(pair);
    EXPECT(count_events(set, 7, patience) >= 1);
    set_remove(set, pair.r);
    EVENT(set, EPOLLIN, 7);
    tail_end(copy, message);
    NO_EVENT(set);
}

/* Nobody starves: what is ready comes by turns. */
void case_one_event_at_a_time(void)
{
    enum { SOCKETS = 4 };
    struct pair pairs[SOCKETS];
    int set = set_make(), seen[SOCKETS] = {0};

    for (int i = 0; i < SOCKETS; i++) {
        pairs[i] = pair_make();
        set_add(set, pairs[i].r, EPOLLIN, (uint64_t)i);
        if (i < 3)
            tail_begin(pairs[i]);
        if (i > 1)
            message_send(pairs[i], 5);
    }
    for (int i = 0; i < 4 * SOCKETS; i++) {
        struct epoll_event event;

        EQUAL(set_wait(set, &event, 1, patience, NULL), 1);
        EQUAL(event.events, EPOLLIN);
        EXPECT(event.data.u64 < SOCKETS);
        seen[event.data.u64]++;
    }
    for (int i = 0; i < SOCKETS; i++)
        EXPECT(seen[i] > 0);
}

/* Half of them with a message behind the tail: each comes once in a wait, none is forgotten. */
void case_many_sockets(void)
{
    enum { SOCKETS = 300 };
    static struct pair pairs[SOCKETS];
    static struct epoll_event events[2 * SOCKETS];
    unsigned messages[SOCKETS];
    struct rlimit limit;
    struct descriptors before, after;
    int set = set_make(), seen = 0;

    EQUAL(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    EQUAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int i = 0; i < SOCKETS; i++) {
        pairs[i] = pair_make();
        set_add(set, pairs[i].r, EPOLLIN, (uint64_t)i);
    }
    descriptors_list(&before);
    for (int i = 0; i < SOCKETS; i++) {
        messages[i] = tail_begin(pairs[i]);
        if (i % 2)
            message_send(pairs[i], 5);
    }
    EQUAL(set_wait(set, events, 2 * SOCKETS, patience, NULL), SOCKETS);
    for (int i = 0; i < SOCKETS; i++) {
        EQUAL(events[i].events, EPOLLIN);
        for (int j = 0; j < i; j++)
            EXPECT(events[j].data.u64 != events[i].data.u64);
    }
    for (int rounds = 0; seen < SOCKETS; rounds++) {
        int count = set_wait(set, events, 8, patience, NULL);

        EXPECT(count > 0 && rounds < 4 * SOCKETS);
        for (int i = 0; i < count; i++) {
            unsigned at = (unsigned)events[i].data.u64;

            if (messages[at]) {
                tail_end(pairs[at].r, messages[at]);
                messages[at] = 0;
                seen++;
            }
        }
    }
    for (int i = 1; i < SOCKETS; i += 2) {
        char byte;

        EQUAL(recv(pairs[i].r, &byte, 1, MSG_DONTWAIT | MSG_TRUNC), 5);
    }
    NO_EVENT(set);
    descriptors_list(&after);
    EXPECT(descriptors_same(&before, &after));
}

void case_shared_data(void)
{
    struct pair pairs[3];
    int set = set_make();
    unsigned message, other;

    for (int i = 0; i < 3; i++) {
        pairs[i] = pair_make();
        set_add(set, pairs[i].r, EPOLLIN, 5);
    }
    message = tail_begin(pairs[1]);
    EVENT(set, EPOLLIN, 5);
    other = tail_begin(pairs[2]);
    EQUAL(count_events(set, 5, patience), 2);
    tail_end(pairs[1].r, message);
    EVENT(set, EPOLLIN, 5);
    message_send(pairs[0], 5);
    EQUAL(count_events(set, 5, patience), 2);
    tail_end(pairs[2].r, other);
    TAKE(pairs[0].r, PART, other + 1, 5, 0, 5);
    NO_EVENT(set);
}

/* Two shots with one data: that the one has fired says nothing of the other. */
void case_shared_data_one_shot(void)
{
    for (int first = 0; first < 2; first++) {
        struct pair pairs[2] = {pair_make(), pair_make()};
        struct pair fires = pairs[first], stays = pairs[!first];
        int set = set_make();
        unsigned message;

        set_add(set, pairs[0].r, EPOLLIN | EPOLLONESHOT, 7);
        set_add(set, pairs[1].r, EPOLLIN | EPOLLONESHOT, 7);
        message = message_send(fires, 5);
        EVENT(set, EPOLLIN, 7);
        TAKE(fires.r, PART, message, 5, 0, 5);
        message = tail_begin(stays);
        EVENT(set, EPOLLIN, 7);
        NO_EVENT(set);
        tail_end(stays.r, message);
        message = message_send(stays, 5);
        NO_EVENT(set); /* the shot is spent */
        set_change(set, stays.r, EPOLLIN | EPOLLONESHOT, 7);
        EVENT(set, EPOLLIN, 7);
        TAKE(stays.r, PART, message, 5, 0, 5);
        message = tail_begin(stays);
        NO_EVENT(set);
        set_change(set, stays.r, EPOLLIN | EPOLLONESHOT, 7);
        EVENT(set, EPOLLIN, 7);
        tail_end(stays.r, message);
        NO_EVENT(set);
    }
}

void case_set_by_a_copy(void)
{
    struct pair pair = pair_make();
    int set = set_make(), copy = dup(set);
    unsigned message;

    set_add(set, pair.r, EPOLLIN | EPOLLOUT, 1);
    message = tail_begin(pair);
    EVENT(copy, EPOLLIN | EPOLLOUT, 1);
    set_change(copy, pair.r, EPOLLIN, 2);
    EVENT(copy, EPOLLIN, 2);
    EVENT(set, EPOLLIN, 2);
    tail_end(pair.r, message);
    NO_EVENT(copy);
    message = tail_begin(pair);
    close(set);
    EVENT(copy, EPOLLIN, 2);
    TAKE(pair.r, PART, message, LONG, PART, 2 * PART);
    EVENT(copy, EPOLLIN, 2);
    TAKE(pair.r, PART, message, LONG, 2 * PART, LONG);
    NO_EVENT(copy);
    message = tail_begin(pair);
    EVENT(copy, EPOLLIN, 2);
    tail_end(pair.r, message);
    NO_EVENT(copy);
}

/* epoll(7), questions: a registration lives until every copy of the descriptor is closed. */
void case_copy_outlives_registered(void)
{
    struct pair pair = pair_make();
    int set = set_make(), copy = dup(pair.r);
    unsigned message;

    set_add(set, pair.r, EPOLLIN, 1);
    close(pair.r);
    pair.r = copy;
    message = message_send(pair, LONG);
    EVENT(set, EPOLLIN, 1);
    TAKE(copy, PART, message, LONG, 0, PART);
    EVENT(set, EPOLLIN, 1);
    tail_end(copy, message);
    NO_EVENT(set);
    message = tail_begin(pair);
    close(copy);
    NO_EVENT(set);
    EQUAL(message, 2);
}
