/* SPDX-License-Identifier: MIT */
#include "loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int loop_socket(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), room = 4 << 20;
    const char *port = getenv("PORT");

    address.sin_port = htons((unsigned short)atoi(port ? port : "0"));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        perror("bind");
        exit(3);
    }
    return fd;
}

bool loop_copy(const char *bytes, long length)
{
    if (length == 3 && memcmp(bytes, "end", 3) == 0)
        return true;
    if (length > 0 && write(1, bytes, (size_t)length) != length)
        exit(4);
    return false;
}

bool loop_receive(int fd)
{
    char bytes[PART];
    ssize_t length = recv(fd, bytes, sizeof(bytes), 0);

    if (length < 0) {
        /* An event with nothing behind it: no loop may tell of that here. */
        fprintf(stderr, "told of nothing: %s\n", strerror(errno));
        exit(5);
    }
    return loop_copy(bytes, length);
}
