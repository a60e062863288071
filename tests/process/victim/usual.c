/* SPDX-License-Identifier: MIT */
/* What a program usually does with a long message: for the tests that look at its company. */
#include "link.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../../lib/pattern.h"

static void parts(const struct link *link)
{
    char *heap = malloc(600);
    char first[300], second[300];
    struct iovec iov[2] = {{first, sizeof first}, {second, sizeof second}};
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
    struct timeval limit = {1, 0};

    /* Where the tail is lost, it is not waited for. */
    EXPECT(setsockopt(link->r, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    link_send(link, 1, 3100);
    EXPECT(read(link->r, heap, 600) == 600);
    EXPECT(pattern_match((unsigned char *)heap, 600, 1, 0, 3100) == 600);
    EXPECT(recvfrom(link->r, heap, 600, 0, (struct sockaddr *)&peer, &length) == 600);
    EXPECT(pattern_match((unsigned char *)heap, 600, 1, 600, 3100) == 600);
    EXPECT(readv(link->r, iov, 2) == 600);
    EXPECT(pattern_match((unsigned char *)second, 300, 1, 1500, 3100) == 300);
    EXPECT(recvmsg(link->r, &msg, 0) == 600);
    EXPECT(pattern_match((unsigned char *)first, 300, 1, 1800, 3100) == 300);
    EXPECT(recv(link->r, heap, 600, 0) == 600);
    EXPECT(recv(link->r, heap, 600, 0) == 100);
    EXPECT(pattern_match((unsigned char *)heap, 100, 1, 3000, 3100) == 100);
    free(heap);
    expect_nothing(link->r);

    for (unsigned message = 0; message < 20; message++) {
        link_send(link, message, 40000);
        for (size_t at = 0; at < 40000; at += 10000)
            expect_part(link->r, 10000, message, at, 10000);
        link_send(link, message, 100);
        expect_part(link->r, 1000, message, 0, 100);
    }
    expect_nothing(link->r);
}

static void waits(const struct link *link)
{
    int set = epoll_create1(0), left = -1;
    struct epoll_event event = {EPOLLIN, {.fd = link->r}};
    struct pollfd wait = {.fd = link->r, .events = POLLIN};
    fd_set reading;

    EXPECT(epoll_ctl(set, EPOLL_CTL_ADD, link->r, &event) == 0);
    for (unsigned message = 0; message < 5; message++) {
        link_leave_tail(link, message);
        EXPECT(epoll_wait(set, &event, 1, 0) == 1 && event.data.fd == link->r);
        EXPECT(poll(&wait, 1, 5000) == 1 && wait.revents == POLLIN);
        FD_ZERO(&reading);
        FD_SET(link->r, &reading);
        EXPECT(select(link->r + 1, &reading, NULL, NULL, NULL) == 1);
        EXPECT(ioctl(link->r, FIONREAD, &left) == 0 && left == 2000);
        expect_tail(link->r, message);
        EXPECT(epoll_wait(set, &event, 1, 0) == 0);
    }
    close(set);
}

static void *threaded(void *unused)
{
    struct link link = link_make(LINK_UDP);

    (void)unused;
    for (unsigned message = 0; message < 50; message++) {
        link_leave_tail(&link, message);
        expect_tail(link.r, message);
    }
    close(link.r);
    close(link.s);
    return NULL;
}

static void usual(void)
{
    pthread_t thread[4];

    for (int kind = LINK_UDP; kind <= LINK_UNIX; kind++) {
        struct link link = link_make(kind);

        parts(&link);
        waits(&link);
        close(link.r);
        close(link.s);
    }
    for (int i = 0; i < 4; i++)
        EXPECT(pthread_create(&thread[i], NULL, threaded, NULL) == 0);
    for (int i = 0; i < 4; i++)
        EXPECT(pthread_join(thread[i], NULL) == 0);
}

/* The same in a child, and after it. */
static void usual_forked(void)
{
    pid_t child;

    usual();
    child = fork();
    if (child == 0) {
        usual();
        _exit(0);
    }
    expect_end(child);
    usual();
}

/* Messages that fit: nothing may be different from plain Linux. */
static void fitting(void)
{
    for (int kind = LINK_UDP; kind <= LINK_UNIX; kind++) {
        struct link link = link_make(kind);

        for (unsigned message = 0; message < 200; message++) {
            link_send(&link, message, message * 5);
            expect_part(link.r, 1000, message, 0, message * 5);
        }
        expect_nothing(link.r);
        close(link.r);
        close(link.s);
    }
}

/* More than a small disk has room for: 20 MB of tails on 100 sockets. */
static void many_tails(void)
{
    enum { SOCKETS = 100, MESSAGES = 4, LENGTH = 50000 };
    static struct link link[SOCKETS];

    for (unsigned i = 0; i < SOCKETS; i++) {
        link[i] = link_make(LINK_UDP);
        for (unsigned message = 0; message < MESSAGES; message++)
            link_send(&link[i], i * MESSAGES + message, LENGTH);
        expect_part(link[i].r, 100, i * MESSAGES, 0, 100);
    }
    for (unsigned i = 0; i < SOCKETS; i++) {
        expect_part(link[i].r, LENGTH, i * MESSAGES, 100, LENGTH - 100);
        for (unsigned message = 1; message < MESSAGES; message++)
            for (size_t at = 0; at < LENGTH; at += 10000)
                expect_part(link[i].r, 10000, i * MESSAGES + message, at, 10000);
        expect_nothing(link[i].r);
    }
}

/* Without threads, and briefly: for those who look at every instruction. */
static void usual_small(void)
{
    for (int kind = LINK_UDP; kind <= LINK_UNIX; kind++) {
        struct link link = link_make(kind);

        waits(&link);
        close(link.r);
        close(link.s);
    }
}

static void usual_unix(void)
{
    struct link link = link_make(LINK_UNIX);

    parts(&link);
    waits(&link);
}

/* What Linux does where the library is not: the tail is gone. */
static void plain_linux(void)
{
    struct link link = link_make(LINK_UDP);

    link_leave_tail(&link, 1);
    expect_nothing(link.r);
    link_leave_tail(&link, 2);
    expect_nothing(link.r);
}

/* Holds a tail until SIGUSR1 comes. */
static void wait_with_tail(void)
{
    struct link link = link_make(LINK_UDP);
    sigset_t signals;
    int number;

    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    EXPECT(sigprocmask(SIG_BLOCK, &signals, NULL) == 0);
    link_leave_tail(&link, 1);
    EXPECT(write(1, "ready\n", 6) == 6);
    EXPECT(sigwait(&signals, &number) == 0);
    expect_tail(link.r, 1);
}

const struct scenario_entry usual_scenarios[] = {
    {"usual", usual},           {"usual-forked", usual_forked}, {"usual-small", usual_small},
    {"usual-unix", usual_unix}, {"plain-linux", plain_linux},   {"wait-with-tail", wait_with_tail},
    {"fitting", fitting},       {"many-tails", many_tails},     {NULL, NULL},
};
