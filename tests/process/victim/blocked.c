/* SPDX-License-Identifier: MIT */
/*
 * Whoever is stopped, or reads too slowly, stops one receive at most: a full stderr, and a process
 * that has been stopped with the record lock of a socket.
 *
 * Under a name that begins with "wine" the program is taken for Wine, for which sockets are locked.
 */
#include "../../lib/pattern.h"
#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the library knows Wine's loader by. */
extern const int wine_main_preload_info;
__attribute__((visibility("default"))) const int wine_main_preload_info = 1;

enum { STARVED = 20 }; /* seconds after which it is hopeless */

/* A child does not outlive a test that has failed. */
static pid_t fork_child(void)
{
    pid_t child = fork();

    EXPECT(child >= 0);
    if (child == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    return child;
}

static void pause_ms(unsigned ms)
{
    usleep(ms * 1000);
}

/* --- a full stderr ----------------------------------------------------------------------- */

/* Begins anew with a stderr that takes no more, as a terminal that was stopped by ^S: the library
 * writes only to the stderr that it was started with. */
static void begin_with_full_stderr(const char *scenario)
{
    char bytes[4096] = {0};
    int end[2];

    EXPECT(pipe(end) == 0 && fcntl(end[1], F_SETFL, O_NONBLOCK) == 0);
    while (write(end[1], bytes, sizeof bytes) > 0)
        continue;
    while (write(end[1], bytes, 1) > 0)
        continue;
    EXPECT(errno == EAGAIN && fcntl(end[1], F_SETFL, 0) == 0);
    EXPECT(dup2(end[1], STDERR_FILENO) == STDERR_FILENO);
    close(end[1]);
    execl(program_invocation_name, program_invocation_name, scenario, NULL); /* with the reader */
    _exit(127);
}

static atomic_uint receives;
static atomic_bool enough;

static void *receive_on(void *context)
{
    const struct link *link = context;
    char byte;

    while (!enough) {
        recv(link->r, &byte, 1, MSG_DONTWAIT);
        receives++;
        pause_ms(5);
    }
    return NULL;
}

/* Whether the thread of receive_on() has been where it is for a while. */
static bool is_blocked(void)
{
    unsigned before = receives;

    pause_ms(500);
    return receives == before;
}

/* A message of which a part is held goes to a program that knows of no library. */
static void let_steal(const struct link *link)
{
    pid_t child = fork();

    if (child == 0) {
        unsetenv("LD_PRELOAD");
        dup2(fcntl(link->r, F_DUPFD, 5), 3); /* 3 may be itself, and closed by exec */
        execl(program_invocation_name, program_invocation_name, "steal", NULL);
        _exit(127);
    }
    expect_end(child);
}

static void steal(void)
{
    char bytes[3000];

    EXPECT(recv(3, bytes, sizeof bytes, MSG_DONTWAIT) == sizeof bytes);
    _exit(0);
}

static void full_stderr(void)
{
    begin_with_full_stderr("full-stderr-begun");
}

static void full_stderr_begun(void)
{
    enum { LOOKS = 5 }; /* until the message is given up as stolen, and reported */
    struct link stolen = link_make(LINK_UNIX), other = link_make(LINK_UNIX);
    pthread_t thread;

    alarm(STARVED);
    link_leave_tail(&stolen, 1);
    let_steal(&stolen);
    EXPECT(pthread_create(&thread, NULL, receive_on, &stolen) == 0);
    for (int i = 0; i < LOOKS; i++) {
        link_leave_tail(&other, 2);
        expect_tail(other.r, 2);
        EXPECT(!is_blocked());
    }
    enough = true;
    EXPECT(pthread_join(thread, NULL) == 0);
}

static void *leave_tail(void *context)
{
    link_leave_tail(context, 1);
    receives++;
    return NULL;
}

/* The library's word about epoll comes while it looks after the sets. */
static void full_stderr_epoll(void)
{
    begin_with_full_stderr("full-stderr-epoll-begun");
}

static void full_stderr_epoll_begun(void)
{
    struct link link = link_make(LINK_UDP), other = link_make(LINK_UDP);
    struct epoll_event event = {EPOLLIN, {.u64 = 5}};
    int set = epoll_create1(0), next = dup(set);
    struct rlimit no_more = {(rlim_t)next, (rlim_t)next};
    pthread_t thread;

    alarm(STARVED);
    EXPECT(set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, link.r, &event) == 0);
    EXPECT(close(next) == 0 && setrlimit(RLIMIT_NOFILE, &no_more) == 0);
    EXPECT(pthread_create(&thread, NULL, leave_tail, &link) == 0);
    EXPECT(pthread_join(thread, NULL) == 0 && receives == 1);
    EXPECT(epoll_ctl(set, EPOLL_CTL_ADD, other.r, &event) == 0);
    expect_tail(link.r, 1);
}

/* --- a record lock ----------------------------------------------------------------------- */

static ssize_t receive(int fd, void *bytes, size_t size)
{
    struct iovec iov = {bytes, size};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    return recvmsg(fd, &msg, MSG_DONTWAIT);
}

static void expect_received(int fd, size_t size, unsigned message, size_t offset)
{
    unsigned char expected[3000], bytes[3000];

    pattern_fill(expected, message, offset, size);
    EXPECT(receive(fd, bytes, size) == (ssize_t)size && memcmp(bytes, expected, size) == 0);
}

/* A process that shares the socket has its lock, and has been stopped. */
static pid_t stop_with_lock(int fd)
{
    pid_t child = fork_child();
    int status;

    if (child == 0) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

        if (fcntl(fd, F_SETLK, &lock) == 0)
            raise(SIGSTOP);
        _exit(1);
    }
    EXPECT(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    return child;
}

static void *receive_locked(void *context)
{
    char bytes[1000];

    errno = 0;
    if (receive(*(int *)context, bytes, sizeof bytes) != -1 || errno != EAGAIN)
        return "not EAGAIN";
    return NULL;
}

static void locked_socket(void)
{
    struct link link = link_make(LINK_UDP), other = link_make(LINK_UDP);
    pthread_t thread;
    void *otherwise;
    pid_t child;

    alarm(STARVED);
    link_send(&link, 1, 3000);
    child = stop_with_lock(link.r);
    for (unsigned round = 0; round < 3; round++) {
        EXPECT(pthread_create(&thread, NULL, receive_locked, &link.r) == 0);
        pause_ms(20);
        link_send(&other, round, 3000);
        expect_received(other.r, 1000, round, 0);
        expect_received(other.r, 2000, round, 1000);
        EXPECT(pthread_join(thread, &otherwise) == 0);
        if (otherwise)
            fail("%s", (char *)otherwise);
    }
    EXPECT(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    expect_received(link.r, 1000, 1, 0);
    expect_received(link.r, 1000, 1, 1000);
    expect_received(link.r, 1000, 1, 2000);
    expect_nothing(link.r);
}

/* Two programs that know of each other by nothing but the socket. */

enum { TAKERS = 2, ROUNDS = 40, MESSAGES = 50, PARTS = 8 };

struct piece {
    uint32_t message, part;
};

static void take(void)
{
    struct pollfd wait = {.fd = 3, .events = POLLIN};
    struct piece piece;

    for (;;) {
        ssize_t got;

        poll(&wait, 1, -1);
        got = receive(3, &piece, sizeof piece);
        EXPECT(got == sizeof piece || (got == -1 && errno == EAGAIN));
        if (got > 0)
            EXPECT(write(4, &piece, sizeof piece) == sizeof piece);
    }
}

static pid_t start_taker(int socket, int to)
{
    pid_t child = fork_child();

    if (child == 0) {
        socket = fcntl(socket, F_DUPFD, 5);
        to = fcntl(to, F_DUPFD, 5);
        if (dup2(socket, 3) == 3 && dup2(to, 4) == 4)
            execl(program_invocation_name, program_invocation_name, "take", NULL);
        _exit(127);
    }
    return child;
}

/* Every other message fits: for that one a receive has no need of the next one's parts. */
static uint32_t parts_of(uint32_t message)
{
    return message % 2 ? 1 : PARTS;
}

static void expect_all_parts(const struct link *link, int from)
{
    unsigned seen[MESSAGES][PARTS] = {{0}}, left = 0;

    for (uint32_t message = 0; message < MESSAGES; message++) {
        struct piece whole[PARTS];
        size_t size = parts_of(message) * sizeof *whole;

        for (uint32_t part = 0; part < PARTS; part++)
            whole[part] = (struct piece){message, part};
        EXPECT(send(link->s, whole, size, 0) == (ssize_t)size);
        left += parts_of(message);
    }
    for (; left > 0; left--) {
        struct pollfd wait = {.fd = from, .events = POLLIN};
        struct piece piece;

        if (poll(&wait, 1, 1000 + 1000 * (int)scenario_number) != 1)
            fail("%u parts are missing", left);
        EXPECT(read(from, &piece, sizeof piece) == sizeof piece);
        EXPECT(piece.message < MESSAGES && piece.part < parts_of(piece.message));
        if (seen[piece.message][piece.part]++ > 0)
            fail("a part came twice");
    }
}

static void shared_parts(void)
{
    struct link link = link_make(LINK_UDP);
    pid_t taker[TAKERS];
    int end[2];

    alarm(STARVED);
    EXPECT(pipe2(end, O_CLOEXEC) == 0);
    for (unsigned i = 0; i < TAKERS; i++)
        taker[i] = start_taker(link.r, end[1]);
    for (unsigned round = 0; round < ROUNDS; round++)
        expect_all_parts(&link, end[0]);
    for (unsigned i = 0; i < TAKERS; i++)
        EXPECT(kill(taker[i], SIGKILL) == 0 && waitpid(taker[i], NULL, 0) == taker[i]);
}

enum { SINGLE_MESSAGES = 1000 };

/* Each as soon as the one before has been received. It does not sleep: whoever wakes up on the
 * receiver's processor finds it between two receives, and never within one. */
static void send_one_by_one(const struct link *link, const atomic_uint *received)
{
    for (unsigned message = 0; message < SINGLE_MESSAGES; message++) {
        while (atomic_load(received) < message)
            sched_yield();
        link_send(link, message, 3000);
    }
    _exit(0);
}

/* A message that comes between the look at an empty queue and the receive is not cut. */
static void into_empty_queue(void)
{
    struct link link = link_make(LINK_UDP);
    unsigned char bytes[1000];
    atomic_uint *received;
    pid_t sender;

    alarm(STARVED);
    received =
        mmap(NULL, sizeof *received, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT(received != MAP_FAILED);
    sender = fork_child();
    if (sender == 0)
        send_one_by_one(&link, received);
    for (unsigned message = 0; message < SINGLE_MESSAGES; message++) {
        for (size_t offset = 0; offset < 3000; offset += sizeof bytes) {
            while (receive(link.r, bytes, sizeof bytes) == -1 && errno == EAGAIN)
                EXPECT(offset == 0); /* the rest of a message is there at once */
            EXPECT(pattern_match(bytes, sizeof bytes, message, offset, 3000) == sizeof bytes);
        }
        atomic_store(received, message + 1);
    }
    EXPECT(waitpid(sender, NULL, 0) == sender);
}

const struct scenario_entry blocked_scenarios[] = {
    {"full-stderr", full_stderr},
    {"full-stderr-begun", full_stderr_begun},
    {"full-stderr-epoll", full_stderr_epoll},
    {"full-stderr-epoll-begun", full_stderr_epoll_begun},
    {"steal", steal},
    {"locked-socket", locked_socket},
    {"shared-parts", shared_parts},
    {"into-empty-queue", into_empty_queue},
    {"take", take},
    {NULL, NULL},
};
