/* SPDX-License-Identifier: MIT */
/*
 * Receives to be counted: how many instructions and system calls each one takes. counts.py runs this
 * under callgrind, which counts inside receive_counted() and send_counted() and writes what it has
 * at each row_ends(), and under strace, which sees the marks.
 *
 *     receives ROUNDS ROW...
 *
 * A row is KIND:CALL:LENGTH:ROOM, or with "+thread" behind it. KIND is udp or unix. In each round one
 * message of LENGTH bytes is sent, and received to its end by CALL into ROOM bytes. Every row is
 * played twice: first for the library to get to know the socket and the memory. The number of calls
 * of the second is printed.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define COUNTED __attribute__((noinline, noclone))

enum call { RECV, RECVFROM, READ, RECVMSG, SEND, WRITE };

struct row {
    bool is_unix, threaded;
    enum call call;
    size_t length, room;
};

struct ends {
    int from, to;
};

static char bytes[2 << 20], buffer[2 << 20];

COUNTED ssize_t receive_counted(enum call call, int fd, size_t room);
COUNTED ssize_t send_counted(enum call call, int fd, size_t length);
COUNTED void row_ends(void);

ssize_t receive_counted(enum call call, int fd, size_t room)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof(name);
    struct iovec iov = {buffer, room};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    switch (call) {
    case RECVFROM:
        return recvfrom(fd, buffer, room, 0, (struct sockaddr *)&name, &length);
    case READ:
        return read(fd, buffer, room);
    case RECVMSG:
        return recvmsg(fd, &msg, 0);
    default:
        return recv(fd, buffer, room, 0);
    }
}

ssize_t send_counted(enum call call, int fd, size_t length)
{
    return call == WRITE ? write(fd, bytes, length) : send(fd, bytes, length, 0);
}

void row_ends(void)
{
    __asm__ volatile("");
}

static void stop(const char *what)
{
    perror(what);
    exit(2);
}

static struct ends open_ends(bool is_unix)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(at);
    int room = 8 << 20, pair[2];

    if (is_unix) {
        if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0)
            stop("socketpair");
        setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
        return (struct ends){.from = pair[0], .to = pair[1]};
    }
    pair[0] = socket(AF_INET, SOCK_DGRAM, 0);
    pair[1] = socket(AF_INET, SOCK_DGRAM, 0);
    if (bind(pair[1], (struct sockaddr *)&at, sizeof(at)) != 0 ||
        getsockname(pair[1], (struct sockaddr *)&at, &length) != 0 ||
        connect(pair[0], (struct sockaddr *)&at, length) != 0)
        stop("sockets");
    return (struct ends){.from = pair[0], .to = pair[1]};
}

static bool parse(const char *text, struct row *ret_row)
{
    static const char *const calls[] = {"recv", "recvfrom", "read", "recvmsg", "send", "write"};
    char kind[8], call[16], more[16] = "";
    unsigned i = 0;

    if (sscanf(text, "%7[^:]:%15[^:]:%zu:%zu%15s", kind, call, &ret_row->length, &ret_row->room,
               more) < 4)
        return false;
    while (i < sizeof(calls) / sizeof(*calls) && strcmp(calls[i], call) != 0)
        i++;
    ret_row->call = (enum call)i;
    ret_row->is_unix = strcmp(kind, "unix") == 0;
    ret_row->threaded = strcmp(more, "+thread") == 0;
    return i < sizeof(calls) / sizeof(*calls);
}

static unsigned play(const struct row *row, struct ends ends, unsigned rounds)
{
    bool sends = row->call == SEND || row->call == WRITE;
    unsigned count = 0;

    for (unsigned i = 0; i < rounds; i++) {
        if ((sends ? send_counted(row->call, ends.from, row->length)
                   : send(ends.from, bytes, row->length, 0)) != (ssize_t)row->length)
            stop("send");
        for (size_t got = 0; got < row->length; count++) {
            ssize_t part = sends ? recv(ends.to, buffer, row->room, 0)
                                 : receive_counted(row->call, ends.to, row->room);

            if (part <= 0)
                stop("receive");
            got += (size_t)part;
        }
    }
    return count;
}

static void *sleep_on(void *tid)
{
    atomic_store((atomic_int *)tid, gettid());
    pause();
    return NULL;
}

/* Starts a thread, and returns when it sleeps: what it does before is in no row. */
static bool start_sleeper(void)
{
    static atomic_int tid;
    char path[64], text[512];
    pthread_t thread;
    bool sleeps = false;

    if (pthread_create(&thread, NULL, sleep_on, &tid) != 0)
        return false;
    while (!sleeps) {
        const char *state;
        FILE *file;

        usleep(1000);
        snprintf(path, sizeof path, "/proc/self/task/%d/stat", atomic_load(&tid));
        file = fopen(path, "r");
        if (!file)
            continue;
        state = fgets(text, sizeof text, file) ? strrchr(text, ')') : NULL;
        sleeps = state && state[2] == 'S';
        fclose(file);
    }
    return true;
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 2 ? (unsigned)atoi(argv[1]) : 0;
    bool has_thread = false;

    for (int i = 2; i < argc; i++) {
        struct row row = {0};
        struct ends ends;
        unsigned count;

        if (!parse(argv[i], &row))
            return 2;
        if (row.threaded && !has_thread && !start_sleeper())
            return 2;
        has_thread = has_thread || row.threaded;
        ends = open_ends(row.is_unix);
        play(&row, ends, rounds);
        row_ends();
        close(-1); /* the mark of strace */
        count = play(&row, ends, rounds);
        row_ends();
        close(-1);
        printf("%s %u\n", argv[i], count);
        fflush(stdout);
        close(ends.from);
        close(ends.to);
    }
    return 0;
}
