/* SPDX-License-Identifier: MIT */
#include "link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../lib/pattern.h"

enum { LONGEST = 65536 };

/* Made with the thread: a sandbox may forbid more memory. */
static __thread unsigned char bytes[LONGEST];

int link_last_error(void)
{
    return errno;
}

void fail(const char *format, ...)
{
    char line[512];
    va_list list;
    int length;

    va_start(list, format);
    length = vsnprintf(line, sizeof line - 1, format, list);
    va_end(list);
    if (length > (int)sizeof line - 2)
        length = sizeof line - 2;
    line[length] = '\n';
    (void)!write(1, line, (size_t)length + 1);
    _exit(1);
}

struct link link_make(enum link_kind kind)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof name;
    int size = 8 << 20, pair[2];

    if (kind == LINK_UNIX) {
        EXPECT(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) == 0);
        return (struct link){pair[0], pair[1]};
    }
    pair[0] = socket(AF_INET, SOCK_DGRAM, 0);
    pair[1] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    EXPECT(pair[0] >= 0 && pair[1] >= 0);
    setsockopt(pair[0], SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    EXPECT(bind(pair[0], (struct sockaddr *)&name, sizeof name) == 0);
    EXPECT(getsockname(pair[0], (struct sockaddr *)&name, &length) == 0);
    EXPECT(connect(pair[1], (struct sockaddr *)&name, length) == 0);
    return (struct link){pair[0], pair[1]};
}

void link_send(const struct link *link, unsigned message, size_t length)
{
    EXPECT(length <= LONGEST);
    pattern_fill(bytes, message, 0, length);
    EXPECT(send(link->s, bytes, length, 0) == (ssize_t)length);
}

void expect_part(int fd, size_t room, unsigned message, size_t offset, size_t length)
{
    ssize_t got;

    EXPECT(room <= LONGEST);
    got = recv(fd, bytes, room, MSG_DONTWAIT);
    if (got != (ssize_t)length)
        fail("message %u from %zu: got %zd bytes, not %zu (errno %d)", message, offset, got, length,
             got < 0 ? errno : 0);
    if (pattern_match(bytes, length, message, offset, LONGEST) != length)
        fail("message %u from %zu: other bytes", message, offset);
}

void expect_nothing(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    char byte;

    EXPECT(poll(&wait, 1, 0) == 0);
    EXPECT(recv(fd, &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
}

void expect_end(pid_t child)
{
    int status;

    EXPECT(child > 0);
    while (waitpid(child, &status, 0) != child)
        EXPECT(errno == EINTR);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail("the child ended by signal %d, status %d", WIFSIGNALED(status) ? WTERMSIG(status) : 0,
             WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

void link_leave_tail(const struct link *link, unsigned message)
{
    link_send(link, message, 3000);
    expect_part(link->r, 1000, message, 0, 1000);
}

void expect_tail(int fd, unsigned message)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};

    EXPECT(poll(&wait, 1, 0) == 1);
    expect_part(fd, 500, message, 1000, 500);
    expect_part(fd, 4000, message, 1500, 1500);
    expect_nothing(fd);
}
