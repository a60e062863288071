/* SPDX-License-Identifier: MIT
 *
 * A program whose buffers are too small, and which says what it got: see faults.py. Whatever fails
 * in the library, it must see what it would see without it (the first part of each message), or
 * all parts. `lossy CASE` exits with 0 if that was so, and prints how many messages were whole.
 * `lossy CASE WAY NUMBERS` confines itself before it receives: see killed.py and confine.h.
 */
#define _GNU_SOURCE
#include "confine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MESSAGE = 3000, PART = 1000, PARTS = MESSAGE / PART, MESSAGES = 4 };

static int receiver, sender;
static int whole, cut;

#define MUST(condition)                                                          \
    do {                                                                         \
        if (!(condition)) {                                                      \
            dprintf(2, "line %d: %s (errno %d)\n", __LINE__, #condition, errno); \
            exit(1);                                                             \
        }                                                                        \
    } while (0)

static char byte_of(int number, int at)
{
    return (char)((number * 31 + at / 7 + at) % 127);
}

static void give(int number)
{
    char message[MESSAGE];

    for (int i = 0; i < MESSAGE; i++)
        message[i] = byte_of(number, i);
    MUST(send(sender, message, MESSAGE, 0) == MESSAGE);
}

/* Receives one part, which must be that of the message; or -1: there is none. */
static int take(int number, int part)
{
    char room[PART + 1];
    ssize_t got = recv(receiver, room, PART, MSG_DONTWAIT);

    if (got < 0 && errno != EMSGSIZE) {
        MUST(errno == EAGAIN);
        return -1;
    }
    MUST(got == PART || got < 0);
    for (int i = 0; i < PART; i++)
        MUST(room[i] == byte_of(number, part * PART + i));
    return 0;
}

/* Takes the parts of a message. `ready`: asks whether there is one; it must know. */
static void take_all(int number, bool (*ready)(void))
{
    for (int part = 0; part < PARTS; part++) {
        bool is_ready = ready ? ready() : true;

        if (part == 0)
            MUST(is_ready);
        if (take(number, part) != 0) {
            MUST(part == 1);
            MUST(!ready || !is_ready);
            cut++;
            return;
        }
        MUST(is_ready);
    }
    MUST(!ready || !ready());
    whole++;
}

static void run(bool (*ready)(void))
{
    for (int i = 0; i < MESSAGES; i++) {
        give(i);
        take_all(i, ready);
    }
}

/* --- readiness --------------------------------------------------------------------------- */

static char **filter; /* WAY NUMBERS, or nothing */

/* Memory that is not there, and memory that cannot be written to. */
static const long constant[] = {-1, -1};
static void *const volatile bad[] = {(void *)64, (void *)(uintptr_t)constant};

static bool by_poll(void)
{
    struct pollfd polled = {.fd = receiver, .events = POLLIN};
    int count = poll(&polled, 1, 0);

    for (int i = 0; i < 2 && filter[0]; i++) {
        MUST(poll(bad[i], 1, 0) == -1 && errno == EFAULT);
#ifdef SYS_poll
        MUST(syscall(SYS_poll, bad[i], 1, 0) == -1 && errno == EFAULT);
#endif
    }
    MUST(count == 0 || (count == 1 && polled.revents == POLLIN));
    return count == 1;
}

static bool by_ppoll(void)
{
    struct pollfd polled = {.fd = receiver, .events = POLLIN};
    struct timespec none = {0, 0};
    int count = ppoll(&polled, 1, &none, NULL);

    for (int i = 0; i < 2 && filter[0]; i++)
        MUST(ppoll(bad[i], 1, &none, NULL) == -1 && errno == EFAULT);
    MUST(count == 0 || (count == 1 && polled.revents == POLLIN));
    return count == 1;
}

static bool by_select(void)
{
    struct timeval none = {0, 0};
    fd_set set;
    int count, waiting = 0;

    FD_ZERO(&set);
    FD_SET(receiver, &set);
    count = select(receiver + 1, &set, NULL, NULL, &none);
    for (int i = 0; i < 2 && filter[0]; i++) {
        struct timeval at_once = {0, 0};
        int nfds = receiver + 1;

        MUST(select(nfds, bad[i], NULL, NULL, &at_once) == -1 && errno == EFAULT);
        MUST(pselect(nfds, bad[i], NULL, NULL, &(struct timespec){0, 0}, NULL) == -1 &&
             errno == EFAULT);
    }
    MUST(count == 0 || (count == 1 && FD_ISSET(receiver, &set)));
    MUST(ioctl(receiver, FIONREAD, &waiting) == 0 && (waiting > 0) == (count == 1));
    return count == 1;
}

static int epoll_set;

static bool by_epoll(void)
{
    struct epoll_event got[2];
    int count = epoll_wait(epoll_set, got, 2, 0);

    MUST(count == 0 || (count == 1 && got[0].events == EPOLLIN && got[0].data.u64 == 77));
    return count == 1;
}

static void make_set(void)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.u64 = 77}};

    epoll_set = epoll_create1(0);
    MUST(epoll_set >= 0);
    MUST(epoll_ctl(epoll_set, EPOLL_CTL_ADD, receiver, &event) == 0);
}

/* The set is looked at by another one as well: a tail must be shown in the kernel. */
static void make_nested(void)
{
    struct epoll_event event = {.events = EPOLLIN};
    int outer = epoll_create1(0);

    make_set();
    MUST(outer >= 0 && epoll_ctl(outer, EPOLL_CTL_ADD, epoll_set, &event) == 0);
}

/* --- cases ------------------------------------------------------------------------------- */

static void case_recv(void)
{
    run(NULL);
}

static void case_poll(void)
{
    run(by_poll);
}

static void case_select(void)
{
    run(by_select);
}

static void case_epoll(void)
{
    make_set();
    run(by_epoll);
    MUST(close(epoll_set) == 0);
}

static void case_nested(void)
{
    make_nested();
    run(by_epoll);
    MUST(close(epoll_set) == 0);
}

static void *run_in_thread(void *ready)
{
    (void)ready;
    run(by_poll);
    return NULL;
}

static void case_thread(void)
{
    pthread_t thread;

    for (int i = 0; i < 2; i++) {
        MUST(pthread_create(&thread, NULL, run_in_thread, NULL) == 0);
        MUST(pthread_join(thread, NULL) == 0);
    }
}

/* The first part here, the others in a child; then the other way round. */
static void case_fork(void)
{
    int status;

    give(0);
    MUST(take(0, 0) == 0);
    if (fork() == 0) {
        int got = take(0, 1) == 0 ? take(0, 2) : 0;

        MUST(got == 0 && take(0, 0) == -1);
        run(by_poll);
        exit(0);
    }
    MUST(wait(&status) > 0 && status == 0);
    MUST(take(0, 0) == -1);
    run(by_poll);
}

static void case_close(void)
{
    int copy = dup(receiver);

    give(0);
    MUST(take(0, 0) == 0);
    MUST(copy >= 0 && close(receiver) == 0 && dup2(copy, receiver) == receiver);
    if (take(0, 1) == 0)
        MUST(take(0, 2) == 0);
    MUST(close(copy) == 0);
    run(by_poll);
}

static void confine_if_asked(void)
{
    if (filter[0])
        MUST(confine(filter[0], filter[1]) == 0);
}

/* The filter comes while a tail is held. An epoll set does not show it any more, for that would take
 * calls that the program does not make. */
static void held(bool (*ready)(void))
{
    give(0);
    MUST(take(0, 0) == 0);
    confine_if_asked();
    if (take(0, 1) == 0)
        MUST((ready() || epoll_set) && take(0, 2) == 0);
    MUST(!ready() && take(0, 0) == -1);
    run(ready);
}

static void case_held(void)
{
    held(by_poll);
}

static void case_held_ppoll(void)
{
    held(by_ppoll);
}

static void case_held_select(void)
{
    held(by_select);
}

static void case_held_epoll(void)
{
    make_set();
    held(by_epoll);
}

/* A child has it, too. */
static void case_held_fork(void)
{
    int status;

    give(0);
    MUST(take(0, 0) == 0);
    confine_if_asked();
    if (fork() == 0)
        exit(take(0, 1) == 0 ? take(0, 2) != 0 : 0);
    MUST(wait(&status) > 0 && status == 0);
    MUST(take(0, 0) == -1 && close(receiver) == 0);
}

static const struct {
    const char *name;
    void (*run)(void);
    bool late; /* it confines itself later */
} CASES[] = {
    {"recv", case_recv, false},
    {"poll", case_poll, false},
    {"select", case_select, false},
    {"epoll", case_epoll, false},
    {"nested", case_nested, false},
    {"thread", case_thread, false},
    {"fork", case_fork, false},
    {"close", case_close, false},
    {"held", case_held, true},
    {"held-ppoll", case_held_ppoll, true},
    {"held-select", case_held_select, true},
    {"held-epoll", case_held_epoll, true},
    {"held-fork", case_held_fork, true},
};

int main(int argc, char **argv)
{
    struct sockaddr_in name = {.sin_family = AF_INET};
    socklen_t length = sizeof name;

    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    alarm(20);
    receiver = socket(AF_INET, SOCK_DGRAM, 0);
    sender = socket(AF_INET, SOCK_DGRAM, 0);
    MUST(bind(receiver, (struct sockaddr *)&name, sizeof name) == 0);
    MUST(getsockname(receiver, (struct sockaddr *)&name, &length) == 0);
    MUST(connect(sender, (struct sockaddr *)&name, length) == 0);
    for (size_t i = 0; argc > 1 && i < sizeof CASES / sizeof *CASES; i++)
        if (strcmp(argv[1], CASES[i].name) == 0) {
            filter = argv + (argc > 3 ? 2 : argc);
            if (!CASES[i].late)
                confine_if_asked();
            CASES[i].run();
            printf("%d whole, %d cut\n", whole, cut);
            return 0;
        }
    return 2;
}
