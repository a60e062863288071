/* SPDX-License-Identifier: MIT */
/*
 * A table that is small, because it was made for a fork or because there is no memory: what has no
 * room in it stays in the kernel, and what the dead have left gives way.
 */
#include "link.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* LONG: as in Microsoft's example of WSARecvEx(); only root may send so much at once by default. */
enum { FEW = 60, MANY = 400, LONG = 1 << 20, LONG_BY_DEFAULT = 400000 };

static struct link links[MANY];

/* The process has a child, which has ended. */
static void have_forked(void)
{
    pid_t child;

    links[0] = link_make(LINK_UNIX);
    if ((child = fork()) == 0)
        _exit(0);
    expect_end(child);
}

static void leave_tails(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (i > 0)
            links[i] = link_make(LINK_UNIX);
        link_leave_tail(&links[i], i);
    }
}

static void expect_tails(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        expect_tail(links[i].r, i);
}

static void play_many_tails(void)
{
    have_forked();
    leave_tails(MANY);
    expect_tails(MANY);
}

/* More than a small table has room for are left by children that are dead: by each `sockets`. */
static void play_dead(unsigned children, unsigned sockets)
{
    have_forked();
    leave_tails(FEW);
    for (unsigned i = 0; i < children; i++) {
        pid_t child = fork();

        for (unsigned k = 0; child == 0 && k < sockets; k++) {
            struct link own = link_make(LINK_UNIX);

            link_leave_tail(&own, k);
        }
        if (child == 0)
            _exit(0);
        expect_end(child);
    }
    expect_tails(FEW);
    leave_tails(FEW);
    expect_tails(FEW);
}

static void play_dead_tails(void)
{
    play_dead(100, 20);
}

/* The longest that a socket takes here, beside others. */
static void play_long_tail(void)
{
    const int space = 2 * LONG;
    char *sent = malloc(LONG), *got = malloc(LONG);
    size_t length;

    EXPECT(sent && got);
    have_forked();
    leave_tails(FEW);
    length = setsockopt(links[0].s, SOL_SOCKET, SO_SNDBUFFORCE, &space, sizeof space) == 0
                 ? LONG
                 : LONG_BY_DEFAULT;
    for (size_t i = 0; i < length; i++)
        sent[i] = (char)(i % 251);
    expect_tail(links[0].r, 0);
    EXPECT(send(links[0].s, sent, length, 0) == (ssize_t)length);
    EXPECT(recv(links[0].r, got, 100, 0) == 100);
    EXPECT(recv(links[0].r, got + 100, length, MSG_DONTWAIT) == (ssize_t)length - 100);
    EXPECT(memcmp(sent, got, length) == 0);
    for (unsigned i = 1; i < FEW; i++)
        expect_tail(links[i].r, i);
}

/* What was held before the fork belongs to the parent alone, and the child holds what it receives. */
static void play_no_memory(void)
{
    struct link link = link_make(LINK_UDP);
    const struct rlimit none = {4096, 4096};
    int step[2];
    char byte;
    pid_t child;

    link_send(&link, 1, 100);
    expect_part(link.r, 200, 1, 0, 100);
    EXPECT(pipe(step) == 0 && setrlimit(RLIMIT_AS, &none) == 0);
    link_leave_tail(&link, 2);
    if ((child = fork()) == 0) {
        EXPECT(read(step[0], &byte, 1) == 1);
        expect_part(link.r, 1000, 3, 0, 1000);
        expect_tail(link.r, 3);
        link_leave_tail(&link, 4);
        expect_tail(link.r, 4);
        _exit(0);
    }
    expect_tail(link.r, 2);
    link_send(&link, 3, 3000);
    EXPECT(write(step[1], "", 1) == 1);
    expect_end(child);
}

const struct scenario_entry small_table_scenarios[] = {
    {"many-small-tails", play_many_tails},
    {"dead-tails", play_dead_tails},
    {"long-tail", play_long_tail},
    {"no-memory", play_no_memory},
    {0},
};
