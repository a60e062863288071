/* SPDX-License-Identifier: MIT
 *
 * The cases that lose something without the library: there it has a reason to make system calls.
 */
#define _GNU_SOURCE
#include "program.h"

#include <poll.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void lose(struct pair pair)
{
    give(pair);
    recv(pair.receiver, room, SHORT, 0);
    while (recv(pair.receiver, room, SHORT, MSG_DONTWAIT) > 0)
        ;
}

void case_tail(void)
{
    struct pair pair = udp(AF_INET);

    lose(pair);
    lose(pair);
    lose(local(SOCK_SEQPACKET));
}

void case_tail_in_waits(void)
{
    struct pair pair = udp(AF_INET);
    struct pollfd polled = {.fd = pair.receiver, .events = POLLIN};
    struct timeval none = {0, 0};
    fd_set set;
    int waiting;

    give(pair);
    recv(pair.receiver, room, SHORT, 0);
    poll(&polled, 1, 0);
    FD_ZERO(&set);
    FD_SET(pair.receiver, &set);
    select(pair.receiver + 1, &set, NULL, NULL, &none);
    ioctl(pair.receiver, FIONREAD, &waiting);
    while (recv(pair.receiver, room, SHORT, MSG_DONTWAIT) > 0)
        ;
}

static void tail_in_epoll(uint32_t manner, bool nested)
{
    struct pair pair = udp(AF_INET);
    struct epoll_event event = {.events = EPOLLIN | manner}, got;
    int set = epoll_create1(0), copy = dup(pair.receiver), status;

    if (nested) {
        int outer = epoll_create1(0);

        MUST(epoll_ctl(outer, EPOLL_CTL_ADD, set, &(struct epoll_event){.events = EPOLLIN}) == 0);
    }

    MUST(epoll_ctl(set, EPOLL_CTL_ADD, pair.receiver, &event) == 0);
    for (int i = 0; i < 2; i++) {
        give(pair);
        MUST(epoll_wait(set, &got, 1, 0) == 1);
        recv(pair.receiver, room, SHORT, 0);
        epoll_wait(set, &got, 1, 0);
        recv(pair.receiver, room, SHORT, MSG_DONTWAIT);
        epoll_ctl(set, EPOLL_CTL_MOD, pair.receiver, &event);
        epoll_wait(set, &got, 1, 0);
        recv(pair.receiver, room, SHORT, MSG_DONTWAIT);
        epoll_wait(set, &got, 1, 0);
    }
    give(pair);
    recv(pair.receiver, room, SHORT, 0);
    if (fork() == 0) {
        epoll_wait(set, &got, 1, 0);
        recv(pair.receiver, room, SHORT, MSG_DONTWAIT);
        exit(0);
    }
    MUST(wait(&status) > 0 && status == 0);
    epoll_wait(set, &got, 1, 0);
    close(copy);
    close(pair.receiver);
    close(set);
}

void case_tail_in_epoll(void)
{
    tail_in_epoll(0, false);
}

void case_tail_in_epoll_edge(void)
{
    tail_in_epoll(EPOLLET, false);
}

void case_tail_in_epoll_nested(void)
{
    tail_in_epoll(0, true);
}

void case_tail_at_exec(void)
{
    struct pair pair = udp(AF_INET);

    give(pair);
    recv(pair.receiver, room, SHORT, 0);
    execl("/proc/self/exe", arguments[0], "udp4", NULL);
}

void case_tail_at_end(void)
{
    struct pair pair = udp(AF_INET);

    give(pair);
    recv(pair.receiver, room, SHORT, 0);
}
