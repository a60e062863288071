/* SPDX-License-Identifier: MIT */
/* A thread that is to be cancelled, the only one of its process: each call is where it ends. */
#include "link.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/single_threaded.h>
#include <sys/socket.h>
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

static void (*const calls[])(void) = {call_recv, call_recvfrom, call_read, call_epoll_wait};

static void say_so(void *unused)
{
    (void)unused;
    puts("cancelled");
    exit(0);
}

static void cancel(void)
{
    /* A program that looks at this has a copy of it, as C++ programs do, and glibc does not say in
     * the copy that a thread cancels itself. */
    EXPECT(__libc_single_threaded);
    EXPECT(scenario_number < sizeof calls / sizeof *calls);
    link_of = link_make(LINK_UDP);
    /* Some that fit first: what a receive has learnt from them must not matter. */
    for (unsigned i = 0; i < 10; i++) {
        link_send(&link_of, i, 100);
        calls[scenario_number]();
    }
    while (recv(link_of.r, buffer, sizeof buffer, MSG_DONTWAIT) > 0)
        continue;

    alarm(20); /* else it waits for ever */
    pthread_cleanup_push(say_so, NULL);
    EXPECT(pthread_cancel(pthread_self()) == 0);
    calls[scenario_number]();
    fail("still here");
    pthread_cleanup_pop(0);
}

const struct scenario_entry cancel_scenarios[] = {{"cancel", cancel}, {NULL, NULL}};
