/* SPDX-License-Identifier: MIT */
/*
 * The program that is measured: it queues messages to itself over loopback and receives them with
 * ordinary libc calls. It owns its sockets and the clock, checks every receive, and knows nothing
 * of libwsrx: with or without the library is decided by whoever starts it.
 *
 * Batches come on descriptor 0 and answers go to descriptor 1, both outside the timed region.
 */
#define _GNU_SOURCE
#include "batch.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct channel {
    bool open;
    int rx;
    int tx;
};

static struct channel channels[BENCH_CHANNELS];
static struct channel elsewhere; /* holds the half-read message of `tail_elsewhere` */

static alignas(4096) unsigned char payload[BENCH_PAYLOAD_MAX];
static alignas(4096) unsigned char buffers[BENCH_BUFFERS_MAX * 2048 + BENCH_BUFFER_MAX];

static uint32_t salt; /* makes the tags of one batch differ from those of the last */

static void channel_close(struct channel *channel)
{
    if (!channel->open)
        return;
    channel->open = false;
    close(channel->rx);
    close(channel->tx);
}

/* A whole batch must fit the receive queue: 136 datagrams of 1,200 bytes take some 320 KiB. */
static void socket_prepare(int fd)
{
    static const int room = 4 << 20;
    /* Data is queued before it is asked for: the timeout turns a lost packet into an answer. */
    static const struct timeval patience = {.tv_sec = 1};

    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

static int bind_loopback(int fd, struct sockaddr_in *ret_address)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t length = sizeof(address);

    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        return -errno;
    *ret_address = address;
    return 0;
}

static int open_udp(int *ret_rx, int *ret_tx)
{
    struct sockaddr_in address;
    int rx = socket(AF_INET, SOCK_DGRAM, 0);
    int tx = socket(AF_INET, SOCK_DGRAM, 0);
    int r = rx < 0 || tx < 0 ? -errno : bind_loopback(rx, &address);

    if (r == 0 && connect(tx, (struct sockaddr *)&address, sizeof(address)) < 0)
        r = -errno;
    *ret_rx = rx;
    *ret_tx = tx;
    return r;
}

static int open_tcp(int *ret_rx, int *ret_tx)
{
    struct sockaddr_in address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int tx = socket(AF_INET, SOCK_STREAM, 0);
    int rx = -1;
    int r = listener < 0 || tx < 0 ? -errno : bind_loopback(listener, &address);

    if (r == 0)
        socket_prepare(listener); /* an accepted socket inherits its buffer sizes */
    if (r == 0 &&
        (listen(listener, 1) < 0 || connect(tx, (struct sockaddr *)&address, sizeof(address)) < 0 ||
         (rx = accept(listener, NULL, NULL)) < 0))
        r = -errno;
    if (listener >= 0)
        close(listener);
    *ret_rx = rx;
    *ret_tx = tx;
    return r;
}

static int open_pair(int *ret_rx, int *ret_tx, bool pipe_wanted)
{
    int pair[2];

    if (pipe_wanted ? pipe(pair) < 0 : socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0)
        return -errno;
    if (pipe_wanted)
        (void)fcntl(pair[0], F_SETPIPE_SZ, 256 * 1024);
    *ret_rx = pair[0];
    *ret_tx = pair[1];
    return 0;
}

static int channel_open(struct channel *channel, uint32_t kind)
{
    int rx = -1, tx = -1, r;

    if (channel->open)
        return 0;
    switch (kind) {
    case BENCH_UDP:
        r = open_udp(&rx, &tx);
        break;
    case BENCH_TCP:
        r = open_tcp(&rx, &tx);
        break;
    case BENCH_UNIX:
    case BENCH_PIPE:
        r = open_pair(&rx, &tx, kind == BENCH_PIPE);
        break;
    default:
        return -EINVAL;
    }
    if (r < 0) {
        if (rx >= 0)
            close(rx);
        if (tx >= 0)
            close(tx);
        return r;
    }
    if (kind != BENCH_PIPE) {
        socket_prepare(rx);
        socket_prepare(tx);
    }
    *channel = (struct channel){.open = true, .rx = rx, .tx = tx};
    return 0;
}

/* What receive number `index` of this batch must find at the start of its buffer. */
static uint32_t tag(uint32_t index)
{
    return salt + index;
}

static int queue_messages(const struct channel *channel, const struct bench_batch *batch)
{
    size_t total = (size_t)batch->message * batch->messages;
    bool stream = batch->channel == BENCH_TCP || batch->channel == BENCH_PIPE;
    size_t step = stream ? total : batch->message;

    salt += BENCH_RECEIVES_MAX;
    for (uint32_t i = 0; i < batch->warm + batch->timed; i++) {
        uint32_t value = tag(i);

        memcpy(payload + (size_t)i * batch->part, &value, sizeof(value));
    }
    for (size_t sent = 0; sent < total; sent += step) {
        ssize_t n = write(channel->tx, payload + sent, step);

        if (n < 0)
            return -errno;
        if ((size_t)n != step)
            return -ENOBUFS;
    }
    return 0;
}

/* Leave one message half read on a socket of its own, for as long as this process lives. */
static int leave_tail_elsewhere(void)
{
    static unsigned char message[1000];
    int r;

    if (elsewhere.open)
        return 0;
    r = channel_open(&elsewhere, BENCH_UDP);
    if (r < 0)
        return r;
    if (write(elsewhere.tx, message, sizeof(message)) < 0 ||
        recv(elsewhere.rx, message, sizeof(message) / 2, 0) < 0)
        return -errno;
    return 0;
}

static void *sleep_on(void *unused)
{
    pause();
    return unused;
}

static int start_thread(void)
{
    static bool started;
    pthread_t thread;

    if (!started && pthread_create(&thread, NULL, sleep_on, NULL) != 0)
        return -EAGAIN;
    started = true;
    return 0;
}

/*
 * One loop for each call, so that nothing but the call and its check is timed. GIVE is an
 * expression of the type ssize_t; `fd`, `buffer` and `length` are at its service.
 */
#define RECEIVE_ALL(GIVE)                                        \
    for (; i < end; i++) {                                       \
        unsigned char *buffer = buffers + (i & turn) * 2048;     \
        uint32_t found;                                          \
        ssize_t n = (GIVE);                                      \
        memcpy(&found, buffer, sizeof(found));                   \
        if (__builtin_expect(n != want || found != tag(i), 0)) { \
            ret_answer->outcome = BENCH_WRONG;                   \
            ret_answer->index = i;                               \
            ret_answer->got = n;                                 \
            ret_answer->error = n < 0 ? (uint32_t)errno : 0;     \
            return false;                                        \
        }                                                        \
    }                                                            \
    return true

static ssize_t receive_message(int fd, unsigned char *buffer, size_t length)
{
    struct sockaddr_storage address;
    struct iovec part = {.iov_base = buffer, .iov_len = length};
    struct msghdr message = {
        .msg_name = &address,
        .msg_namelen = sizeof(address),
        .msg_iov = &part,
        .msg_iovlen = 1,
    };

    return recvmsg(fd, &message, 0);
}

static ssize_t receive_with_address(int fd, unsigned char *buffer, size_t length)
{
    struct sockaddr_storage address;
    socklen_t address_length = sizeof(address);

    return recvfrom(fd, buffer, length, 0, (struct sockaddr *)&address, &address_length);
}

static ssize_t receive_after_peek(int fd, unsigned char *buffer, size_t length)
{
    ssize_t size = recv(fd, NULL, 0, MSG_PEEK | MSG_TRUNC);

    if (size < 0 || (size_t)size > length) {
        errno = size < 0 ? errno : EMSGSIZE;
        return -1;
    }
    return recv(fd, buffer, length, 0);
}

static bool receive_range(int fd, const struct bench_batch *batch, uint32_t i, uint32_t end,
                          struct bench_answer *ret_answer)
{
    size_t length = batch->buffer;
    ssize_t want = (ssize_t)batch->part;
    size_t turn = batch->buffers > 0 ? batch->buffers - 1 : 0;

    switch (batch->call) {
    case BENCH_RECV:
        RECEIVE_ALL(recv(fd, buffer, length, 0));
    case BENCH_RECVFROM:
        RECEIVE_ALL(receive_with_address(fd, buffer, length));
    case BENCH_READ:
        RECEIVE_ALL(read(fd, buffer, length));
    case BENCH_RECVMSG:
        RECEIVE_ALL(receive_message(fd, buffer, length));
    case BENCH_PEEK_RECV:
        RECEIVE_ALL(receive_after_peek(fd, buffer, length));
    default:
        ret_answer->outcome = BENCH_SETUP;
        ret_answer->error = EINVAL;
        return false;
    }
}

static bool batch_valid(const struct bench_batch *batch)
{
    uint32_t receives = batch->warm + batch->timed;

    return batch->channel < BENCH_CHANNELS && batch->buffer <= BENCH_BUFFER_MAX &&
           batch->timed > 0 && receives <= BENCH_RECEIVES_MAX && batch->part >= sizeof(uint32_t) &&
           batch->buffers <= BENCH_BUFFERS_MAX && (batch->buffers & (batch->buffers - 1)) == 0 &&
           (batch->buffers <= 1 || batch->buffer <= 2048) &&
           (uint64_t)batch->message * batch->messages <= BENCH_PAYLOAD_MAX &&
           (uint64_t)batch->message * batch->messages == (uint64_t)receives * batch->part;
}

static void run_batch(const struct bench_batch *batch, struct bench_answer *ret_answer)
{
    struct timespec start, stop;
    struct channel *channel;
    int r;

    *ret_answer = (struct bench_answer){.outcome = BENCH_SETUP, .error = EINVAL};
    if (!batch_valid(batch))
        return;
    channel = &channels[batch->channel];
    r = batch->tail_elsewhere ? leave_tail_elsewhere() : 0;
    if (r == 0 && batch->thread)
        r = start_thread();
    if (r == 0)
        r = channel_open(channel, batch->channel);
    if (r == 0)
        r = queue_messages(channel, batch);
    if (r < 0) {
        ret_answer->error = (uint32_t)-r;
        channel_close(channel);
        return;
    }

    *ret_answer = (struct bench_answer){.outcome = BENCH_DONE};
    if (!receive_range(channel->rx, batch, 0, batch->warm, ret_answer)) {
        channel_close(channel);
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &start);
    if (!receive_range(channel->rx, batch, batch->warm, batch->warm + batch->timed, ret_answer)) {
        channel_close(channel); /* whatever is still queued goes with it */
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &stop);
    ret_answer->nanoseconds =
        (uint64_t)((stop.tv_sec - start.tv_sec) * 1000000000LL + (stop.tv_nsec - start.tv_nsec));
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
