/* SPDX-License-Identifier: MIT
 *
 * How much stack the calls take: see stack.py. Each is made on a painted stack of its own, and a
 * line says its name and how many bytes of paint are gone.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

enum { STACK = 64 << 10, PAINT = 0x5a, LONG = 3000, PART = 500 };

/* What a call may take. A library built as distributions do, with -fstack-protector-strong, may take
 * 2 KiB; one without it less, so that both are seen in one build: the difference was 64. */
#ifdef __SSP_STRONG__
enum { MOST = 2048 };
#else
enum { MOST = 2048 - 96 };
#endif

static unsigned char stack[STACK] __attribute__((aligned(64)));
static ucontext_t here, there;
static int receiver, sender, set;
static char room[LONG], *fresh;

static void measure(const char *name, void (*call)(void))
{
    volatile size_t left = 0;

    memset(stack, PAINT, sizeof stack);
    getcontext(&there);
    there.uc_stack = (stack_t){.ss_sp = stack, .ss_size = sizeof stack};
    there.uc_link = &here;
    makecontext(&there, call, 0);
    swapcontext(&here, &there);
    while (left < sizeof stack && stack[left] == PAINT)
        left++;
    printf("%s %zu\n", name, sizeof stack - left);
}

static void give(size_t length)
{
    static const char message[LONG];

    if (send(sender, message, length, 0) != (ssize_t)length)
        exit(1);
}

/* --- receives ---------------------------------------------------------------------------- */

static void by_recv(void)
{
    recv(receiver, room, PART, MSG_DONTWAIT);
}

static void by_recv_fresh(void)
{
    recv(receiver, fresh, PART, MSG_DONTWAIT);
}

static void by_peek(void)
{
    recv(receiver, room, PART, MSG_DONTWAIT | MSG_PEEK);
}

static void by_recvfrom(void)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof name;

    recvfrom(receiver, room, PART, MSG_DONTWAIT, (struct sockaddr *)&name, &length);
}

static void by_read(void)
{
    if (read(receiver, room, PART) < 0)
        errno = 0;
}

static void by_readv(void)
{
    struct iovec iov[3] = {{room, 100}, {room + 100, 100}, {room + 200, PART - 200}};

    if (readv(receiver, iov, 3) < 0)
        errno = 0;
}

static void by_recvmsg(void)
{
    struct sockaddr_storage name;
    struct iovec iov[2] = {{room, 100}, {room + 100, PART - 100}};
    struct msghdr msg = {
        .msg_name = &name, .msg_namelen = sizeof name, .msg_iov = iov, .msg_iovlen = 2};

    recvmsg(receiver, &msg, MSG_DONTWAIT);
}

static void by_recvmmsg(void)
{
    struct iovec iov[2] = {{room, PART}, {room + PART, PART}};
    struct mmsghdr vec[2] = {{.msg_hdr = {.msg_iov = &iov[0], .msg_iovlen = 1}},
                             {.msg_hdr = {.msg_iov = &iov[1], .msg_iovlen = 1}}};

    recvmmsg(receiver, vec, 2, MSG_DONTWAIT, NULL);
}

/* --- waits, and the rest ----------------------------------------------------------------- */

static void by_poll(void)
{
    struct pollfd polled = {.fd = receiver, .events = POLLIN};

    poll(&polled, 1, 0);
}

static void by_select(void)
{
    struct timeval none = {0, 0};
    fd_set reading;

    FD_ZERO(&reading);
    FD_SET(receiver, &reading);
    select(receiver + 1, &reading, NULL, NULL, &none);
}

static void by_epoll_wait(void)
{
    struct epoll_event events[2];

    epoll_wait(set, events, 2, 0);
}

static void by_epoll_ctl(void)
{
    struct epoll_event event = {.events = EPOLLIN};

    epoll_ctl(set, EPOLL_CTL_MOD, receiver, &event);
}

static void by_fionread(void)
{
    int length;

    ioctl(receiver, FIONREAD, &length);
}

static void by_dup(void)
{
    int copy = dup(receiver);

    close(copy);
}

static void by_fork(void)
{
    if (fork() == 0)
        _exit(0);
    wait(NULL);
}

static void by_close(void)
{
    close(receiver);
}

static const struct {
    const char *name;
    void (*call)(void);
} receives[] =
    {
        {"recv", by_recv},   {"recv-peek", by_peek},  {"recvfrom", by_recvfrom}, {"read", by_read},
        {"readv", by_readv}, {"recvmsg", by_recvmsg}, {"recvmmsg", by_recvmmsg},
},
  others[] = {
      {"poll", by_poll},           {"select", by_select},         {"epoll_wait", by_epoll_wait},
      {"epoll_ctl", by_epoll_ctl}, {"ioctl", by_fionread},        {"dup", by_dup},
      {"fork", by_fork},           {"recv-fresh", by_recv_fresh},
};

static void drain(void)
{
    while (recv(receiver, room, LONG, MSG_DONTWAIT) >= 0)
        continue;
}

static void measure_others(const char *when)
{
    char name[64];

    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        snprintf(name, sizeof name, "%s,%s", others[i].name, when);
        measure(name, others[i].call);
    }
}

static void open_sockets(void)
{
    struct sockaddr_in name = {.sin_family = AF_INET};
    struct epoll_event event = {.events = EPOLLIN};
    socklen_t length = sizeof name;

    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    receiver = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    sender = socket(AF_INET, SOCK_DGRAM, 0);
    set = epoll_create1(0);
    if (bind(receiver, (struct sockaddr *)&name, sizeof name) != 0 ||
        getsockname(receiver, (struct sockaddr *)&name, &length) != 0 ||
        connect(sender, (struct sockaddr *)&name, length) != 0 ||
        epoll_ctl(set, EPOLL_CTL_ADD, receiver, &event) != 0)
        exit(1);
}

int main(void)
{
    char name[64];

    printf("most %d\n", MOST);
    fresh = mmap(NULL, LONG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    open_sockets();
    measure_others("nothing");
    for (size_t i = 0; i < sizeof receives / sizeof *receives; i++) {
        give(PART);
        snprintf(name, sizeof name, "%s,fits", receives[i].name);
        measure(name, receives[i].call);
        drain();
        give(LONG);
        give(LONG);
        snprintf(name, sizeof name, "%s,first", receives[i].name);
        measure(name, receives[i].call);
        measure_others("tail");
        for (int part = 1; part < LONG / PART; part++) {
            snprintf(name, sizeof name, "%s,part-%d", receives[i].name, part + 1);
            measure(name, receives[i].call);
        }
        drain();
    }
    give(LONG);
    by_recv();
    measure("close,tail", by_close);
    return 0;
}
