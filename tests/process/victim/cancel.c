/* SPDX-License-Identifier: MIT */
/* A thread that is to be cancelled: each call is where it ends. It is the only one of its process, or
 * (scenarios from IN_A_THREAD on) another one cancels it while it waits in the call, or just before. */
#include "link.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/single_threaded.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static struct link link_of;
static char buffer[1000];

static void call_recv(void)
{
    recv(link_of.r, buffer, sizeof buffer, 0);
}

static void call_recvfrom(void)
{
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;

    recvfrom(link_of.r, buffer, sizeof buffer, 0, (struct sockaddr *)&peer, &length);
}

static void call_read(void)
{
    (void)!read(link_of.r, buffer, sizeof buffer);
}

static void call_epoll_wait(void)
{
    static int set;
    struct epoll_event event = {EPOLLIN, {.fd = link_of.r}};

    if (set == 0) {
        set = epoll_create1(0);
        EXPECT(set > 0 && epoll_ctl(set, EPOLL_CTL_ADD, link_of.r, &event) == 0);
    }
    epoll_wait(set, &event, 1, -1);
}

static void call_readv(void)
{
    struct iovec iov = {buffer, sizeof buffer};

    (void)!readv(link_of.r, &iov, 1);
}

static void call_recvmsg(void)
{
    struct iovec iov = {buffer, sizeof buffer};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    recvmsg(link_of.r, &msg, 0);
}

static void call_recvmmsg(void)
{
    struct iovec iov = {buffer, sizeof buffer};
    struct mmsghdr vec = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};

    recvmmsg(link_of.r, &vec, 1, 0, NULL);
}

static void (*const calls[])(void) = {call_recv,  call_recvfrom, call_read,    call_epoll_wait,
                                      call_readv, call_recvmsg,  call_recvmmsg};

enum { CALLS = sizeof calls / sizeof *calls, WAITED = 4, IN_A_THREAD = WAITED, PENDING = 8 };

static void say_so(void *unused)
{
    (void)unused;
    puts("cancelled");
    exit(0);
}

/* Some that fit: what a receive has learnt from them must not matter. */
static void fit_first(void (*call)(void))
{
    link_of = link_make(LINK_UDP);
    for (unsigned i = 0; i < 10; i++) {
        link_send(&link_of, i, 100);
        call();
    }
    while (recv(link_of.r, buffer, sizeof buffer, MSG_DONTWAIT) > 0)
        continue;
}

static void *call_in_a_thread(void *unused)
{
    int type;

    (void)unused;
    fit_first(calls[scenario_number - IN_A_THREAD]);
    /* The call has left the type of cancellation as it was. */
    EXPECT(pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type) == 0);
    EXPECT(type == PTHREAD_CANCEL_DEFERRED);
    calls[scenario_number - IN_A_THREAD]();
    fail("still here");
    return NULL;
}

static void cancel_another(void)
{
    pthread_t thread;
    void *result;

    EXPECT(scenario_number - IN_A_THREAD < WAITED);
    alarm(20);
    EXPECT(pthread_create(&thread, NULL, call_in_a_thread, NULL) == 0);
    usleep(50000); /* by then it waits, most often */
    EXPECT(pthread_cancel(thread) == 0 && pthread_join(thread, &result) == 0);
    EXPECT(result == PTHREAD_CANCELED);
    say_so(NULL);
}

static void *call_when_cancelled(void *unused)
{
    (void)unused;
    EXPECT(pthread_cancel(pthread_self()) == 0);
    calls[scenario_number - PENDING]();
    fail("still here");
    return NULL;
}

/* It has been cancelled, and there is a tail: the call ends it, and takes nothing. */
static void cancel_at_a_tail(void)
{
    pthread_t thread;
    void *result;

    EXPECT(scenario_number - PENDING < CALLS);
    link_of = link_make(LINK_UDP);
    link_leave_tail(&link_of, 1);
    EXPECT(pthread_create(&thread, NULL, call_when_cancelled, NULL) == 0);
    EXPECT(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
    expect_tail(link_of.r, 1);
    say_so(NULL);
}

static void cancel(void)
{
    /* A program that looks at this has a copy of it, as C++ programs do, and glibc does not say in
     * the copy that a thread cancels itself. */
    EXPECT(__libc_single_threaded);
    if (scenario_number >= PENDING) {
        cancel_at_a_tail();
        return;
    }
    if (scenario_number >= IN_A_THREAD) {
        cancel_another();
        return;
    }
    fit_first(calls[scenario_number]);
    alarm(20); /* else it waits for ever */
    pthread_cleanup_push(say_so, NULL);
    EXPECT(pthread_cancel(pthread_self()) == 0);
    calls[scenario_number]();
    fail("still here");
    pthread_cleanup_pop(0);
}

const struct scenario_entry cancel_scenarios[] = {{"cancel", cancel}, {NULL, NULL}};
