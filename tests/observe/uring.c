/* SPDX-License-Identifier: MIT
 *
 * Receives a message of 3,000 bytes by io_uring with a buffer of 1,000, in each of the ways in which
 * the kernel makes such a receive: uring inline | armed | worker. Prints the result.
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

static void post(int from)
{
    if (sendto(from, message, sizeof message, 0, (struct sockaddr *)&address, sizeof address) < 0)
        perror("sendto");
}

int main(int argc, char **argv)
{
    const char *way = argc > 1 ? argv[1] : "inline";
    int to = socket(AF_INET, SOCK_DGRAM, 0), from = socket(AF_INET, SOCK_DGRAM, 0);
    socklen_t length = sizeof address;
    struct io_uring_cqe *done;
    struct io_uring_sqe *entry;
    struct io_uring ring;
    int error = io_uring_queue_init(4, &ring, 0);

    if (error < 0) {
        printf("no io_uring: %s\n", strerror(-error));
        return 77;
    }
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(to, (struct sockaddr *)&address, sizeof address) < 0 ||
        getsockname(to, (struct sockaddr *)&address, &length) < 0)
        return 1;
    entry = io_uring_get_sqe(&ring);
    io_uring_prep_recv(entry, to, buffer, sizeof buffer, 0);
    if (strcmp(way, "worker") == 0)
        entry->flags |= IOSQE_ASYNC;
    if (strcmp(way, "armed") != 0)
        post(from);
    io_uring_submit(&ring);
    if (strcmp(way, "armed") == 0)
        post(from);
    if (io_uring_wait_cqe(&ring, &done) < 0)
        return 1;
    printf("%d\n", done->res);
    return 0;
}
