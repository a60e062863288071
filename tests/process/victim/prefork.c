/* SPDX-License-Identifier: MIT */
/*
 * A server of eight processes on one socket. Messages are words of 4 bytes that say which message
 * and which word they are; every worker counts each that it gets, in memory that all share. The
 * scenario's number: more seconds than one to wait for a word that does not come.
 */
#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS = 8, MESSAGES = 2000, WORDS_MAX = 700, ROOM = 256, WORD_BITS = 10, IN_FLIGHT = 24 };

static const uint32_t end_mark = ~0u;

struct tally {
    atomic_ulong words; /* that have arrived */
    atomic_bool stop;
    atomic_uchar got[MESSAGES][WORDS_MAX];
};

static struct tally *tally;

static unsigned words_of(unsigned message)
{
    return 1 + message * 2654435761u % WORDS_MAX;
}

enum waiting { BLOCKING, BY_POLL, BY_EPOLL, BY_SHARED_EPOLL, BY_EPOLL_EDGE, WAITINGS };

/* One part. False: the end. */
static bool count(const uint32_t *words, ssize_t got)
{
    EXPECT(got > 0 && got % 4 == 0);
    if (words[0] == end_mark) {
        EXPECT(got == 4);
        return false;
    }
    for (ssize_t i = 0; i < got / 4; i++) {
        uint32_t message = words[i] >> WORD_BITS, word = words[i] & ((1u << WORD_BITS) - 1);

        EXPECT(words[i] == words[0] + (uint32_t)i); /* no seam inside a part */
        EXPECT(message < MESSAGES && word < words_of(message));
        atomic_fetch_add(&tally->got[message][word], 1);
    }
    atomic_fetch_add(&tally->words, (unsigned long)got / 4);
    return true;
}

static void work(int fd, enum waiting waiting, int set)
{
    struct epoll_event event = {EPOLLIN | (waiting == BY_EPOLL_EDGE ? EPOLLET : 0), {.u64 = 1}};
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    uint32_t words[ROOM / 4];
    ssize_t got;

    if (waiting == BY_EPOLL || waiting == BY_EPOLL_EDGE) {
        set = epoll_create1(0);
        EXPECT(set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
    }
    for (;;) {
        /* A limit, for a process asleep in the kernel is not woken by another one's tail. */
        if (waiting == BY_POLL)
            EXPECT(poll(&wait, 1, 50) >= 0);
        else if (waiting != BLOCKING)
            EXPECT(epoll_wait(set, &event, 1, 50) >= 0);
        while ((got = recv(fd, words, sizeof words, waiting == BLOCKING ? 0 : MSG_DONTWAIT)) >= 0) {
            if (!count(words, got))
                return;
            if (waiting != BY_EPOLL_EDGE)
                break;
        }
        EXPECT(got >= 0 || errno == EAGAIN);
    }
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void feed(int fd, enum waiting waiting, unsigned long *sent)
{
    unsigned long arrived;
    uint32_t words[WORDS_MAX];

    for (unsigned message = 0; message < MESSAGES; message++) {
        for (unsigned i = 0; i < words_of(message); i++)
            words[i] = message << WORD_BITS | i;
        EXPECT(send(fd, words, words_of(message) * 4, 0) == (ssize_t)words_of(message) * 4);
        *sent += words_of(message);
        /* No more in flight than the smallest receive buffer holds: only root gets a larger one. */
        arrived = atomic_load(&tally->words);
        for (double start = now(); *sent - atomic_load(&tally->words) > IN_FLIGHT * WORDS_MAX;) {
            EXPECT(waitpid(-1, NULL, WNOHANG) == 0);
            if (arrived != atomic_load(&tally->words)) {
                arrived = atomic_load(&tally->words);
                start = now();
            }
            if (now() > start + 1 + (double)scenario_number)
                fail("waiting %d: %lu words of %lu have arrived", waiting, arrived, *sent);
            sched_yield();
        }
    }
}

static void play(enum link_kind kind, enum waiting waiting)
{
    struct link link = link_make(kind);
    int set = epoll_create1(0);
    struct epoll_event event = {EPOLLIN, {.u64 = 1}};
    unsigned long sent = 0;
    pid_t worker[WORKERS];

    tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT(tally != MAP_FAILED);
    if (waiting == BY_SHARED_EPOLL)
        EXPECT(epoll_ctl(set, EPOLL_CTL_ADD, link.r, &event) == 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        worker[i] = fork();
        if (worker[i] == 0) {
            work(link.r, waiting, set);
            _exit(0);
        }
        EXPECT(worker[i] > 0);
    }
    feed(link.s, waiting, &sent);
    for (unsigned i = 0; i < WORKERS; i++)
        EXPECT(send(link.s, &end_mark, sizeof end_mark, 0) == sizeof end_mark);
    for (unsigned i = 0; i < WORKERS; i++)
        expect_end(worker[i]);
    for (unsigned message = 0; message < MESSAGES; message++)
        for (unsigned i = 0; i < words_of(message); i++)
            if (tally->got[message][i] != 1)
                fail("waiting %d: word %u of %u of message %u has come %u times", waiting, i,
                     words_of(message), message, tally->got[message][i]);
    expect_nothing(link.r);
    close(link.r);
    close(link.s);
    close(set);
    munmap(tally, sizeof *tally);
}

#define PREFORK(name, waiting)    \
    static void name(void)        \
    {                             \
        play(LINK_UDP, waiting);  \
        play(LINK_UNIX, waiting); \
    }

PREFORK(prefork_blocking, BLOCKING)
PREFORK(prefork_poll, BY_POLL)
PREFORK(prefork_epoll, BY_EPOLL)
PREFORK(prefork_shared_epoll, BY_SHARED_EPOLL)
PREFORK(prefork_epoll_edge, BY_EPOLL_EDGE)

const struct scenario_entry prefork_scenarios[] = {
    {"prefork-blocking", prefork_blocking},     {"prefork-poll", prefork_poll},
    {"prefork-epoll", prefork_epoll},           {"prefork-shared-epoll", prefork_shared_epoll},
    {"prefork-epoll-edge", prefork_epoll_edge}, {NULL, NULL},
};
