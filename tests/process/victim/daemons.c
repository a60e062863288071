/* SPDX-License-Identifier: MIT */
/* Daemons: two forks, every descriptor closed, and only then the sockets that they live by. */
#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum closing {
    BY_LOOP,
    BY_CLOSE_RANGE,
    BY_CLOSEFROM,
    BY_SYSCALL,
    BY_CLOSE_RANGE_SYSCALL,
    CLOSINGS
};

static void close_all(enum closing how)
{
    int most = 4096;

    switch (how) {
    case BY_LOOP:
        for (int fd = 0; fd < most; fd++)
            close(fd);
        break;
    case BY_CLOSE_RANGE:
        EXPECT(close_range(0, ~0u, 0) == 0);
        break;
    case BY_CLOSEFROM:
        closefrom(0);
        break;
    case BY_SYSCALL:
        for (int fd = 0; fd < most; fd++)
            syscall(SYS_close, fd);
        break;
    default:
        EXPECT(syscall(SYS_close_range, 0u, ~0u, 0u) == 0);
    }
}

/* What the daemon reports to its parent; its own output is closed. */
struct word {
    sem_t done;
    char text[256];
};

static struct word *word;

#define SAY_UNLESS(condition)                     \
    do {                                          \
        if (!(condition)) {                       \
            strcpy(word->text, #condition);       \
            word->text[sizeof #condition] = '\0'; \
            sem_post(&word->done);                \
            _exit(1);                             \
        }                                         \
    } while (0)

/* The daemon's work. expect_…() would write to what is a socket now, so it says by itself. */
static void serve(void)
{
    struct link link = link_make(LINK_UDP);
    struct epoll_event event = {EPOLLIN, {.u64 = 5}};
    char part[1000];
    int set;

    SAY_UNLESS(link.r == 0 && link.s == 1);
    set = epoll_create1(0);
    SAY_UNLESS(set == 2);
    SAY_UNLESS(epoll_ctl(set, EPOLL_CTL_ADD, link.r, &event) == 0);
    for (int round = 0; round < 3; round++) {
        struct pollfd wait = {.fd = link.r, .events = POLLIN};
        fd_set reading;

        link_send(&link, 1, 3000);
        SAY_UNLESS(epoll_wait(set, &event, 1, 5000) == 1);
        SAY_UNLESS(read(link.r, part, sizeof part) == 1000);
        SAY_UNLESS(epoll_wait(set, &event, 1, 0) == 1 && event.data.u64 == 5);
        FD_ZERO(&reading);
        FD_SET(link.r, &reading);
        SAY_UNLESS(select(1, &reading, NULL, NULL, &(struct timeval){0, 0}) == 1);
        SAY_UNLESS(poll(&wait, 1, 0) == 1);
        SAY_UNLESS(recv(link.r, part, sizeof part, 0) == 1000);
        SAY_UNLESS(recv(link.r, part, sizeof part, 0) == 1000);
        SAY_UNLESS(epoll_wait(set, &event, 1, 0) == 0);
        SAY_UNLESS(poll(&wait, 1, 0) == 0);
    }
}

/* `before`: sockets with tails, and event loops on them, are among what is closed. */
static void daemonize(enum closing how, bool before)
{
    struct timespec limit;
    pid_t child;

    word->text[0] = '\0';
    child = fork();
    if (child == 0) {
        struct link link = link_make(LINK_UDP);
        struct epoll_event event = {EPOLLIN, {.u64 = 5}};
        int set = epoll_create1(0);

        if (before) {
            EXPECT(epoll_ctl(set, EPOLL_CTL_ADD, link.r, &event) == 0);
            link_leave_tail(&link, 1);
        }
        setsid();
        child = fork();
        if (child != 0)
            _exit(child < 0);
        close_all(how);
        serve();
        strcpy(word->text, "ok");
        sem_post(&word->done);
        _exit(0);
    }
    expect_end(child);
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 20;
    while (sem_timedwait(&word->done, &limit) != 0)
        if (errno != EINTR)
            fail("closing %d%s: the daemon says nothing", how, before ? ", with a tail" : "");
    if (strcmp(word->text, "ok") != 0)
        fail("closing %d%s: %s", how, before ? ", with a tail" : "", word->text);
}

static void play(bool before)
{
    word = mmap(NULL, sizeof *word, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT(word != MAP_FAILED && sem_init(&word->done, 1, 0) == 0);
    for (int how = 0; how < CLOSINGS; how++)
        daemonize((enum closing)how, before);
}

static void plain(void)
{
    play(false);
}

static void with_tail(void)
{
    play(true);
}

const struct scenario_entry daemon_scenarios[] = {
    {"daemon", plain},
    {"daemon-with-tail", with_tail},
    {NULL, NULL},
};
