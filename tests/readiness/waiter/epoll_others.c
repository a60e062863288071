/* SPDX-License-Identifier: MIT */
/* epoll with other threads and processes: which of them wake, which must not, and for how long. */
#include "waiter.h"

#include "cases.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* A thread that waits once. */
struct sleeper {
    int set;
    int timeout;
    pid_t tid;
    int count;
    struct epoll_event event;
    int64_t slept, cpu;
};

static void *sleep_in_set(void *context)
{
    struct sleeper *sleeper = context;
    int64_t start = now_ms();

    __atomic_store_n(&sleeper->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
    sleeper->count = set_wait(sleeper->set, &sleeper->event, 1, sleeper->timeout, NULL);
    sleeper->slept = now_ms() - start;
    return NULL;
}

static pthread_t sleeper_start(struct sleeper *sleeper)
{
    pthread_t thread;

    sleeper->tid = 0;
    EQUAL(pthread_create(&thread, NULL, sleep_in_set, sleeper), 0);
    while (!__atomic_load_n(&sleeper->tid, __ATOMIC_ACQUIRE))
        usleep(1000);
    await_asleep(sleeper->tid);
    return thread;
}

static void expect_woken(const struct sleeper *sleeper, pthread_t thread, uint64_t data)
{
    EQUAL(pthread_join(thread, NULL), 0);
    EQUAL(sleeper->count, 1);
    EQUAL(sleeper->event.events, EPOLLIN);
    EXPECT(sleeper->event.data.u64 == data);
}

/* A worker sleeps before the first socket is there: its event disarms the shot all the same. */
void case_one_shot_first_event_of_a_sleeper(void)
{
    struct pair pair = pair_make();
    struct sleeper sleeper = {.set = set_make(), .timeout = patience};
    pthread_t thread = sleeper_start(&sleeper);
    unsigned message;

    set_add(sleeper.set, pair.r, EPOLLIN | EPOLLONESHOT, 11);
    message = message_send(pair, LONG);
    expect_woken(&sleeper, thread, 11);
    TAKE(pair.r, PART, message, LONG, 0, PART);
    NO_EVENT_FOR(sleeper.set, 20);
}

/* A tail comes into the set of a thread that sleeps: by ADD, and by MOD. */
void case_sleeper_wakes(void)
{
    struct pair pair = pair_make(), idle = pair_make();
    struct sleeper sleeper = {.set = set_make(), .timeout = patience};
    pthread_t thread;
    unsigned message;

    set_add(sleeper.set, idle.r, EPOLLIN, 1);
    message = tail_begin(pair);
    thread = sleeper_start(&sleeper);
    set_add(sleeper.set, pair.r, EPOLLIN | EPOLLONESHOT, 2);
    expect_woken(&sleeper, thread, 2);
    thread = sleeper_start(&sleeper);
    set_change(sleeper.set, pair.r, EPOLLIN, 3);
    expect_woken(&sleeper, thread, 3);
    tail_end(pair.r, message);
    NO_EVENT(sleeper.set);
}

/*
 * The socket is in the set by a copy whose events the sleeper does not get (EPOLLOUT is wanted
 * only when it is not writable), so that the message's arrival cannot be what wakes it: the tail
 * begins, and then the first set is asked for EPOLLIN through a set that is nested in it.
 */
void case_sleeper_wakes_again(void)
{
    struct pair pair = pair_make();
    int inner = set_make();
    struct sleeper sleeper = {.set = set_make(), .timeout = patience};
    pthread_t thread;
    unsigned message;

    set_add(inner, pair.r, 0, 1);
    set_add(sleeper.set, inner, EPOLLIN, 2);
    thread = sleeper_start(&sleeper);
    message = tail_begin(pair);
    await_asleep(sleeper.tid);
    set_change(inner, pair.r, EPOLLIN, 3);
    expect_woken(&sleeper, thread, 2);
    EVENT(inner, EPOLLIN, 3);
    tail_end(pair.r, message);
    NO_EVENT(sleeper.set);
}

/*
 * Tails come and go while a thread sleeps for 300 ms. It may see any of them, for they
 * were there; it may not see one that is not, nor sleep longer, nor burn the time.
 */
struct taker {
    struct pair pair;
    int rounds;
};

static void *take_tails(void *context)
{
    struct taker *taker = context;

    for (int i = 0; i < taker->rounds; i++)
        tail_end(taker->pair.r, tail_begin(taker->pair));
    return NULL;
}

void case_taken_by_a_thread(void)
{
    struct taker taker = {pair_make(), 3000};
    int set = set_make();
    struct epoll_event event;
    pthread_t thread;

    set_add(set, taker.pair.r, EPOLLIN, 1);
    EQUAL(pthread_create(&thread, NULL, take_tails, &taker), 0);
    for (int i = 0; i < 3000; i++) {
        int count = set_wait(set, &event, 1, 1, NULL);

        EXPECT(count == 0 || (count == 1 && event.data.u64 == 1 && event.events == EPOLLIN));
    }
    EQUAL(pthread_join(thread, NULL), 0);
    NO_EVENT_FOR(set, 300);
    /* and it works as before; this is what fails without the library */
    unsigned message = tail_begin(taker.pair);

    EVENT(set, EPOLLIN, 1);
    tail_end(taker.pair.r, message);
    NO_EVENT(set);
}

static void expect_quiet(int set)
{
    int64_t start = now_ms(), cpu = cpu_ms(), slept;

    NO_EVENT_FOR(set, 300);
    slept = now_ms() - start;
    EXPECT(slept >= 280);
    EXPECT(slept < 2000);
    EXPECT(cpu_ms() - cpu < 100);
}

/* One word at a time, from one process to the other. */
struct talk {
    int to_child[2], to_parent[2];
    struct pair pair;
    int set;
    unsigned message;
};

static void talk_start(struct talk *talk)
{
    EQUAL(pipe(talk->to_child), 0);
    EQUAL(pipe(talk->to_parent), 0);
}

static void say(int fd)
{
    EQUAL(write(fd, "x", 1), 1);
}

static void hear(int fd)
{
    char word;

    EQUAL(read(fd, &word, 1), 1);
}

static void end_the_tail(void *context)
{
    struct talk *talk = context;

    hear(talk->to_child[0]);
    tail_end(talk->pair.r, 1);
    say(talk->to_parent[1]);
    hear(talk->to_child[0]);
    NO_EVENT(talk->set);
}

/* The child was there before the tail; the parent's wait neither reports it nor ends early. */
void case_taken_by_a_child(void)
{
    struct talk talk = {.pair = pair_make(), .set = set_make()};
    pid_t child;

    talk_start(&talk);
    set_add(talk.set, talk.pair.r, EPOLLIN, 1);
    child = child_start(end_the_tail, &talk);
    EQUAL(tail_begin(talk.pair), 1);
    EVENT(talk.set, EPOLLIN, 1);
    say(talk.to_child[1]);
    hear(talk.to_parent[0]);
    expect_quiet(talk.set);
    say(talk.to_child[1]);
    child_await(child);
    expect_quiet(talk.set);
    talk.message = tail_begin(talk.pair);
    EVENT(talk.set, EPOLLIN, 1);
    tail_end(talk.pair.r, talk.message);
}

static void begin_a_tail(void *context)
{
    struct talk *talk = context;

    EQUAL(tail_begin(talk->pair), 1);
    say(talk->to_parent[1]);
    hear(talk->to_child[0]);
    NO_EVENT(talk->set);
    say(talk->to_parent[1]);
    hear(talk->to_child[0]);
}

/* The child begins it, the parent ends it; both share the set. */
void case_begun_by_a_child(void)
{
    struct talk talk = {.pair = pair_make(), .set = set_make()};
    pid_t child;

    talk_start(&talk);
    set_add(talk.set, talk.pair.r, EPOLLIN, 1);
    child = child_start(begin_a_tail, &talk);
    hear(talk.to_parent[0]);
    EVENT(talk.set, EPOLLIN, 1);
    tail_end(talk.pair.r, 1);
    expect_quiet(talk.set);
    say(talk.to_child[1]);
    hear(talk.to_parent[0]);
    expect_quiet(talk.set);
    say(talk.to_child[1]);
    child_await(child);
}

static void begin_and_die(void *context)
{
    struct talk *talk = context;

    EQUAL(tail_begin(talk->pair), 1);
    kill(getpid(), SIGKILL);
}

void case_left_by_a_dead_child(void)
{
    struct talk talk = {.pair = pair_make(), .set = set_make()};
    int status;
    pid_t child;

    set_add(talk.set, talk.pair.r, EPOLLIN, 1);
    child = child_start(begin_and_die, &talk);
    EQUAL(waitpid(child, &status, 0), child);
    EXPECT(WIFSIGNALED(status));
    EVENT(talk.set, EPOLLIN, 1);
    tail_end(talk.pair.r, 1);
    NO_EVENT(talk.set);
}

/* One processor for both, on which the parent does not drive the child out when it is woken: so the
 * child goes on from its send to its receive, and the parent finds no message. */
static void let_the_child_go_first(void)
{
    struct sched_param none = {.sched_priority = 0};
    cpu_set_t one;
    int cpu = sched_getcpu();

    EXPECT(cpu >= 0);
    CPU_ZERO(&one);
    CPU_SET((size_t)cpu, &one);
    EQUAL(sched_setaffinity(0, sizeof(one), &one), 0);
    EQUAL(sched_setscheduler(0, SCHED_BATCH, &none), 0);
}

static void begin_while_the_parent_sleeps(void *context)
{
    struct talk *talk = context;

    EQUAL(sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){.sched_priority = 0}), 0);
    await_asleep(getppid());
    talk->message = tail_begin(talk->pair);
}

static void begin_while_it_sleeps_and_die(void *context)
{
    begin_while_the_parent_sleeps(context);
    kill(getpid(), SIGKILL);
}

/* The stand-in goes with the child before the parent has seen it. */
void case_left_while_asleep(void)
{
    let_the_child_go_first();
    for (unsigned message = 1; message <= 5; message++) {
        struct talk talk = {.pair = pair_make(), .set = set_make()};
        int64_t start = now_ms();
        int status;
        pid_t child;

        set_add(talk.set, talk.pair.r, EPOLLIN, 1);
        child = child_start(begin_while_it_sleeps_and_die, &talk);
        EVENT(talk.set, EPOLLIN, 1);
        EXPECT(now_ms() - start < patience - 500); /* not by the last look of a wait that ends */
        EQUAL(waitpid(child, &status, 0), child);
        EXPECT(WIFSIGNALED(status));
        EVENT(talk.set, EPOLLIN, 1);
        tail_end(talk.pair.r, message);
        NO_EVENT(talk.set);
    }
}

static void begin_and_stay(void *context)
{
    struct talk *talk = context;

    begin_while_the_parent_sleeps(context);
    say(talk->to_parent[1]);
    hear(talk->to_child[0]);
}

/* poll(2) on the set: woken by the child's stand-in, for there is no other way. */
void case_polled_set_of_two(void)
{
    struct talk talk = {.pair = pair_make(), .set = set_make()};
    struct pollfd one = {talk.set, POLLIN, 0};
    pid_t child;

    let_the_child_go_first();
    talk_start(&talk);
    set_add(talk.set, talk.pair.r, EPOLLIN, 1);
    child = child_start(begin_and_stay, &talk);
    EQUAL(poll(&one, 1, patience), 1);
    EVENT(talk.set, EPOLLIN, 1);
    hear(talk.to_parent[0]);
    EQUAL(poll(&one, 1, patience), 1);
    TAKE(talk.pair.r, PART, 1, LONG, PART, 2 * PART);
    EQUAL(poll(&one, 1, patience), 1);
    TAKE(talk.pair.r, PART, 1, LONG, 2 * PART, LONG);
    NO_EVENT(talk.set);
    EQUAL(poll(&one, 1, 0), 0);
    say(talk.to_child[1]);
    child_await(child);
}

static void begin_a_shot(void *context)
{
    struct talk *talk = context;

    EQUAL(tail_begin(talk->pair), talk->message);
    say(talk->to_parent[1]);
    hear(talk->to_child[0]);
}

/* One shot for both processes: reported once, whether the one that began the tail lives or not. */
void case_one_shot_of_two(void)
{
    unsigned message = 1;

    for (unsigned round = 0; round < 2; round++, message += 2) {
        struct talk talk = {.pair = pair_make(), .set = set_make(), .message = message};
        int status;
        pid_t child;

        talk_start(&talk);
        set_add(talk.set, talk.pair.r, EPOLLIN | EPOLLONESHOT, 1);
        child = child_start(begin_a_shot, &talk);
        hear(talk.to_parent[0]);
        if (round == 1) {
            EQUAL(kill(child, SIGKILL), 0);
            EQUAL(waitpid(child, &status, 0), child);
        }
        EVENT(talk.set, EPOLLIN, 1);
        NO_EVENT(talk.set);
        TAKE(talk.pair.r, PART, message, LONG, PART, 2 * PART);
        expect_quiet(talk.set);
        set_change(talk.set, talk.pair.r, EPOLLIN | EPOLLONESHOT, 2);
        EVENT(talk.set, EPOLLIN, 2);
        NO_EVENT(talk.set);
        TAKE(talk.pair.r, PART, message, LONG, 2 * PART, LONG);
        set_change(talk.set, talk.pair.r, EPOLLIN | EPOLLONESHOT, 3);
        expect_quiet(talk.set);
        message_send(talk.pair, 5);
        EVENT(talk.set, EPOLLIN, 3);
        NO_EVENT(talk.set);
        if (round == 0) {
            say(talk.to_child[1]);
            child_await(child);
        }
    }
}

static void wait_and_end_the_tail(void *context)
{
    struct talk *talk = context;

    hear(talk->to_child[0]);
    EVENT(talk->set, EPOLLIN, 1);
    tail_end(talk->pair.r, 1);
    NO_EVENT(talk->set);
}

/* As a daemon's first process does: its close is not the child's. */
void case_parent_closes_its_set(void)
{
    struct talk talk = {.pair = pair_make(), .set = set_make()};
    pid_t child;

    talk_start(&talk);
    set_add(talk.set, talk.pair.r, EPOLLIN, 1);
    EQUAL(tail_begin(talk.pair), 1);
    child = child_start(wait_and_end_the_tail, &talk);
    close(talk.set);
    close(talk.pair.r);
    say(talk.to_child[1]);
    child_await(child);
}

/* A tail on a socket of another set, and all is as if there were none. */
void case_quiet_time(void)
{
    struct pair pair = pair_make(), other = pair_make();
    int set = set_make(), other_set = set_make();

    set_add(set, pair.r, EPOLLIN, 1);
    set_add(other_set, other.r, EPOLLIN, 2);
    tail_begin(other);
    expect_quiet(set);
}
