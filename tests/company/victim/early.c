/* SPDX-License-Identifier: MIT */
/*
 * A malloc library that reads, receives, waits and closes in its first malloc() and in its
 * constructor, whoever's constructor has run before; and a destructor that receives.
 */
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

enum { ARENA = 512 << 20, ALIGNMENT = 16 };

static char arena[ARENA] __attribute__((aligned(ALIGNMENT)));
static size_t used;
static int begun;

static void complain(const char *what)
{
    (void)!write(1, what, strlen(what));
    (void)!write(1, "\n", 1);
}

/* A message that fits, and one that does not: its part must come, its tail may. */
static void receive_something(void)
{
    char bytes[300] = "message", got[100];
    struct pollfd wait;
    int pair[2], file, set;

    file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (file < 0 || read(file, got, sizeof got) <= 0)
        complain("read");
    close(file);
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) != 0) {
        complain("socketpair");
        return;
    }
    wait = (struct pollfd){.fd = pair[0], .events = POLLIN};
    set = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ctl(set, EPOLL_CTL_ADD, pair[0], &(struct epoll_event){.events = EPOLLIN}) != 0)
        complain("epoll_ctl");
    (void)!write(pair[1], bytes, 50);
    (void)!write(pair[1], bytes, sizeof bytes);
    if (poll(&wait, 1, 0) != 1 || recv(pair[0], got, sizeof got, 0) != 50)
        complain("a message that fits");
    if (recv(pair[0], got, sizeof got, 0) != sizeof got || memcmp(got, bytes, sizeof got) != 0)
        complain("a first part");
    while (recv(pair[0], got, sizeof got, MSG_DONTWAIT) == sizeof got)
        continue;
    close(set);
    close(pair[0]);
    close(pair[1]);
}

static void begin(void)
{
    if (begun)
        return;
    begun = 1;
    receive_something();
}

EXPORTED void *malloc(size_t size)
{
    size_t *at;

    begin();
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    at = (size_t *)(arena + __atomic_fetch_add(&used, size + ALIGNMENT, __ATOMIC_RELAXED));
    if ((char *)at + size + ALIGNMENT > arena + ARENA)
        return NULL;
    *at = size;
    return (char *)at + ALIGNMENT;
}

EXPORTED void free(void *at)
{
    (void)at;
}

EXPORTED void *calloc(size_t count, size_t size)
{
    return malloc(count * size); /* the arena is of zeros, and nothing is given twice */
}

EXPORTED void *realloc(void *at, size_t size)
{
    void *to = malloc(size);

    if (at && to) {
        size_t before = *(size_t *)((char *)at - ALIGNMENT);

        memcpy(to, at, before < size ? before : size);
    }
    return to;
}

__attribute__((constructor)) static void start(void)
{
    receive_something();
}

__attribute__((destructor)) static void end(void)
{
    receive_something();
}
