/* SPDX-License-Identifier: MIT */
/*
 * Makes sockets and sends. A send returns when its message is in the receiver's queue, so that no
 * transcript needs to wait for one.
 */
#include "victim.h"

#include "pairs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../lib/pattern.h"

enum { ARRIVAL_MS = 5000 };

static int passed_fd = -1;

bool sockets_is_passed(int fd)
{
    struct stat passed, other;

    return passed_fd >= 0 && fstat(passed_fd, &passed) == 0 && fstat(fd, &other) == 0 &&
           passed.st_ino == other.st_ino && passed.st_dev == other.st_dev;
}

static int move_up(int fd, int at_least)
{
    int moved =
        victim_check((int)raw_syscall(SYS_fcntl, fd, F_DUPFD, at_least, 0, 0, 0), "F_DUPFD");

    raw_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
    return moved;
}

static void remember(struct variable *variable, bool udp)
{
    struct address address = address_own(variable->fd);

    variable->address = address.storage;
    variable->address_length = address.length;
    variable->udp = udp;
}

/* udp4 [RECEIVER SENDER] [at=PLACE] [port=N] [path=P] [connected], and the other kinds */
static bool make(const struct op *op)
{
    const char *kind = op->word[0], *first = op_name(op, 0, "r");
    bool named = strcmp(first, "connected") != 0 && op_name(op, 1, NULL);
    const char *receiver_name = named ? first : "r";
    const char *sender_name = named ? op_name(op, 1, "s") : "s";
    struct variable *receiver, *sender;
    struct pair pair;

    if (!pair_make(op, kind, &pair))
        return false;
    receiver = variable_make(receiver_name);
    sender = variable_make(sender_name);
    sender->fd = pair.sender;
    /* The place may be the sender's number: move that one away first. */
    if (op_option(op, "at") && variable_fd(op_option(op, "at")) == pair.sender)
        sender->fd = move_up(pair.sender, 64);
    variable_place(receiver, pair.receiver, op_option(op, "at"));
    remember(receiver, pair_is_udp(kind));
    remember(sender, pair_is_udp(kind));
    sender->plain_write = pair_is_written(kind);
    snprintf(sender->peer, sizeof(sender->peer), "%s", receiver->name);
    return true;
}

/* How much the receiver's queue holds, in whatever unit: it only has to grow. -1: unknown. */
static long queued(const struct variable *sender)
{
    const struct variable *receiver = sender->peer[0] ? variable_find(sender->peer) : NULL;
    unsigned memory[SK_MEMINFO_VARS];
    socklen_t length = sizeof(memory);
    int bytes;

    if (!receiver || receiver->fd < 0)
        return -1;
    if (!receiver->udp)
        return raw_syscall(SYS_ioctl, receiver->fd, FIONREAD, (long)&bytes, 0, 0, 0) < 0 ? -1
                                                                                         : bytes;
    if (getsockopt(receiver->fd, SOL_SOCKET, SO_MEMINFO, memory, &length) < 0)
        return -1;
    return (long)memory[SK_MEMINFO_RMEM_ALLOC];
}

static int socket_type(int fd)
{
    int type = -1;
    socklen_t length = sizeof(type);

    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length);
    return type;
}

/* UDP and TCP hand over in a softirq that may run later; everything else is synchronous. */
static void await_arrival(const struct variable *sender, long before)
{
    long long deadline = victim_now_ms() + ARRIVAL_MS;
    bool stream = !sender->plain_write && socket_type(sender->fd) == SOCK_STREAM;

    if (before < 0 || !(sender->udp || stream))
        return;
    while (queued(sender) == before) {
        if (victim_now_ms() > deadline)
            victim_fail("a message from %s did not arrive", sender->name);
        sched_yield();
    }
}

/* What goes over with fds=N: one pipe's end, N times. */
static int make_passed(void)
{
    int ends[2];

    if (passed_fd < 0) {
        /* High numbers, so that no transcript's numbers depend on them. */
        victim_check(pipe(ends), "pipe");
        passed_fd = move_up(ends[0], 200);
        raw_syscall(SYS_close, ends[1], 0, 0, 0, 0, 0);
    }
    return passed_fd;
}

/* by=sendmmsg, by=syscall: the other ways; else sendmsg(2). */
static ssize_t send_with_descriptors(int fd, const void *data, size_t length, int passed, int count,
                                     int flags, const char *by)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(16 * sizeof(int))];
    } control = {.head = {0}};
    struct iovec iov = {(void *)(uintptr_t)data, length};
    struct mmsghdr messages = {
        .msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control}};
    struct msghdr *message = &messages.msg_hdr;
    int fds[16];

    if (count > 16)
        victim_fail("too many descriptors");
    for (int i = 0; i < count; i++)
        fds[i] = passed;
    message->msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
    control.head.cmsg_level = SOL_SOCKET;
    control.head.cmsg_type = SCM_RIGHTS;
    control.head.cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    memcpy(CMSG_DATA(&control.head), fds, (size_t)count * sizeof(int));
    if (by && strcmp(by, "sendmmsg") == 0)
        return sendmmsg(fd, &messages, 1, flags) == 1 ? (ssize_t)messages.msg_len : -1;
    if (by && strcmp(by, "syscall") == 0)
        return syscall(SYS_sendmsg, fd, message, flags);
    return sendmsg(fd, message, flags);
}

static ssize_t deliver(const struct op *op, const struct variable *sender, unsigned char *data,
                       size_t length)
{
    const char *descriptors = op_option(op, "fds"), *passed = op_option(op, "pass");
    int flags = MSG_NOSIGNAL | (op_flag(op, "oob") ? MSG_OOB : 0);
    struct address lo = address_packet();

    if (sender->plain_write)
        return write(sender->fd, data, length);
    if (descriptors)
        return send_with_descriptors(sender->fd, data, length, make_passed(), atoi(descriptors),
                                     flags, NULL);
    if (passed)
        return send_with_descriptors(sender->fd, data, length, variable_fd(passed), 1, flags,
                                     op_option(op, "by"));
    if (sender->address.ss_family == AF_PACKET)
        return sendto(sender->fd, data, length, flags, (struct sockaddr *)&lo.storage, lo.length);
    return send(sender->fd, data, length, flags);
}

static void make_room(int fd, size_t length)
{
    int size = (int)(2 * length + 65536);

    if (length <= 65536)
        return;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

/* send N [from=SENDER] [fds=N] [pass=NAME] [oob] [taken]; taken: somebody waits for it, nothing to
 * watch */
static void do_send(const struct op *op, struct line *line)
{
    struct variable *sender = variable_find(op_option(op, "from") ? op_option(op, "from") : "s");
    size_t length = op_number_or(op, 0);
    unsigned char *data = malloc(length + 1);
    unsigned number = messages_sent(length);
    long before = queued(sender);
    ssize_t sent;

    pattern_fill(data, number, 0, length);
    make_room(sender->fd, length);
    sent = deliver(op, sender, data, length);
    if (sent < 0 && errno == EMSGSIZE && length > 65536)
        victim_skip("the kernel allows no send buffer of that size");
    if (sent != (ssize_t)length) {
        line_add(line, " -> ");
        line_result(line, sent, errno);
    } else if (!op_flag(op, "taken") && !(socket_type(sender->fd) == SOCK_STREAM && length == 0)) {
        await_arrival(sender, before);
    }
    free(data);
}

/* ping N: an echo request over a SOCK_DGRAM ICMP socket, to its own host */
static void do_ping(const struct op *op)
{
    struct variable *socket = variable_find("r");
    size_t length = op_number_or(op, 64);
    unsigned char *data = calloc(1, length);
    struct address lo = address_inet(AF_INET, 0);
    long before = queued(socket);

    pattern_fill(data, messages_sent(length), 0, length);
    memset(data, 0, sizeof(struct icmphdr));
    data[0] = ICMP_ECHO;
    victim_check(
        (int)sendto(socket->fd, data, length, 0, (struct sockaddr *)&lo.storage, lo.length),
        "ping");
    await_arrival(socket, before);
    free(data);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);

    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        victim_skip(path);
    raw_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
}

/* netns: a network of our own, where ping sockets are allowed */
static void enter_network(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd;

    if (unshare(CLONE_NEWNET) < 0)
        victim_skip("a network namespace");
    fd = victim_check(socket(AF_INET, SOCK_DGRAM, 0), "socket");
    victim_check(ioctl(fd, SIOCSIFFLAGS, &request), "lo up");
    raw_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
    write_file("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
}

static void make_ping_socket(void)
{
    struct variable *variable = variable_make("r");

    variable->fd = socket_make(AF_INET, SOCK_DGRAM, IPPROTO_ICMP, "ping socket");
    variable->udp = true;
    snprintf(variable->peer, sizeof(variable->peer), "r");
}

static void set_option(const struct op *op)
{
    static const struct {
        const char *name;
        int level, option;
    } options[] = {
        {"timestamp", SOL_SOCKET, SO_TIMESTAMP},      {"timestampns", SOL_SOCKET, SO_TIMESTAMPNS},
        {"passcred", SOL_SOCKET, SO_PASSCRED},        {"pktinfo", IPPROTO_IP, IP_PKTINFO},
        {"recverr", IPPROTO_IP, IP_RECVERR},          {"recvttl", IPPROTO_IP, IP_RECVTTL},
        {"pktinfo6", IPPROTO_IPV6, IPV6_RECVPKTINFO}, {"peekoff", SOL_SOCKET, SO_PEEK_OFF},
    };
    const char *on = op_option(op, "on");
    int fd = variable_fd(on ? on : "r");
    int value = (int)op_number_or(op, 1);

    for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
        if (op_flag(op, options[i].name))
            victim_check(setsockopt(fd, options[i].level, options[i].option, &value, sizeof(value)),
                         options[i].name);
}

static void connect_receiver(const struct op *op)
{
    struct variable *from = variable_find(op_name(op, 0, "r"));
    struct variable *to = variable_find(op_name(op, 1, "s"));

    victim_check(connect(from->fd, (struct sockaddr *)&to->address, to->address_length), "connect");
    snprintf(from->peer, sizeof(from->peer), "%s", to->name);
}

static void set_timeout(const struct op *op)
{
    struct variable *variable = variable_find(op_name(op, 0, "r"));
    size_t ms = op_number_or(op, 0);
    struct timeval time = {.tv_sec = (time_t)(ms / 1000),
                           .tv_usec = (suseconds_t)(ms % 1000 * 1000)};

    variable->timeout_ms = (int)ms;
    victim_check(setsockopt(variable->fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)),
                 "SO_RCVTIMEO");
}

static void set_blocking(const struct op *op, bool blocking)
{
    int fd = variable_fd(op_name(op, 0, "r"));
    int flags = victim_check((int)raw_syscall(SYS_fcntl, fd, F_GETFL, 0, 0, 0, 0), "F_GETFL");

    flags = blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
    victim_check((int)raw_syscall(SYS_fcntl, fd, F_SETFL, flags, 0, 0, 0), "F_SETFL");
}

static void set_receive_room(const struct op *op)
{
    int fd = variable_fd(op_name(op, 0, "r"));
    int size = (int)op_number_or(op, 1 << 22);

    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

bool sockets_operation(const struct op *op, struct line *line)
{
    const char *name = op->word[0];

    if (strcmp(name, "send") == 0)
        do_send(op, line);
    else if (strcmp(name, "ping") == 0)
        do_ping(op);
    else if (strcmp(name, "netns") == 0)
        enter_network();
    else if (strcmp(name, "icmp") == 0)
        make_ping_socket();
    else if (strcmp(name, "set") == 0)
        set_option(op);
    else if (strcmp(name, "connect") == 0)
        connect_receiver(op);
    else if (strcmp(name, "nonblock") == 0)
        set_blocking(op, false);
    else if (strcmp(name, "block") == 0)
        set_blocking(op, true);
    else if (strcmp(name, "timeout") == 0)
        set_timeout(op);
    else if (strcmp(name, "rcvbuf") == 0)
        set_receive_room(op);
    else if (strcmp(name, "shutdown") == 0)
        victim_check(shutdown(variable_fd(op_name(op, 0, "s")), SHUT_WR), "shutdown");
    else if (strcmp(name, "eventfd") == 0)
        variable_place(variable_make(op_name(op, 0, "r")), victim_check(eventfd(3, 0), "eventfd"),
                       op_option(op, "at"));
    else
        return make(op);
    return true;
}
