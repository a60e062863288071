/* SPDX-License-Identifier: MIT */
/* epoll in one thread: level-triggered, edge-triggered, one-shot, exclusive. */
#include "waiter.h"

#include "cases.h"

#include <errno.h>

void case_level(void)
{
    struct pair pair = pair_make();
    int set = set_make();
    unsigned message;

    set_add(set, pair.r, EPOLLIN, 11);
    NO_EVENT(set);
    message = message_send(pair, LONG);
    EVENT(set, EPOLLIN, 11);
    TAKE(pair.r, PART, message, LONG, 0, PART);
    EVENT(set, EPOLLIN, 11);
    EVENT(set, EPOLLIN, 11);
    TAKE(pair.r, PART, message, LONG, PART, 2 * PART);
    EVENT(set, EPOLLIN, 11);
    TAKE(pair.r, PART, message, LONG, 2 * PART, LONG);
    NO_EVENT(set);
    NO_EVENT_FOR(set, 20);
    NOTHING(pair.r);
}

void case_level_with_more_behind(void)
{
    struct pair pair = pair_make();
    int set = set_make();
    unsigned message;

    set_add(set, pair.r, EPOLLIN, 11);
    message = tail_begin(pair);
    message_send(pair, 5);
    EVENT(set, EPOLLIN, 11);
    EVENT(set, EPOLLIN, 11);
    tail_end(pair.r, message);
    EVENT(set, EPOLLIN, 11);
    TAKE(pair.r, PART, message + 1, 5, 0, 5);
    NO_EVENT(set);
    /* and once more, with the same registration */
    message = tail_begin(pair);
    EVENT(set, EPOLLIN, 11);
    tail_end(pair.r, message);
    NO_EVENT(set);
}

/* epoll(7): whoever asks for edges receives until EAGAIN; so a part is no edge, as on a stream. */
void case_edge(void)
{
    struct pair pair = pair_make();
    int set = set_make();
    unsigned message;

    set_add(set, pair.r, EPOLLIN | EPOLLET, 11);
    message = message_send(pair, LONG);
    EVENT(set, EPOLLIN, 11);
    TAKE(pair.r, PART, message, LONG, 0, PART);
    NO_EVENT_FOR(set, 20);
    message_send(pair, 5);
    EVENT(set, EPOLLIN, 11);
    NO_EVENT(set);
    TAKE(pair.r, PART, message, LONG, PART, 2 * PART);
    TAKE(pair.r, PART, message, LONG, 2 * PART, LONG);
    TAKE(pair.r, PART, message + 1, 5, 0, 5);
    NOTHING(pair.r);
    NO_EVENT(set);
}

void case_edge_asked_anew(void)
{
    struct pair pair = pair_make();
    int set = set_make(), other = set_make();
    unsigned message;

    set_add(set, pair.r, EPOLLIN | EPOLLET, 11);
    message = tail_begin(pair);
    set_change(set, pair.r, EPOLLIN | EPOLLET, 12);
    EVENT(set, EPOLLIN, 12);
    NO_EVENT(set);
    set_add(other, pair.r, EPOLLIN | EPOLLET, 21);
    EVENT(other, EPOLLIN, 21);
    NO_EVENT(other);
    NO_EVENT(set);
    set_remove(set, pair.r);
    set_add(set, pair.r, EPOLLIN | EPOLLET, 13);
    EVENT(set, EPOLLIN, 13);
    NO_EVENT(set);
    set_change(set, pair.r, EPOLLIN | EPOLLOUT | EPOLLET, 14);
    EVENT(set, EPOLLIN | EPOLLOUT, 14);
    NO_EVENT(set);
    set_change(set, pair.r, EPOLLIN | EPOLLET, 15);
    tail_end(pair.r, message);
    NO_EVENT(set);
    set_change(set, pair.r, EPOLLIN | EPOLLET, 16);
    NO_EVENT(set);
    message_send(pair, 5);
    EVENT(set, EPOLLIN, 16);
    EVENT(other, EPOLLIN, 21);
    NO_EVENT(set);
}

void case_one_shot(void)
{
    struct pair pair = pair_make();
    int set = set_make();
    unsigned message;

    set_add(set, pair.r, EPOLLIN | EPOLLONESHOT, 11);
    message = message_send(pair, LONG);
    EVENT(set, EPOLLIN, 11);
    NO_EVENT(set);
    TAKE(pair.r, PART, message, LONG, 0, PART);
    NO_EVENT_FOR(set, 20);
    set_change(set, pair.r, EPOLLIN | EPOLLONESHOT, 12);
    EVENT(set, EPOLLIN, 12);
    NO_EVENT(set);
    TAKE(pair.r, PART, message, LONG, PART, 2 * PART);
    NO_EVENT(set);
    message_send(pair, 5); /* one event for the tail and for this one */
    set_change(set, pair.r, EPOLLIN | EPOLLONESHOT, 13);
    EVENT(set, EPOLLIN, 13);
    NO_EVENT_FOR(set, 20);
    TAKE(pair.r, PART, message, LONG, 2 * PART, LONG);
    NO_EVENT(set);
    set_change(set, pair.r, EPOLLIN | EPOLLONESHOT, 14);
    EVENT(set, EPOLLIN, 14);
    TAKE(pair.r, PART, message + 1, 5, 0, 5);
    set_change(set, pair.r, EPOLLIN | EPOLLONESHOT, 15);
    NO_EVENT(set);
    message_send(pair, 5);
    EVENT(set, EPOLLIN, 15);
    NO_EVENT(set);
}

/* Armed, and the tail begins and ends with nobody waiting: the shot is still in it. */
void case_one_shot_before_the_wait(void)
{
    struct pair pair = pair_make();
    int set = set_make();
    unsigned message;

    set_add(set, pair.r, EPOLLIN | EPOLLONESHOT, 11);
    message = tail_begin(pair);
    EVENT(set, EPOLLIN, 11);
    NO_EVENT(set);
    tail_end(pair.r, message);
    set_change(set, pair.r, EPOLLIN | EPOLLONESHOT, 12);
    message = tail_begin(pair);
    tail_end(pair.r, message);
    NO_EVENT(set);
    message = message_send(pair, 5);
    EVENT(set, EPOLLIN, 12);
    NO_EVENT(set);
    TAKE(pair.r, PART, message, 5, 0, 5);
    message = tail_begin(pair);
    NO_EVENT(set);
    set_change(set, pair.r, EPOLLIN | EPOLLONESHOT, 13);
    message_send(pair, 5);
    tail_end(pair.r, message);
    EVENT(set, EPOLLIN, 13);
    NO_EVENT(set);
}

void case_one_shot_in_and_out(void)
{
    struct pair pair = pair_make();
    int set = set_make();
    unsigned message = tail_begin(pair);

    set_add(set, pair.r, EPOLLIN | EPOLLOUT | EPOLLONESHOT, 11);
    EVENT(set, EPOLLIN | EPOLLOUT, 11);
    NO_EVENT(set);
    set_change(set, pair.r, EPOLLOUT | EPOLLONESHOT, 12);
    EVENT(set, EPOLLOUT, 12);
    NO_EVENT(set);
    set_change(set, pair.r, EPOLLIN | EPOLLOUT | EPOLLONESHOT, 13);
    tail_end(pair.r, message);
    EVENT(set, EPOLLOUT, 13);
    NO_EVENT(set);
    set_change(set, pair.r, EPOLLIN | EPOLLOUT | EPOLLONESHOT | EPOLLET, 14);
    EVENT(set, EPOLLOUT, 14);
    message_send(pair, 5);
    NO_EVENT(set);
}

void case_exclusive(void)
{
    struct pair pair = pair_make();
    int set = set_make(), other = set_make();
    struct epoll_event event;
    unsigned message;

    set_add(set, pair.r, EPOLLIN | EPOLLEXCLUSIVE, 11);
    message = message_send(pair, LONG);
    EVENT(set, EPOLLIN, 11);
    TAKE(pair.r, PART, message, LONG, 0, PART);
    EVENT(set, EPOLLIN, 11);
    TAKE(pair.r, PART, message, LONG, PART, 2 * PART);
    EVENT(set, EPOLLIN, 11);
    set_add(other, pair.r, EPOLLIN | EPOLLEXCLUSIVE, 21);
    EVENT(other, EPOLLIN, 21);
    TAKE(pair.r, PART, message, LONG, 2 * PART, LONG);
    NO_EVENT(set);
    NO_EVENT(other);
    event = (struct epoll_event){.events = EPOLLIN, .data.u64 = 12};
    REFUSED(epoll_ctl(set, EPOLL_CTL_MOD, pair.r, &event), EINVAL);
    message = tail_begin(pair);
    /* At least one of the sets must report it. */
    EXPECT(set_wait(set, &event, 1, 0, NULL) + set_wait(other, &event, 1, 0, NULL) >= 1);
    tail_end(pair.r, message);
    NO_EVENT(set);
    NO_EVENT(other);
}

void case_in_and_out(void)
{
    struct pair pair = pair_make();
    int set = set_make();
    unsigned message;

    set_add(set, pair.r, EPOLLIN | EPOLLOUT, 11);
    EVENT(set, EPOLLOUT, 11);
    message = tail_begin(pair);
    EVENT(set, EPOLLIN | EPOLLOUT, 11);
    EVENT(set, EPOLLIN | EPOLLOUT, 11);
    message_send(pair, 5);
    EVENT(set, EPOLLIN | EPOLLOUT, 11);
    tail_end(pair.r, message);
    EVENT(set, EPOLLIN | EPOLLOUT, 11);
    TAKE(pair.r, PART, message + 1, 5, 0, 5);
    EVENT(set, EPOLLOUT, 11);
}

void case_other_events(void)
{
    struct pair pair = pair_make();
    int set = set_make(), other = set_make(), third = set_make();
    unsigned message = tail_begin(pair);

    set_add(set, pair.r, EPOLLRDNORM, 11);
    set_add(other, pair.r, EPOLLIN | EPOLLRDNORM, 21);
    set_add(third, pair.r, EPOLLPRI | EPOLLRDHUP, 31);
    EVENT(set, EPOLLRDNORM, 11);
    EVENT(other, EPOLLIN | EPOLLRDNORM, 21);
    NO_EVENT(third);
    tail_end(pair.r, message);
    NO_EVENT(set);
    NO_EVENT(other);
}
