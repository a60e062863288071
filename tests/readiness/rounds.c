/* SPDX-License-Identifier: MIT */
/*
 * An event loop over UDP on loopback, whose rounds rounds.py counts: a wait, a receive and, with one
 * shot, a call that arms the registration again. It knows nothing of libwsrx, and each round checks
 * what it got. What is counted lies between two close(MARK), and inside counted().
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MARK = -77, ROOM = 2048, QUEUE = 128000 };

enum { POLL = 0, SELECT = EPOLLMSG }; /* events that no program asks for */

/* What is in the process besides the loop. */
enum company { ALONE, THREAD, CHILD };

static struct row {
    const char *name;
    uint32_t events; /* of epoll_ctl; or one of these: */
    size_t message, part;
    enum company company;
} rows[] = {
    {"level-fits", EPOLLIN, 64, 64, ALONE},
    {"level-fits-1200", EPOLLIN, 1200, 1200, ALONE},
    {"level-2-parts", EPOLLIN, 2000, 1000, ALONE},
    {"level-64-parts", EPOLLIN, 64000, 1000, ALONE},
    {"edge-64-parts", EPOLLIN | EPOLLET, 64000, 1000, ALONE},
    {"shot-fits", EPOLLIN | EPOLLONESHOT, 64, 64, ALONE},
    {"shot-2-parts", EPOLLIN | EPOLLONESHOT, 2000, 1000, ALONE},
    {"shot-64-parts", EPOLLIN | EPOLLONESHOT, 64000, 1000, ALONE},
    {"thread-level-fits", EPOLLIN, 64, 64, THREAD},
    {"thread-level-2-parts", EPOLLIN, 2000, 1000, THREAD},
    {"thread-level-64-parts", EPOLLIN, 64000, 1000, THREAD},
    {"thread-shot-2-parts", EPOLLIN | EPOLLONESHOT, 2000, 1000, THREAD},
    {"thread-shot-64-parts", EPOLLIN | EPOLLONESHOT, 64000, 1000, THREAD},
    {"child-level-fits", EPOLLIN, 64, 64, CHILD},
    {"child-level-2-parts", EPOLLIN, 2000, 1000, CHILD},
    {"child-level-64-parts", EPOLLIN, 64000, 1000, CHILD},
    {"child-shot-2-parts", EPOLLIN | EPOLLONESHOT, 2000, 1000, CHILD},
    {"poll-2-parts", POLL, 2000, 1000, ALONE},
    {"poll-64-parts", POLL, 64000, 1000, ALONE},
    {"select-2-parts", SELECT, 2000, 1000, ALONE},
    {"select-64-parts", SELECT, 64000, 1000, ALONE},
};

static int set, rx, tx;
static char payload[65536], buffer[ROOM];

static void fail(const char *what)
{
    fprintf(stderr, "rounds: %s: %s\n", what, strerror(errno));
    exit(1);
}

static bool is_epoll(const struct row *row)
{
    return row->events != POLL && row->events != SELECT;
}

static void open_loop(const struct row *row)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int room = 1 << 20;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    rx = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    tx = socket(AF_INET, SOCK_DGRAM, 0);
    set = epoll_create1(0);
    if (set < 0 || bind(rx, (struct sockaddr *)&address, length) < 0 ||
        getsockname(rx, (struct sockaddr *)&address, &length) < 0 ||
        connect(tx, (struct sockaddr *)&address, length) < 0)
        fail("socket");
    if (setsockopt(rx, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0)
        (void)setsockopt(rx, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (is_epoll(row)) {
        struct epoll_event event = {.events = row->events, .data.fd = rx};

        if (epoll_ctl(set, EPOLL_CTL_ADD, rx, &event) < 0)
            fail("epoll_ctl");
    }
}

static bool wait_ready(const struct row *row)
{
    struct epoll_event event;
    struct pollfd fd = {rx, POLLIN, 0};
    fd_set reading;

    if (is_epoll(row))
        return epoll_wait(set, &event, 1, 1000) == 1 && event.events == EPOLLIN &&
               event.data.fd == rx;
    if (row->events == POLL)
        return poll(&fd, 1, 1000) == 1 && fd.revents == POLLIN;
    FD_ZERO(&reading);
    FD_SET(rx, &reading);
    return select(rx + 1, &reading, NULL, NULL, &(struct timeval){1, 0}) == 1;
}

static void run(const struct row *row, unsigned rounds)
{
    bool edge = row->events & EPOLLET;

    for (unsigned i = 0; i < rounds; i++) {
        if ((!edge || i == 0) && !wait_ready(row))
            fail("wait");
        if (recv(rx, buffer, row->part, 0) != (ssize_t)row->part)
            fail("recv");
        if (row->events & EPOLLONESHOT) {
            struct epoll_event event = {.events = row->events, .data.fd = rx};

            if (epoll_ctl(set, EPOLL_CTL_MOD, rx, &event) < 0)
                fail("epoll_ctl");
        }
    }
}

static __attribute__((noinline)) void counted(const struct row *row, unsigned rounds)
{
    close(MARK);
    run(row, rounds);
    close(MARK);
}

/* As many rounds as fit into the queue. */
static void queue(const struct row *row, unsigned rounds)
{
    for (unsigned i = 0; i < rounds * row->part / row->message; i++)
        if (send(tx, payload, row->message, 0) != (ssize_t)row->message)
            fail("send");
}

static void *sleeper(void *unused)
{
    (void)unused;
    pause();
    return NULL;
}

static void keep_company(enum company company)
{
    int closed[2];
    pthread_t thread;
    pid_t child;
    char byte;

    if (company == THREAD && pthread_create(&thread, NULL, sleeper, NULL) != 0)
        fail("pthread_create");
    if (company != CHILD)
        return;
    if (pipe(closed) < 0 || (child = fork()) < 0)
        fail("fork");
    close(closed[child == 0]);
    if (child == 0) { /* stays as long as its parent */
        (void)!read(closed[0], &byte, 1);
        _exit(0);
    }
}

int main(int argc, char **argv)
{
    unsigned rounds = argc >= 3 ? (unsigned)atoi(argv[2]) : 0;
    struct row *row = NULL;

    for (size_t i = 0; argc > 1 && i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, argv[1]) == 0)
            row = &rows[i];
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            puts(rows[i].name);
        return 0;
    }
    if (!row || rounds == 0 || rounds * row->part > QUEUE * 2) {
        fputs("usage: rounds --list | ROW ROUNDS [whole]\n", stderr);
        return 64;
    }
    if (argc == 4) /* without the library: whole messages, of the size of the parts */
        row->message = row->part;
    open_loop(row);
    keep_company(row->company);
    for (unsigned warm = 0; warm < 2; warm++) {
        queue(row, 64);
        run(row, 64);
    }
    queue(row, rounds);
    counted(row, rounds);
    return 0;
}
