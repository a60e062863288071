/* SPDX-License-Identifier: MIT
 *
 * Receives a message of 3,000 bytes by io_uring with a buffer of 1,000, in each of the ways in which
 * the kernel makes such a receive: uring inline | armed | worker [unix]. Prints the result. Over
 * AF_UNIX it does so a line at a time: one of "trunc" receives with MSG_TRUNC.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <liburing.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in address = {.sin_family = AF_INET};
static char buffer[1000], message[3000];

static int udp_pair(int pair[2])
{
    socklen_t length = sizeof address;

    for (int i = 0; i < 2; i++)
        pair[i] = socket(AF_INET, SOCK_DGRAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(pair[0], (struct sockaddr *)&address, sizeof address) < 0 ||
        getsockname(pair[0], (struct sockaddr *)&address, &length) < 0)
        return -1;
    return connect(pair[1], (struct sockaddr *)&address, length);
}

static void post(int from)
{
    if (send(from, message, sizeof message, 0) < 0)
        perror("send");
}

static int receive(struct io_uring *ring, const char *way, const int pair[2], int flags)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(ring);
    struct io_uring_cqe *done;

    io_uring_prep_recv(entry, pair[0], buffer, sizeof buffer, flags);
    if (strcmp(way, "worker") == 0)
        entry->flags |= IOSQE_ASYNC;
    if (strcmp(way, "armed") != 0)
        post(pair[1]);
    io_uring_submit(ring);
    if (strcmp(way, "armed") == 0)
        post(pair[1]);
    if (io_uring_wait_cqe(ring, &done) < 0)
        return 1;
    printf("%d\n", done->res);
    fflush(stdout);
    io_uring_cqe_seen(ring, done);
    return 0;
}

int main(int argc, char **argv)
{
    const char *way = argc > 1 ? argv[1] : "inline";
    char line[16];
    struct io_uring ring;
    int pair[2], error = io_uring_queue_init(4, &ring, 0);

    if (error < 0) {
        printf("no io_uring: %s\n", strerror(-error));
        return 77;
    }
    if (argc < 3)
        return udp_pair(pair) < 0 || receive(&ring, way, pair, 0) != 0;
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0)
        return 1;
    while (fgets(line, sizeof line, stdin))
        if (receive(&ring, way, pair, strcmp(line, "trunc\n") == 0 ? MSG_TRUNC : 0) != 0)
            return 1;
    return 0;
}
