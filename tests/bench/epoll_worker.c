/* SPDX-License-Identifier: MIT */
/*
 * The program that epoll.c measures: an ordinary event loop over UDP on loopback, one epoll_wait
 * and one recv a round. It checks every round, and knows nothing of libwsrx.
 *
 * Batches are those of batch.h: `call` is the manner of registration, `part` the bytes of a round.
 */
#define _GNU_SOURCE
#include "epoll_manner.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const uint32_t manners[EPOLL_MANNERS] = {
    [EPOLL_LEVEL] = EPOLLIN,
    [EPOLL_EDGE] = EPOLLIN | EPOLLET,
    [EPOLL_SHOT] = EPOLLIN | EPOLLONESHOT,
};

struct loop {
    int set, rx, tx;
    struct epoll_event asked;
};

static struct loop loops[EPOLL_MANNERS];
static unsigned char payload[BENCH_PAYLOAD_MAX], buffer[BENCH_BUFFER_MAX];
static uint32_t salt;

static int loop_open(struct loop *loop, uint32_t manner)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    int room = 1 << 20;

    if (loop->set > 0)
        return 0;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    loop->rx = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    loop->tx = socket(AF_INET, SOCK_DGRAM, 0);
    loop->set = epoll_create1(0);
    loop->asked = (struct epoll_event){.events = manners[manner], .data.fd = loop->rx};
    if (loop->set <= 0 || loop->rx < 0 || loop->tx < 0 ||
        bind(loop->rx, (struct sockaddr *)&address, length) < 0 ||
        getsockname(loop->rx, (struct sockaddr *)&address, &length) < 0 ||
        connect(loop->tx, (struct sockaddr *)&address, length) < 0 ||
        epoll_ctl(loop->set, EPOLL_CTL_ADD, loop->rx, &loop->asked) < 0)
        return -errno;
    if (setsockopt(loop->rx, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
        (void)setsockopt(loop->rx, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    return 0;
}

static int queue_messages(const struct loop *loop, const struct bench_batch *batch)
{
    salt += BENCH_RECEIVES_MAX;
    for (uint32_t i = 0; i < batch->warm + batch->timed; i++) {
        uint32_t tag = salt + i;

        memcpy(payload + (size_t)i * batch->part, &tag, sizeof(tag));
    }
    for (uint32_t i = 0; i < batch->messages; i++)
        if (send(loop->tx, payload + (size_t)i * batch->message, batch->message, 0) < 0)
            return -errno;
    return 0;
}

static bool run_rounds(struct loop *loop, const struct bench_batch *batch, uint32_t i, uint32_t end,
                       struct bench_answer *ret_answer)
{
    bool shot = batch->call == EPOLL_SHOT, edge = batch->call == EPOLL_EDGE;

    for (; i < end; i++) {
        struct epoll_event event;
        uint32_t found;
        ssize_t n;

        /* Level-triggered: it is ready each time. Edge-triggered: one event a batch. */
        if (edge && i > 0)
            n = 1;
        else
            n = epoll_wait(loop->set, &event, 1, 1000);
        if (n == 1)
            n = recv(loop->rx, buffer, batch->buffer, 0);
        memcpy(&found, buffer, sizeof(found));
        if (n != (ssize_t)batch->part || found != salt + i) {
            *ret_answer = (struct bench_answer){
                .outcome = BENCH_WRONG, .index = i, .got = n, .error = n < 0 ? (uint32_t)errno : 0};
            return false;
        }
        if (shot)
            epoll_ctl(loop->set, EPOLL_CTL_MOD, loop->rx, &loop->asked);
    }
    return true;
}

static void run_batch(const struct bench_batch *batch, struct bench_answer *ret_answer)
{
    uint32_t rounds = batch->warm + batch->timed;
    struct timespec start, stop;
    struct loop *loop;
    int r;

    *ret_answer = (struct bench_answer){.outcome = BENCH_SETUP, .error = EINVAL};
    if (batch->channel == BENCH_PIPE) { /* worker_start()'s greeting */
        ret_answer->outcome = BENCH_DONE;
        return;
    }
    if (batch->channel != BENCH_UDP || batch->call >= EPOLL_MANNERS || rounds == 0 ||
        rounds > BENCH_RECEIVES_MAX || batch->part < sizeof(uint32_t) ||
        batch->buffer > BENCH_BUFFER_MAX ||
        (uint64_t)batch->message * batch->messages > BENCH_PAYLOAD_MAX ||
        (uint64_t)batch->message * batch->messages != (uint64_t)rounds * batch->part)
        return;
    loop = &loops[batch->call];
    r = loop_open(loop, batch->call);
    if (r == 0)
        r = queue_messages(loop, batch);
    if (r < 0) {
        ret_answer->error = (uint32_t)-r;
        return;
    }
    *ret_answer = (struct bench_answer){.outcome = BENCH_DONE};
    if (run_rounds(loop, batch, 0, batch->warm, ret_answer)) {
        clock_gettime(CLOCK_MONOTONIC, &start);
        if (run_rounds(loop, batch, batch->warm, rounds, ret_answer)) {
            clock_gettime(CLOCK_MONOTONIC, &stop);
            ret_answer->nanoseconds = (uint64_t)((stop.tv_sec - start.tv_sec) * 1000000000LL +
                                                 (stop.tv_nsec - start.tv_nsec));
            return;
        }
    }
    while (recv(loop->rx, buffer, sizeof(buffer), 0) >= 0) /* leave nothing to the next batch */
        ;
}

int main(void)
{
    struct bench_batch batch;
    struct bench_answer answer;

    while (read(0, &batch, sizeof(batch)) == (ssize_t)sizeof(batch)) {
        run_batch(&batch, &answer);
        if (write(1, &answer, sizeof(answer)) != (ssize_t)sizeof(answer))
            return 1;
    }
    return 0;
}
