/* SPDX-License-Identifier: MIT */
#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int loop_socket(void)
{
    if (fcntl(0, F_SETFL, O_NONBLOCK) != 0) {
        perror("stdin");
        exit(3);
    }
    return 0;
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
        /* An event with nothing behind it: no loop may report one here. */
        fprintf(stderr, "an event for nothing: %s\n", strerror(errno));
        exit(5);
    }
    return loop_copy(bytes, length);
}
