/* SPDX-License-Identifier: MIT */
/* epoll, one thread in one process: every manner of registration, every kind of set. */
#include "waiter.h"

#include "cases.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DECLARE(name, without, where) void case_##name(void);
EPOLL_CASES(DECLARE)

/* --- manners ----------------------------------------------------------------------------- */

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

struct sleeper {
    int set;
    pid_t tid;
    int count;
    struct epoll_event event;
};

static void *sleep_in_set(void *context)
{
    struct sleeper *sleeper = context;

    __atomic_store_n(&sleeper->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
    sleeper->count = set_wait(sleeper->set, &sleeper->event, 1, patience, NULL);
    return NULL;
}

/* A worker sleeps before the first socket is there: its event disarms the shot all the same. */
void case_one_shot_first_event_of_a_sleeper(void)
{
    struct pair pair = pair_make();
    struct sleeper sleeper = {.set = set_make()};
    pthread_t thread;
    unsigned message;

    EQUAL(pthread_create(&thread, NULL, sleep_in_set, &sleeper), 0);
    while (!__atomic_load_n(&sleeper.tid, __ATOMIC_ACQUIRE))
        usleep(1000);
    await_asleep(sleeper.tid);
    set_add(sleeper.set, pair.r, EPOLLIN | EPOLLONESHOT, 11);
    message = message_send(pair, LONG);
    EQUAL(pthread_join(thread, NULL), 0);
    EQUAL(sleeper.count, 1);
    EQUAL(sleeper.event.events, EPOLLIN);
    TAKE(pair.r, PART, message, LONG, 0, PART);
    NO_EVENT_FOR(sleeper.set, 20);
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
    /* At least one of the sets must tell. */
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

/* --- sets -------------------------------------------------------------------------------- */

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

/* --- errors and signals ------------------------------------------------------------------ */

void case_refuses(void)
{
    struct pair pair = pair_make();
    int set = set_make();
    struct epoll_event event, *volatile bad = (struct epoll_event *)16;
    sigset_t *volatile bad_mask = (sigset_t *)16;
    struct timespec *volatile bad_time = (struct timespec *)16;
    struct timespec negative = {-1, 0};

    REFUSED(epoll_ctl(set, EPOLL_CTL_ADD, pair.r, bad), EFAULT);
    NO_EVENT(set);
    set_add(set, pair.r, EPOLLIN, 1);
    tail_begin(pair);
    message_send(pair, 5);
    REFUSED(set_wait(set, bad, 1, patience, NULL), EFAULT);
    REFUSED(set_wait(set, &event, 0, patience, NULL), EINVAL);
    REFUSED(set_wait(set, &event, -1, patience, NULL), EINVAL);
    REFUSED(set_wait(pair.r, &event, 1, patience, NULL), EINVAL);
    REFUSED(set_wait(-1, &event, 1, patience, NULL), EBADF);
    REFUSED(set_wait(set, &event, 1, patience, bad_mask), EFAULT);
    REFUSED(epoll_pwait2(set, &event, 1, bad_time, NULL), EFAULT);
    REFUSED(epoll_pwait2(set, &event, 1, &negative, NULL), EINVAL);
    REFUSED(epoll_ctl(set, EPOLL_CTL_MOD, pair.r, bad), EFAULT);
    REFUSED(epoll_ctl(set, 99, pair.r, &event), EINVAL);
    REFUSED(epoll_ctl(-1, EPOLL_CTL_ADD, pair.r, &event), EBADF);
    EVENT(set, EPOLLIN, 1);
}

void case_pending_signal(void)
{
    struct pair pair = pair_make();
    int set = set_make(), count;
    struct epoll_event event;
    sigset_t mine, none;

    set_add(set, pair.r, EPOLLIN, 1);
    tail_begin(pair);
    signals_count(SIGUSR1);
    sigemptyset(&none);
    sigemptyset(&mine);
    sigaddset(&mine, SIGUSR1);
    EQUAL(sigprocmask(SIG_BLOCK, &mine, NULL), 0);
    EQUAL(raise(SIGUSR1), 0);
    count = set_wait(set, &event, 1, patience, &none);
    EQUAL(signals_handled, count == -1);
    if (count == -1)
        EQUAL(errno, EINTR);
    else
        EQUAL(count, 1);
    EVENT(set, EPOLLIN, 1);
}

void case_interrupted(void)
{
    struct pair pair = pair_make(), other = pair_make();
    int set = set_make(), other_set = set_make();
    struct epoll_event event;

    set_add(set, pair.r, EPOLLIN, 1);
    set_add(other_set, other.r, EPOLLIN, 2);
    tail_begin(other);
    signals_count(SIGALRM);
    signals_after(100);
    REFUSED(set_wait(set, &event, 1, -1, NULL), EINTR);
    EQUAL(signals_handled, 1);
}
