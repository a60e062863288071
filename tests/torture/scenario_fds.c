/* SPDX-License-Identifier: MIT
 *
 * Scenario fds: as many descriptors as the limit allows, with numbers up to its end; 10,000 sockets
 * with a tail each, all reported by poll, select and epoll, and read to their ends by small pieces.
 */
#define _GNU_SOURCE
#include "link.h"
#include "message.h"
#include "receive.h"
#include "torture.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { SOCKETS = 1000 }; /* a sanitizer takes minutes for more */
#else
enum { SOCKETS = 10000 };
#endif

enum {
    SPARE = 64,    /* descriptors left for others */
    HIGH = 100000, /* numbers above it are asked for */
    WAIT_MS = 10000,
    LONG_BITS = sizeof(long) * CHAR_BIT,
};

/* One socket, with at most one message on its way. */
struct one {
    int fd, from; /* from: of a pair; -1: a UDP socket, whom the common sender serves */
    struct sockaddr_storage to;
    socklen_t to_length;
    struct message message;
    size_t offset;
};

struct scene {
    struct plan plan;
    struct hands *hands;
    int sender;
    unsigned count, expecting;
    bool with_stand_ins; /* there is room for an eventfd for each */
    int high;            /* the highest number */
    struct one *one;     /* [count] */
    struct pollfd *poll; /* [count] */
};

/* The limit that we get. */
static rlim_t raise_limit(void)
{
    struct rlimit limit;
    FILE *stream = fopen("/proc/sys/fs/nr_open", "re");
    unsigned long most = 0;

    if (stream && fscanf(stream, "%lu", &most) != 1)
        most = 0;
    if (stream)
        fclose(stream);
    getrlimit(RLIMIT_NOFILE, &limit);
    if (most > limit.rlim_max) {
        struct rlimit all = {most, most};

        if (setrlimit(RLIMIT_NOFILE, &all) == 0)
            return most;
    }
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

/* The same socket at a number of at least `least`. */
static void move_up(struct scene *scene, struct one *one, int least)
{
    int fd = fcntl(one->fd, F_DUPFD_CLOEXEC, least);

    if (fd < 0)
        return;
    close(one->fd);
    one->fd = fd;
    scene->high = fd > scene->high ? fd : scene->high;
}

static void open_one(struct one *one, bool udp)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = link_loopback()};
    int pair[2];

    one->from = -1;
    if (udp) {
        one->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        one->to_length = sizeof one->to;
        if (one->fd < 0 || bind(one->fd, (struct sockaddr *)&name, sizeof name) != 0 ||
            getsockname(one->fd, (struct sockaddr *)&one->to, &one->to_length) != 0)
            cannot("no UDP socket: %s", strerror(errno));
    } else {
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
            cannot("no socket pair: %s", strerror(errno));
        one->fd = pair[0];
        one->from = pair[1];
    }
}

static void open_all(struct scene *scene, rlim_t limit)
{
    rlim_t affordable = limit > SPARE ? (limit - SPARE) * 2 / 3 : 0;

    scene->plan = plan_make(options.seed, "fds", 0);
    scene->hands = hands_make();
    scene->count = affordable < SOCKETS ? (unsigned)affordable : SOCKETS;
    scene->with_stand_ins = options.with_epoll && limit > (rlim_t)scene->count * 5 / 2 + SPARE;
    scene->one = calloc(scene->count, sizeof *scene->one);
    scene->poll = calloc(scene->count, sizeof *scene->poll);
    scene->sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (!scene->one || !scene->poll)
        cannot("no memory");
    if (scene->count < SOCKETS || limit < HIGH + SPARE)
        printf("torture: SKIP of fds: the limit of %lu descriptors allows %u sockets%s\n",
               (unsigned long)limit, scene->count,
               limit < HIGH + SPARE ? " and no number above 100000" : "");
    for (unsigned i = 0; i < scene->count; i++) {
        open_one(&scene->one[i], i % 2);
        if (i % 100 == 0 && limit > HIGH + SPARE)
            move_up(scene, &scene->one[i], HIGH);
        if (i % 1000 == 0)
            move_up(scene, &scene->one[i], (int)limit - SPARE / 2);
    }
}

static void close_all(struct scene *scene)
{
    for (unsigned i = 0; i < scene->count; i++) {
        close(scene->one[i].fd);
        if (scene->one[i].from >= 0)
            close(scene->one[i].from);
    }
    close(scene->sender);
    hands_free(scene->hands);
    free(scene->one);
    free(scene->poll);
}

/* --- a message each --------------------------------------------------------------------------- */

static void send_one(struct scene *scene, struct one *one, unsigned i, unsigned round)
{
    ssize_t sent;

    one->message = (struct message){i, round, 64 + plan_below(&scene->plan, 5000)};
    one->offset = 0;
    message_fill(scene->hands->expected, &one->message, 0, one->message.length);
    sent = one->from >= 0 ? send(one->from, scene->hands->expected, one->message.length, 0)
                          : sendto(scene->sender, scene->hands->expected, one->message.length, 0,
                                   (struct sockaddr *)&one->to, one->to_length);
    if (sent != (ssize_t)one->message.length)
        cannot("send: %s", strerror(errno));
    scene->expecting++;
}

/* One part. */
static void receive_one(struct scene *scene, struct one *one, size_t room)
{
    struct hands *hands = scene->hands;
    size_t remains = one->message.length - one->offset, expected;
    size_t good;
    int error;

    atomic_store(&place->socket, one->message.socket);
    do {
        receive_choose(hands, &scene->plan, true);
    } while (call_reports(hands->call) && !options.calls_all && one->offset == 0);
    expected = remains < room ? remains : room;
    do
        error = receive(hands, &scene->plan, one->fd, room, 1);
    while (error == -EINTR);
    if (error || hands->part[0].length != expected) {
        fault(one->message.socket, one->message.number, one->offset,
              "%s on fd %d: expected %zu of %zu bytes, got %zd", call_name(hands->call), one->fd,
              expected, one->message.length,
              error ? (ssize_t)error : (ssize_t)hands->part[0].length);
        one->offset = one->message.length;
        scene->expecting--;
        return;
    }
    good = message_match(hands->part[0].at, expected, &one->message, one->offset);
    if (good != expected)
        fault(one->message.socket, one->message.number, one->offset + good,
              "content by %s on fd %d: expected the message's, got 0x%02x", call_name(hands->call),
              one->fd, hands->part[0].at[good]);
    count(&place->parts, 1);
    count(&place->bytes, expected);
    one->offset += expected;
    if (one->offset == one->message.length) {
        count(&place->messages, 1);
        scene->expecting--;
    }
}

static bool expects(const struct one *one)
{
    return one->offset < one->message.length;
}

/* --- all are reported --------------------------------------------------------------------------- */

static void check_poll(struct scene *scene)
{
    int got;

    for (unsigned i = 0; i < scene->count; i++)
        scene->poll[i] = (struct pollfd){scene->one[i].fd, POLLIN, 0};
    stand("poll of all", -1);
    do /* the watchdog's signal may come in the midst of it */
        got = poll(scene->poll, scene->count, 0);
    while (got < 0 && errno == EINTR);
    if (got != (int)scene->expecting)
        fault(0, 0, 0, "poll of %u sockets with a tail: expected %u, got %d", scene->count,
              scene->expecting, got);
}

/* An fd_set as large as the numbers are. */
static void check_select(struct scene *scene)
{
    size_t longs = (size_t)scene->high / LONG_BITS + 1;
    unsigned long *set;
    struct timeval limit = {WAIT_MS / 1000, 0};
    int got;

    if (longs < sizeof(fd_set) / sizeof(long))
        longs = sizeof(fd_set) / sizeof(long);
    set = calloc(longs, sizeof *set);
    if (!set)
        cannot("no memory");
    for (unsigned i = 0; i < scene->count; i++)
        set[scene->one[i].fd / LONG_BITS] |= 1ul << scene->one[i].fd % LONG_BITS;
    stand("select of all", scene->high);
    do
        got = select(scene->high + 1, (fd_set *)set, NULL, NULL, &limit);
    while (got < 0 && errno == EINTR);
    if (got != (int)scene->expecting)
        fault(0, 0, 0, "select of %u sockets with a tail, up to fd %d: expected %u, got %d",
              scene->count, scene->high, scene->expecting, got);
    free(set);
}

/* Reads all to their ends, by what a level-triggered set says. */
static void finish_by_epoll(struct scene *scene)
{
    enum { EVENTS = 256 };
    static struct epoll_event event[EVENTS];
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int64_t since = now();

    if (epoll < 0)
        cannot("no epoll set: %s", strerror(errno));
    stand("epoll_ctl", epoll);
    for (unsigned i = 0; i < scene->count; i++) {
        event[0] = (struct epoll_event){EPOLLIN, {.u32 = i}};
        epoll_ctl(epoll, EPOLL_CTL_ADD, scene->one[i].fd, &event[0]);
    }
    while (scene->expecting > 0) {
        int got;

        stand("epoll_wait", epoll);
        got = epoll_wait(epoll, event, EVENTS, WAIT_MS);
        if (got <= 0 && now() - since > (int64_t)WAIT_MS * 1000000) {
            fault(0, 0, 0, "epoll_wait: expected %u sockets readable, got none in %d ms",
                  scene->expecting, WAIT_MS);
            break;
        }
        for (int i = 0; i < got; i++) {
            struct one *one = &scene->one[event[i].data.u32];

            since = now();
            if (expects(one))
                receive_one(scene, one, 1 + plan_below(&scene->plan, 3000));
            else
                fault(one->message.socket, one->message.number, one->offset,
                      "epoll_wait: expected nothing on fd %d, got readable", one->fd);
        }
        if (hopeless())
            break;
    }
    close(epoll);
}

static void finish_by_receives(struct scene *scene)
{
    while (scene->expecting > 0 && !hopeless()) {
        struct one *one = &scene->one[plan_below(&scene->plan, scene->count)];

        for (unsigned tries = 0; !expects(one) && tries < scene->count; tries++)
            one = one + 1 < scene->one + scene->count ? one + 1 : scene->one;
        receive_one(scene, one, 1 + plan_below(&scene->plan, 3000));
    }
}

void scenario_fds(const struct share *share)
{
    struct scene scene = {0};
    struct rlimit before;

    getrlimit(RLIMIT_NOFILE, &before);
    open_all(&scene, raise_limit());
    for (unsigned round = 0; round == 0 || !share_done(share); round++) {
        for (unsigned i = 0; i < scene.count; i++) {
            send_one(&scene, &scene.one[i], i, round);
            receive_one(&scene, &scene.one[i], 1 + plan_below(&scene.plan, 63));
        }
        check_poll(&scene);
        check_select(&scene);
        if (scene.with_stand_ins && round % 2 == 0)
            finish_by_epoll(&scene);
        else
            finish_by_receives(&scene);
    }
    close_all(&scene);
    setrlimit(RLIMIT_NOFILE, &before);
}
