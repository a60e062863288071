/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "case.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SKIPPED = 77, LIMIT = 20 /* seconds */ };

char buffer[BUFFER_SIZE];
int in = -1, out = -1;
static char message[BUFFER_SIZE];

void case_failed(const char *file, int line, const char *condition)
{
    const char *name = strrchr(file, '/');

    printf("# %s:%d: %s (WSAGetLastError %d, errno %d)\n", name ? name + 1 : file, line, condition,
           WSAGetLastError(), errno);
    fflush(stdout);
    _exit(1);
}

void case_skip(const char *reason)
{
    printf("# skipped: %s\n", reason);
    fflush(stdout);
    _exit(SKIPPED);
}

/* --- messages ------------------------------------------------------------------------------ */

static char byte_of(unsigned number, size_t at)
{
    return (char)(number * 31 + at * 7 + (at >> 8));
}

void put(unsigned number, size_t size)
{
    for (size_t i = 0; i < size; i++)
        message[i] = byte_of(number, i);
    CHECK(send(out, message, size, 0) == (ssize_t)size);
}

bool is_part(unsigned number, size_t offset, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (buffer[i] != byte_of(number, offset + i))
            return false;
    return true;
}

void get(unsigned number, size_t offset, int room, int size, bool partial)
{
    int flags = 0x7777;

    memset(buffer, 0x5a, (size_t)room + 1);
    CHECK(WSARecvEx(in, buffer, room, &flags) == size);
    CHECK(flags == (partial ? MSG_PARTIAL : 0));
    CHECK(is_part(number, offset, (size_t)size));
    CHECK(buffer[room] == 0x5a);
}

void fails(int s, char *buf, int len, int error)
{
    int flags = MSG_PARTIAL;

    WSASetLastError(0);
    CHECK(WSARecvEx(s, buf, len, &flags) == -1);
    CHECK(WSAGetLastError() == error);
    CHECK(flags == 0);
}

/* --- sockets ------------------------------------------------------------------------------- */

socklen_t loopback(int family, struct sockaddr_storage *name)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)name;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)name;

    memset(name, 0, sizeof *name);
    name->ss_family = (sa_family_t)family;
    if (family == AF_INET)
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        v6->sin6_addr = in6addr_loopback;
    return family == AF_INET ? sizeof *v4 : sizeof *v6;
}

void open_udp(int family)
{
    struct sockaddr_storage name;
    socklen_t length;
    int large = 1 << 20;

    in = socket(family, SOCK_DGRAM, 0);
    out = socket(family, SOCK_DGRAM, 0);
    length = loopback(family, &name);
    CHECK(bind(in, (struct sockaddr *)&name, length) == 0);
    CHECK(bind(out, (struct sockaddr *)&name, length) == 0);
    CHECK(getsockname(in, (struct sockaddr *)&name, &length) == 0);
    CHECK(connect(out, (struct sockaddr *)&name, length) == 0);
    CHECK(getsockname(out, (struct sockaddr *)&name, &length) == 0);
    CHECK(connect(in, (struct sockaddr *)&name, length) == 0);
    setsockopt(in, SOL_SOCKET, SO_RCVBUF, &large, sizeof large);
}

void open_unix(int type)
{
    int both[2], large = 1 << 21;

    CHECK(socketpair(AF_UNIX, type, 0, both) == 0);
    in = both[0];
    out = both[1];
    setsockopt(out, SOL_SOCKET, SO_SNDBUFFORCE, &large, sizeof large);
    setsockopt(out, SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
}

void open_tcp(void)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_storage name;
    socklen_t length = loopback(AF_INET, &name);

    CHECK(bind(listener, (struct sockaddr *)&name, length) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&name, &length) == 0);
    CHECK(listen(listener, 1) == 0);
    out = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(out, (struct sockaddr *)&name, length) == 0);
    in = accept(listener, NULL, NULL);
    CHECK(in >= 0);
    close(listener);
}

void set_timeout(int milliseconds)
{
    struct timeval limit = {milliseconds / 1000, milliseconds % 1000 * 1000};

    CHECK(setsockopt(in, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
}

void is_empty(void)
{
    CHECK(recv(in, buffer, 10, MSG_DONTWAIT) == -1 && errno == EAGAIN);
}

/* --- running the cases --------------------------------------------------------------------- */

int main(void)
{
    int failed = 0;

    printf("1..%zu\n", case_count);
    for (size_t i = 0; i < case_count; i++) {
        int status;
        pid_t child;

        fflush(stdout);
        child = fork();
        if (child == 0) {
            alarm(LIMIT);
            cases[i].run();
            fflush(stdout);
            _exit(0);
        }
        waitpid(child, &status, 0);
        if (WIFSIGNALED(status))
            printf("# ended by %s\n", strsignal(WTERMSIG(status)));
        if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
            printf("ok %zu %s # SKIP see the line above\n", i + 1, cases[i].name);
        else
            printf("%s %zu %s\n", status == 0 ? "ok" : "not ok", i + 1, cases[i].name);
        failed += status != 0 && !(WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED);
    }
    return failed != 0;
}
