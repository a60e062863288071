/* SPDX-License-Identifier: MIT
 *
 * An ordinary program: what it does, it does by libc's functions alone, with buffers that are large
 * enough. Nothing is lost, and so the library has no reason to make a system call of its own: see
 * calls.py. `program CASE` exits with 0 if the case went as it must.
 *
 * The cases with "tail" in their names lose something: see program_tails.c.
 */
#define _GNU_SOURCE
#include "program.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

char **arguments;

/* --- receives ---------------------------------------------------------------------------- */

static void receive_by_all(struct pair pair)
{
    struct iovec iov[2] = {{room, SHORT}, {room + SHORT, ROOM - SHORT}};
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    struct msghdr header = {
        .msg_iov = iov, .msg_iovlen = 2, .msg_name = &name, .msg_namelen = sizeof name};
    struct mmsghdr several[2] = {{.msg_hdr = {.msg_iov = iov, .msg_iovlen = 2}}};

    for (int i = 0; i < 3; i++)
        take(pair);
    give(pair);
    MUST(read(pair.receiver, room, ROOM) == MESSAGE);
    give(pair);
    MUST(readv(pair.receiver, iov, 2) == MESSAGE);
    give(pair);
    MUST(recvfrom(pair.receiver, room, ROOM, 0, (struct sockaddr *)&name, &length) == MESSAGE);
    give(pair);
    MUST(recvmsg(pair.receiver, &header, 0) == MESSAGE && !(header.msg_flags & MSG_TRUNC));
    give(pair);
    MUST(recvmmsg(pair.receiver, several, 1, 0, NULL) == 1 && several[0].msg_len == MESSAGE);
    give(pair);
    MUST(recv(pair.receiver, room, ROOM, MSG_PEEK) == MESSAGE);
    MUST(recv(pair.receiver, room, ROOM, MSG_DONTWAIT) == MESSAGE);
    MUST(recv(pair.receiver, room, ROOM, MSG_DONTWAIT) == -1 && errno == EAGAIN);
    MUST(fcntl(pair.receiver, F_SETFL, O_NONBLOCK) == 0);
    MUST(read(pair.receiver, room, ROOM) == -1 && errno == EAGAIN);
    MUST(close(pair.receiver) == 0 && close(pair.sender) == 0);
}

static void case_udp4(void)
{
    receive_by_all(udp(AF_INET));
}

static void case_udp6(void)
{
    receive_by_all(udp(AF_INET6));
}

static void case_unix_datagram(void)
{
    receive_by_all(local(SOCK_DGRAM));
}

static void case_seqpacket(void)
{
    receive_by_all(local(SOCK_SEQPACKET));
}

static void case_stream(void)
{
    receive_by_all(local(SOCK_STREAM));
}

static void case_tcp_accepted(void)
{
    receive_by_all(accepted(AF_INET, SOCK_STREAM));
}

static void case_seqpacket_accepted(void)
{
    receive_by_all(accepted(AF_UNIX, SOCK_SEQPACKET));
}

static void case_no_sockets(void)
{
    int fds[2], file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    int event = eventfd(1, 0);
    uint64_t count;

    MUST(pipe(fds) == 0 && write(fds[1], message, MESSAGE) == MESSAGE);
    MUST(read(fds[0], room, SHORT) == SHORT && read(fds[0], room, ROOM) == MESSAGE - SHORT);
    MUST(read(file, room, 10) == 10 && pread(file, room, 10, 0) == 10);
    MUST(read(event, &count, sizeof count) == sizeof count);
    MUST(recv(file, room, ROOM, 0) == -1 && errno == ENOTSOCK);
    MUST(recv(777, room, ROOM, 0) == -1 && errno == EBADF);
    MUST(read(777, room, ROOM) == -1 && errno == EBADF);
}

static void case_number_used_again(void)
{
    struct pair first = udp(AF_INET), second;
    int file;

    take(first);
    MUST(close(first.receiver) == 0);
    file = open("/proc/self/status", O_RDONLY);
    MUST(file == first.receiver && read(file, room, 10) == 10 && close(file) == 0);
    second = local(SOCK_STREAM);
    MUST(second.receiver == file);
    take(second);
    MUST(close(second.receiver) == 0 && close(second.sender) == 0);
    second = udp(AF_INET6);
    take(second);
}

static void case_memory(void)
{
    struct pair pair = udp(AF_INET);

    for (int i = 0; i < 3; i++) {
        char *fresh = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        give(pair);
        MUST(recv(pair.receiver, fresh, ROOM, 0) == MESSAGE);
        give(pair);
        MUST(read(pair.receiver, fresh + 50000, ROOM) == MESSAGE);
        MUST(mprotect(fresh, 65536, PROT_READ) == 0);
        MUST(munmap(fresh, 65536) == 0);
        take(pair);
    }
}

static void case_errors(void)
{
    struct pair pair = udp(AF_INET);
    struct sockaddr_in nobody = {.sin_family = AF_INET, .sin_port = htons(1)};

    nobody.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    MUST(connect(pair.sender, (struct sockaddr *)&nobody, sizeof nobody) == 0);
    MUST(send(pair.sender, message, 10, 0) == 10);
    MUST(recv(pair.sender, room, ROOM, 0) == -1 && errno == ECONNREFUSED);
    MUST(shutdown(pair.sender, SHUT_RD) == 0);
    MUST(recv(pair.sender, room, ROOM, 0) == 0);
}

/* --- waits ------------------------------------------------------------------------------- */

static void case_poll_and_select(void)
{
    struct pair pair = udp(AF_INET);
    struct pollfd polled = {.fd = pair.receiver, .events = POLLIN};
    struct timespec second = {1, 0}, none = {0, 0};
    struct timeval tv = {1, 0};
    fd_set set;
    int waiting;

    MUST(poll(&polled, 1, 0) == 0 && ppoll(&polled, 1, &none, NULL) == 0);
    give(pair);
    MUST(poll(&polled, 1, 1000) == 1 && ppoll(&polled, 1, &second, NULL) == 1);
    FD_ZERO(&set);
    FD_SET(pair.receiver, &set);
    MUST(select(pair.receiver + 1, &set, NULL, NULL, &tv) == 1);
    MUST(pselect(pair.receiver + 1, &set, NULL, NULL, &second, NULL) == 1);
    MUST(ioctl(pair.receiver, FIONREAD, &waiting) == 0 && waiting == MESSAGE);
    MUST(recv(pair.receiver, room, ROOM, 0) == MESSAGE);
    MUST(poll(&polled, 1, 0) == 0);
}

static void epoll_by_all(struct pair pair, uint32_t manner)
{
    struct epoll_event event = {.events = EPOLLIN | manner, .data = {.fd = pair.receiver}};
    struct epoll_event events[4];
    struct timespec second = {1, 0};
    sigset_t none;
    int set = epoll_create1(EPOLL_CLOEXEC), old = epoll_create(1), timer = timerfd_create(0, 0);

    sigemptyset(&none);
    MUST(set >= 0 && old >= 0 && timer >= 0);
    MUST(epoll_ctl(set, EPOLL_CTL_ADD, pair.receiver, &event) == 0);
    MUST(epoll_ctl(set, EPOLL_CTL_ADD, timer, &event) == 0);
    MUST(epoll_ctl(set, EPOLL_CTL_ADD, pair.receiver, &event) == -1 && errno == EEXIST);
    MUST(epoll_wait(set, events, 4, 0) == 0);
    give(pair);
    MUST(epoll_wait(set, events, 4, 1000) == 1 && events[0].data.fd == pair.receiver);
    MUST(recv(pair.receiver, room, ROOM, 0) == MESSAGE);
    event.data.fd = pair.receiver;
    MUST(epoll_ctl(set, EPOLL_CTL_MOD, pair.receiver, &event) == 0);
    give(pair);
    MUST(epoll_pwait(set, events, 4, 1000, &none) == 1);
    MUST(recv(pair.receiver, room, ROOM, 0) == MESSAGE);
    MUST(epoll_ctl(set, EPOLL_CTL_MOD, pair.receiver, &event) == 0);
    give(pair);
    MUST(epoll_pwait2(set, events, 4, &second, NULL) == 1);
    MUST(recv(pair.receiver, room, ROOM, 0) == MESSAGE);
    MUST(epoll_ctl(set, EPOLL_CTL_DEL, pair.receiver, NULL) == 0);
    MUST(epoll_ctl(set, EPOLL_CTL_ADD, pair.receiver, &event) == 0);
    MUST(close(pair.receiver) == 0 && epoll_wait(set, events, 4, 0) == 0);
    MUST(close(set) == 0 && close(old) == 0);
}

static void case_epoll(void)
{
    epoll_by_all(udp(AF_INET), 0);
}

static void case_epoll_edge(void)
{
    epoll_by_all(local(SOCK_DGRAM), EPOLLET);
}

static void case_epoll_oneshot(void)
{
    epoll_by_all(local(SOCK_SEQPACKET), EPOLLONESHOT);
}

static void case_epoll_stream(void)
{
    epoll_by_all(accepted(AF_INET, SOCK_STREAM), 0);
}

static void case_epoll_among_copies(void)
{
    struct pair pair = udp(AF_INET);
    struct epoll_event event = {.events = EPOLLIN}, got;
    int set = epoll_create1(0), copy = dup(pair.receiver), outer = epoll_create1(0);

    MUST(epoll_ctl(set, EPOLL_CTL_ADD, pair.receiver, &event) == 0);
    MUST(epoll_ctl(set, EPOLL_CTL_ADD, copy, &event) == 0);
    MUST(epoll_ctl(outer, EPOLL_CTL_ADD, set, &event) == 0);
    give(pair);
    MUST(epoll_wait(outer, &got, 1, 1000) == 1);
    MUST(recv(copy, room, ROOM, 0) == MESSAGE);
    MUST(close(copy) == 0);
    MUST(epoll_wait(set, &got, 1, 0) == 0 && close(set) == 0 && close(outer) == 0);
}

/* Not a handler, which would come where it likes: the signal waits to be read. */
static void case_sigio(void)
{
    struct pair pair = udp(AF_INET);
    sigset_t io;
    int signals;

    sigemptyset(&io);
    sigaddset(&io, SIGIO);
    MUST(sigprocmask(SIG_BLOCK, &io, NULL) == 0);
    signals = signalfd(-1, &io, 0);
    MUST(fcntl(pair.receiver, F_SETOWN, getpid()) == 0);
    MUST(fcntl(pair.receiver, F_SETFL, O_ASYNC | O_NONBLOCK) == 0);
    give(pair);
    MUST(read(signals, room, ROOM) == sizeof(struct signalfd_siginfo));
    MUST(recv(pair.receiver, room, ROOM, 0) == MESSAGE);
}

/* --- descriptors ------------------------------------------------------------------------- */

static void case_copies(void)
{
    struct pair pair = udp(AF_INET);
    struct pair copies[] = {
        {dup(pair.receiver), pair.sender},
        {dup2(pair.receiver, 100), pair.sender},
        {dup3(pair.receiver, 101, O_CLOEXEC), pair.sender},
        {fcntl(pair.receiver, F_DUPFD, 102), pair.sender},
        {fcntl(pair.receiver, F_DUPFD_CLOEXEC, 103), pair.sender},
    };

    for (size_t i = 0; i < sizeof copies / sizeof *copies; i++)
        take(copies[i]);
    MUST(dup2(STDERR_FILENO, 100) == 100 && close(101) == 0);
    MUST(close_range(102, 200, 0) == 0);
    take(copies[0]);
    closefrom(50);
    take(pair);
}

static void case_passed(void)
{
    struct pair carrier = local(SOCK_STREAM), pair = udp(AF_INET), got = pair;
    char control[CMSG_SPACE(sizeof(int))] = {0}, byte = 'x';
    struct iovec iov = {&byte, 1};
    struct msghdr header = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);

    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(cmsg), &pair.receiver, sizeof(int));
    MUST(sendmsg(carrier.sender, &header, 0) == 1);
    MUST(recvmsg(carrier.receiver, &header, 0) == 1);
    memcpy(&got.receiver, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(int));
    take(got);
    MUST(close(pair.receiver) == 0);
    take(got);
}

/* --- processes and threads --------------------------------------------------------------- */

static void case_fork(void)
{
    struct pair pair = udp(AF_INET);
    int status;

    take(pair);
    if (fork() == 0) {
        take(pair);
        take(udp(AF_INET));
        MUST(close(pair.receiver) == 0);
        exit(0);
    }
    MUST(wait(&status) > 0 && status == 0);
    take(pair);
}

static void case_fork_with_epoll(void)
{
    struct pair pair = udp(AF_INET);
    struct epoll_event event = {.events = EPOLLIN}, got;
    int status, set = epoll_create1(0);

    MUST(epoll_ctl(set, EPOLL_CTL_ADD, pair.receiver, &event) == 0);
    if (fork() == 0) {
        give(pair);
        MUST(epoll_wait(set, &got, 1, 1000) == 1);
        MUST(recv(pair.receiver, room, ROOM, 0) == MESSAGE);
        MUST(epoll_ctl(set, EPOLL_CTL_DEL, pair.receiver, NULL) == 0);
        exit(0);
    }
    MUST(wait(&status) > 0 && status == 0);
    take(pair);
}

static void *take_in_thread(void *argument)
{
    struct pair *pair = argument;

    for (int i = 0; i < 5; i++)
        take(*pair);
    return NULL;
}

static void case_threads(void)
{
    struct pair pair = udp(AF_INET);
    pthread_t thread;

    for (int i = 0; i < 3; i++) {
        MUST(pthread_create(&thread, NULL, take_in_thread, &pair) == 0);
        MUST(pthread_join(thread, NULL) == 0);
        take(pair);
    }
}

/* A filter that allows everything. From now on the library makes the program's own calls. */
static void filter(void)
{
    struct sock_filter allow = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
    struct sock_fprog program = {1, &allow};

    MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void case_filter(void)
{
    struct pair before = udp(AF_INET);

    filter();
    receive_by_all(before);
    receive_by_all(udp(AF_INET6));
    receive_by_all(local(SOCK_SEQPACKET));
    case_passed();
    case_poll_and_select();
    case_no_sockets();
}

static void case_filter_and_copies(void)
{
    filter();
    case_copies();
}

static void case_filter_and_epoll(void)
{
    filter();
    epoll_by_all(udp(AF_INET), 0);
}

static void case_filter_and_fork(void)
{
    filter();
    case_fork();
}

static void case_filter_and_threads(void)
{
    filter();
    case_threads();
}

static void case_exec(void)
{
    struct pair pair = udp(AF_INET);

    take(pair);
    MUST(fcntl(pair.receiver, F_SETFD, FD_CLOEXEC) == 0);
    execl("/proc/self/exe", arguments[0], "udp4", NULL);
    MUST(!"exec");
}

/* The library has seen at start-up that it is a socket, and asks no more before it must: what kind
 * of socket, at its first receive. */
static void case_inherited(void)
{
    struct pair pair = udp(AF_INET);
    char receiver[20], sender[20];

    snprintf(receiver, sizeof receiver, "%d", pair.receiver);
    snprintf(sender, sizeof sender, "%d", pair.sender);
    execl("/proc/self/exe", arguments[0], "inherited-2", receiver, sender, NULL);
    MUST(!"exec");
}

static void case_inherited_2(void)
{
    struct pair pair = {atoi(arguments[2]), atoi(arguments[3])};

    for (int i = 0; i < 3; i++)
        take(pair);
}

static const struct {
    const char *name;
    void (*run)(void);
} CASES[] = {
    {"udp4", case_udp4},
    {"udp6", case_udp6},
    {"unix-datagram", case_unix_datagram},
    {"seqpacket", case_seqpacket},
    {"seqpacket-accepted", case_seqpacket_accepted},
    {"stream", case_stream},
    {"tcp-accepted", case_tcp_accepted},
    {"no-sockets", case_no_sockets},
    {"number-used-again", case_number_used_again},
    {"memory", case_memory},
    {"errors", case_errors},
    {"poll-and-select", case_poll_and_select},
    {"epoll", case_epoll},
    {"epoll-edge", case_epoll_edge},
    {"epoll-oneshot", case_epoll_oneshot},
    {"epoll-stream", case_epoll_stream},
    {"epoll-among-copies", case_epoll_among_copies},
    {"sigio", case_sigio},
    {"copies", case_copies},
    {"passed", case_passed},
    {"filter", case_filter},
    {"filter-and-copies", case_filter_and_copies},
    {"filter-and-epoll", case_filter_and_epoll},
    {"filter-and-fork", case_filter_and_fork},
    {"filter-and-threads", case_filter_and_threads},
    {"fork", case_fork},
    {"fork-with-epoll", case_fork_with_epoll},
    {"threads", case_threads},
    {"exec", case_exec},
    {"inherited", case_inherited},
    {"inherited-2", case_inherited_2},
    {"tail", case_tail},
    {"tail-in-waits", case_tail_in_waits},
    {"tail-in-epoll", case_tail_in_epoll},
    {"tail-in-epoll-edge", case_tail_in_epoll_edge},
    {"tail-in-epoll-nested", case_tail_in_epoll_nested},
    {"tail-at-exec", case_tail_at_exec},
    {"tail-at-end", case_tail_at_end},
};

int main(int argc, char **argv)
{
    arguments = argv;
    signal(SIGPIPE, SIG_IGN);
    alarm(50);
    for (size_t i = 0; argc > 1 && i < sizeof CASES / sizeof *CASES; i++)
        if (strcmp(argv[1], CASES[i].name) == 0) {
            CASES[i].run();
            return 0;
        }
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        puts(CASES[i].name);
    return 2;
}
