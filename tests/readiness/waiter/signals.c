/* SPDX-License-Identifier: MIT */
/* Signal-driven I/O: a program that makes one receive for each signal gets everything. */
#include "waiter.h"

#include "cases.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static volatile int signal_socket;
static volatile sig_atomic_t parts_taken, signal_fd = -1, signals_by_kill;

static void take_one(int number, siginfo_t *info, void *context)
{
    char bytes[PART];

    (void)number, (void)context;
    signal_fd = info->si_fd;
    if (info->si_code == SI_USER)
        signals_by_kill++;
    if (recv(signal_socket, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        parts_taken++;
}

static void expect_each_part(int number, struct pair pair, struct f_owner_ex owner)
{
    struct sigaction action = {.sa_sigaction = take_one, .sa_flags = SA_SIGINFO};

    signal_socket = pair.r;
    EQUAL(sigaction(number, &action, NULL), 0);
    EQUAL(fcntl(pair.r, F_SETOWN_EX, &owner), 0);
    message_send(pair, LONG); /* three parts */
    for (int64_t end = now_ms() + patience; parts_taken < 3 && now_ms() < end;)
        usleep(1000);
    EQUAL(parts_taken, 3);
    message_send(pair, 5);
    for (int64_t end = now_ms() + patience; parts_taken < 4 && now_ms() < end;)
        usleep(1000);
    EQUAL(parts_taken, 4);
}

static void expect_parts_by(int number, struct pair pair, struct f_owner_ex owner)
{
    EQUAL(fcntl(pair.r, F_SETFL, O_ASYNC | O_NONBLOCK), 0);
    expect_each_part(number, pair, owner);
}

static void expect_parts(int number, struct pair pair)
{
    expect_parts_by(number, pair, (struct f_owner_ex){F_OWNER_PID, getpid()});
}

void case_signal_driven(void)
{
    expect_parts(SIGIO, pair_make());
}

void case_signal_of_choice(void)
{
    struct pair pair = pair_make();

    EQUAL(fcntl(pair.r, F_SETSIG, SIGRTMIN), 0);
    expect_parts(SIGRTMIN, pair);
    EQUAL(signal_fd, pair.r);
    EQUAL(signals_by_kill, 0);
}

void case_signal_to_a_thread(void)
{
    struct pair pair = pair_make();

    EQUAL(fcntl(pair.r, F_SETSIG, SIGRTMIN), 0);
    expect_parts_by(SIGRTMIN, pair, (struct f_owner_ex){F_OWNER_TID, gettid()});
    EQUAL(signal_fd, pair.r);
    EQUAL(signals_by_kill, 0);
}

static void wait_for_the_end(void *context)
{
    (void)context;
    pause();
}

/* A group that is not called after this process: its leader is a child, which ignores the signal. */
void case_signal_to_a_group(void)
{
    struct pair pair = pair_make();
    pid_t leader;

    signal(SIGIO, SIG_IGN);
    leader = child_start(wait_for_the_end, NULL);
    EQUAL(setpgid(leader, leader), 0);
    EQUAL(setpgid(0, leader), 0);
    expect_parts_by(SIGIO, pair, (struct f_owner_ex){F_OWNER_PGRP, leader});
    kill(leader, SIGKILL);
}

struct passing {
    int way, fd;
};

static void switch_on_and_pass(void *context)
{
    const struct passing *passing = context;

    EQUAL(fcntl(passing->fd, F_SETFL, O_ASYNC | O_NONBLOCK), 0);
    descriptor_send(passing->way, passing->fd);
}

/* Another process has switched it on, and has passed the socket to this one. */
void case_signal_of_a_passed_socket(void)
{
    struct pair pair = pair_make();
    struct passing passing = {.fd = pair.r};
    int way[2];

    EQUAL(socketpair(AF_UNIX, SOCK_DGRAM, 0, way), 0);
    passing.way = way[1];
    child_await(child_start(switch_on_and_pass, &passing));
    pair.r = descriptor_receive(way[0]);
    expect_each_part(SIGIO, pair, (struct f_owner_ex){F_OWNER_PID, getpid()});
}
