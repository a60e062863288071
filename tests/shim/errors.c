/* SPDX-License-Identifier: MIT */
/* The error codes of WSARecvEx, except those in network.c. */
#define _GNU_SOURCE
#include "case.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

static void efault(void)
{
    char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    open_udp(AF_INET);
    put(1, 100);
    fails(in, page, 100, WSAEFAULT);
}

static void enotsock(void)
{
    int both[2];

    CHECK(pipe(both) == 0);
    fails(-1, buffer, 10, WSAENOTSOCK);
    fails(1000, buffer, 10, WSAENOTSOCK);
    fails(both[0], buffer, 10, WSAENOTSOCK);
}

static void einval(void)
{
    fails(socket(AF_INET, SOCK_DGRAM, 0), buffer, 10, WSAEINVAL);
    fails(socket(AF_INET6, SOCK_DGRAM, 0), buffer, 10, WSAEINVAL);
    fails(socket(AF_UNIX, SOCK_DGRAM, 0), buffer, 10, WSAEINVAL);
}

static void ewouldblock(void)
{
    open_udp(AF_INET);
    CHECK(fcntl(in, F_SETFL, O_NONBLOCK) == 0);
    fails(in, buffer, 10, WSAEWOULDBLOCK);
    open_tcp();
    CHECK(fcntl(in, F_SETFL, O_NONBLOCK) == 0);
    fails(in, buffer, 10, WSAEWOULDBLOCK);
}

static void etimedout(void)
{
    open_udp(AF_INET);
    set_timeout(50);
    fails(in, buffer, 10, WSAETIMEDOUT);
}

static void econnreset(void)
{
    struct linger hard = {1, 0};

    open_udp(AF_INET);
    close(out);
    CHECK(send(in, "x", 1, 0) == 1);
    fails(in, buffer, 10, WSAECONNRESET);
    open_tcp();
    CHECK(setsockopt(out, SOL_SOCKET, SO_LINGER, &hard, sizeof hard) == 0);
    close(out);
    fails(in, buffer, 10, WSAECONNRESET);
}

static void enotconn(void)
{
    fails(socket(AF_INET, SOCK_STREAM, 0), buffer, 10, WSAENOTCONN);
}

static void eshutdown(void)
{
    open_udp(AF_INET);
    put(1, 10);
    put(2, 0);
    CHECK(shutdown(in, SHUT_RD) == 0);
    get(1, 0, 10, 10, false); /* what had come is still there */
    (void)recv(in, buffer, 10, 0);
    fails(in, buffer, 10, WSAESHUTDOWN);
}

static void on_alarm(int signal)
{
    (void)signal;
}

static void eintr(void)
{
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval soon = {{0, 20000}, {0, 20000}};

    sigaction(SIGALRM, &action, NULL);
    open_udp(AF_INET);
    setitimer(ITIMER_REAL, &soon, NULL);
    fails(in, buffer, 10, WSAEINTR);
}

static void notinitialised(void)
{
    open_udp(AF_INET);
    CHECK(WSAStartup(0x202, NULL) == 0);
    CHECK(WSAStartup(0x202, NULL) == 0);
    put(1, 10);
    CHECK(WSACleanup() == 0);
    get(1, 0, 10, 10, false);
    CHECK(WSACleanup() == 0);
    fails(in, buffer, 10, WSANOTINITIALISED);
    CHECK(WSACleanup() == -1 && WSAGetLastError() == WSANOTINITIALISED);
}

const struct shim_case cases[] = {
    {"WSAEFAULT", efault},       {"WSAENOTSOCK", enotsock},
    {"WSAEINVAL", einval},       {"WSAEWOULDBLOCK", ewouldblock},
    {"WSAETIMEDOUT", etimedout}, {"WSAECONNRESET", econnreset},
    {"WSAENOTCONN", enotconn},   {"WSAESHUTDOWN", eshutdown},
    {"WSAEINTR", eintr},         {"WSANOTINITIALISED", notinitialised},
};
const size_t case_count = sizeof cases / sizeof *cases;
