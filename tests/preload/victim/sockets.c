/* SPDX-License-Identifier: MIT */
/*
 * Makes pairs of a receiver and a sender, and sends. A send returns when its message stands in the
 * receiver's queue, so that no transcript needs to wait for one.
 */
#include "victim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../lib/pattern.h"

enum {
    EXPERIMENTAL_PROTOCOL = 253,     /* RFC 3692 */
    EXPERIMENTAL_ETHERTYPE = 0x88B5, /* IEEE 802, local experiments */
    ARRIVAL_MS = 5000,
    EXIT_SKIP = 77,
};

struct address {
    struct sockaddr_storage storage;
    socklen_t length;
};

static int passed_fd = -1;

bool sockets_is_passed(int fd)
{
    struct stat passed, other;

    return passed_fd >= 0 && fstat(passed_fd, &passed) == 0 && fstat(fd, &other) == 0 &&
           passed.st_ino == other.st_ino && passed.st_dev == other.st_dev;
}

/* What this machine cannot do is no verdict on the library: the runner reports it as skipped. */
static void __attribute__((noreturn)) skip(const char *what)
{
    fprintf(stderr, "SKIP: %s: %s\n", what, errno_name(errno));
    exit(EXIT_SKIP);
}

static int check(int result, const char *what)
{
    if (result < 0)
        victim_fail("%s: %s", what, errno_name(errno));
    return result;
}

static int move_up(int fd, int at_least)
{
    int moved = check((int)raw_syscall(SYS_fcntl, fd, F_DUPFD, at_least, 0, 0, 0), "F_DUPFD");

    raw_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
    return moved;
}

static struct address inet_address(int family, unsigned port)
{
    const struct sockaddr_in in = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
                                     .sin6_port = htons((uint16_t)port),
                                     .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct address address = {.length = family == AF_INET ? sizeof(in) : sizeof(in6)};

    /* Copied: gcc for 32 bits takes a pointer of another type for one that points elsewhere. */
    if (family == AF_INET)
        memcpy(&address.storage, &in, sizeof(in));
    else
        memcpy(&address.storage, &in6, sizeof(in6));
    return address;
}

/* With a path it is that file; otherwise an abstract name (unix(7)) of this process's own. */
static struct address unix_address(const char *path)
{
    static int number;
    struct address address = {.length = 0};
    struct sockaddr_un *un = (struct sockaddr_un *)&address.storage;
    int length;

    un->sun_family = AF_UNIX;
    if (path)
        length = snprintf(un->sun_path, sizeof(un->sun_path), "%s", path);
    else
        length = snprintf(un->sun_path + 1, sizeof(un->sun_path) - 1, "wsrx-victim-%d-%d", getpid(),
                          number++);
    if (length < 0 || (size_t)length >= sizeof(un->sun_path) - 1)
        victim_fail("the path is too long");
    address.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length + 1);
    return address;
}

static struct address own_address(int fd)
{
    struct address address = {.length = sizeof(address.storage)};

    if (getsockname(fd, (struct sockaddr *)&address.storage, &address.length) < 0)
        address.length = 0;
    return address;
}

static void bind_to(int fd, const struct address *address)
{
    if (bind(fd, (const struct sockaddr *)&address->storage, address->length) < 0) {
        if (errno == EADDRNOTAVAIL || errno == ENODEV)
            skip("bind");
        victim_fail("bind: %s", errno_name(errno));
    }
}

static void connect_to(int fd, const struct address *address)
{
    check(connect(fd, (const struct sockaddr *)&address->storage, address->length), "connect");
}

static int make_socket(int family, int type, int protocol, const char *what)
{
    int fd = socket(family, type, protocol);

    if (fd < 0)
        skip(what);
    return fd;
}

static void remember(struct variable *variable, bool udp)
{
    struct address address = own_address(variable->fd);

    variable->address = address.storage;
    variable->address_length = address.length;
    variable->udp = udp;
}

struct pair {
    int receiver, sender;
};

/* Receiver and sender bound, the sender connected to the receiver. */
static struct pair datagram_pair(int family, int type, int protocol, const struct address *receiver,
                                 const struct address *sender, bool connected, const char *what)
{
    struct pair pair;
    struct address address;
    int on = 1;

    pair.receiver = make_socket(family, type, protocol, what);
    /* Only for a port that the test names: with it the kernel may give one port to two programs. */
    if ((family == AF_INET || family == AF_INET6) &&
        ((const struct sockaddr_in *)&receiver->storage)->sin_port != 0)
        setsockopt(pair.receiver, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    bind_to(pair.receiver, receiver);
    pair.sender = make_socket(family, type, protocol, what);
    if (sender)
        bind_to(pair.sender, sender);
    address = own_address(pair.receiver);
    connect_to(pair.sender, &address);
    if (connected) {
        address = own_address(pair.sender);
        connect_to(pair.receiver, &address);
    }
    return pair;
}

static struct pair listening_pair(int family, int type, const struct address *receiver,
                                  const struct address *sender, const char *what)
{
    struct pair pair;
    struct address address;
    int listener = make_socket(family, type, 0, what);

    bind_to(listener, receiver);
    if (listen(listener, 1) < 0)
        skip(what);
    address = own_address(listener);
    pair.sender = make_socket(family, type, 0, what);
    if (sender)
        bind_to(pair.sender, sender);
    connect_to(pair.sender, &address);
    pair.receiver = check(accept(listener, NULL, NULL), "accept");
    raw_syscall(SYS_close, listener, 0, 0, 0, 0, 0);
    return pair;
}

static struct pair socket_pair(int type)
{
    int fds[2];

    check(socketpair(AF_UNIX, type, 0, fds), "socketpair");
    return (struct pair){fds[0], fds[1]};
}

static struct pair file_pair(void)
{
    char path[64];
    struct pair pair = {.sender = check(memfd_create("victim", 0), "memfd_create")};

    snprintf(path, sizeof(path), "/proc/self/fd/%d", pair.sender);
    pair.receiver = check(open(path, O_RDONLY), "open");
    return pair;
}

static struct pair pipe_pair(void)
{
    int fds[2];

    check(pipe(fds), "pipe");
    return (struct pair){fds[0], fds[1]};
}

static struct address netlink_address(void)
{
    struct address address = {.length = sizeof(struct sockaddr_nl)};

    address.storage.ss_family = AF_NETLINK;
    return address;
}

static struct address packet_address(void)
{
    struct address address = {.length = sizeof(struct sockaddr_ll)};
    struct sockaddr_ll *ll = (struct sockaddr_ll *)&address.storage;

    ll->sll_family = AF_PACKET;
    ll->sll_protocol = htons(EXPERIMENTAL_ETHERTYPE);
    ll->sll_ifindex = (int)if_nametoindex("lo");
    ll->sll_halen = 6;
    return address;
}

static struct pair packet_pair(void)
{
    struct address address = packet_address();
    struct pair pair;

    pair.receiver =
        make_socket(AF_PACKET, SOCK_DGRAM, htons(EXPERIMENTAL_ETHERTYPE), "packet socket");
    bind_to(pair.receiver, &address);
    pair.sender = make_socket(AF_PACKET, SOCK_DGRAM, 0, "packet socket");
    bind_to(pair.sender, &address);
    return pair;
}

static struct address vsock_address(void)
{
    struct address address = {.length = sizeof(struct sockaddr_vm)};
    struct sockaddr_vm *vm = (struct sockaddr_vm *)&address.storage;

    vm->svm_family = AF_VSOCK;
    vm->svm_cid = VMADDR_CID_LOCAL;
    vm->svm_port = VMADDR_PORT_ANY;
    return address;
}

static bool make_pair(const struct op *op, const char *kind, struct pair *ret, bool *ret_udp)
{
    const char *port = op_option(op, "port"), *path = op_option(op, "path");
    bool connected = op_flag(op, "connected");
    bool udp4 = strcmp(kind, "udp4") == 0, udp6 = strcmp(kind, "udp6") == 0;
    struct address receiver, sender;

    *ret_udp = udp4 || udp6;
    if (udp4 || udp6) {
        int family = udp4 ? AF_INET : AF_INET6;

        receiver = inet_address(family, port ? (unsigned)atoi(port) : 0);
        sender = inet_address(family, 0);
        *ret = datagram_pair(family, SOCK_DGRAM, 0, &receiver, &sender, connected, kind);
    } else if (strcmp(kind, "unix") == 0) {
        receiver = unix_address(path);
        sender = unix_address(NULL);
        *ret = datagram_pair(AF_UNIX, SOCK_DGRAM, 0, &receiver, &sender, connected, kind);
    } else if (strcmp(kind, "seqpacket") == 0) {
        receiver = unix_address(path);
        sender = unix_address(NULL);
        *ret = listening_pair(AF_UNIX, SOCK_SEQPACKET, &receiver, &sender, kind);
    } else if (strcmp(kind, "tcp4") == 0 || strcmp(kind, "tcp6") == 0) {
        int family = kind[3] == '4' ? AF_INET : AF_INET6;

        receiver = inet_address(family, 0);
        *ret = listening_pair(family, SOCK_STREAM, &receiver, NULL, kind);
    } else if (strcmp(kind, "vsock") == 0) {
        receiver = vsock_address();
        *ret = listening_pair(AF_VSOCK, SOCK_SEQPACKET, &receiver, NULL, kind);
    } else if (strcmp(kind, "unixpair") == 0) {
        *ret = socket_pair(SOCK_DGRAM);
    } else if (strcmp(kind, "seqpair") == 0) {
        *ret = socket_pair(SOCK_SEQPACKET);
    } else if (strcmp(kind, "streampair") == 0) {
        *ret = socket_pair(SOCK_STREAM);
    } else if (strcmp(kind, "netlink") == 0) {
        receiver = netlink_address();
        *ret = datagram_pair(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK, &receiver, NULL, false, kind);
    } else if (strcmp(kind, "rawip") == 0) {
        receiver = inet_address(AF_INET, 0);
        sender = inet_address(AF_INET, 0);
        *ret = datagram_pair(AF_INET, SOCK_RAW, EXPERIMENTAL_PROTOCOL, &receiver, &sender, false,
                             kind);
    } else if (strcmp(kind, "packet") == 0) {
        *ret = packet_pair();
    } else if (strcmp(kind, "pipe") == 0) {
        *ret = pipe_pair();
    } else if (strcmp(kind, "file") == 0) {
        *ret = file_pair();
    } else {
        return false;
    }
    return true;
}

static bool is_written(const char *kind)
{
    return strcmp(kind, "pipe") == 0 || strcmp(kind, "file") == 0;
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
    bool udp;

    if (!make_pair(op, kind, &pair, &udp))
        return false;
    receiver = variable_make(receiver_name);
    sender = variable_make(sender_name);
    sender->fd = pair.sender;
    /* The place may be the sender's number: move that one away first. */
    if (op_option(op, "at") && variable_fd(op_option(op, "at")) == pair.sender) {
        sender->fd = move_up(pair.sender, 64);
    }
    variable_place(receiver, pair.receiver, op_option(op, "at"));
    remember(receiver, udp);
    remember(sender, udp);
    sender->plain_write = is_written(kind);
    snprintf(sender->peer, sizeof(sender->peer), "%s", receiver->name);
    return true;
}

/* How much the receiver's queue holds, in whatever unit: it only has to grow. -1: cannot tell. */
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
        check(pipe(ends), "pipe");
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
    struct address lo = packet_address();

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
        skip("the kernel allows no send buffer of that size");
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
    struct address lo = inet_address(AF_INET, 0);
    long before = queued(socket);

    pattern_fill(data, messages_sent(length), 0, length);
    memset(data, 0, sizeof(struct icmphdr));
    data[0] = ICMP_ECHO;
    check((int)sendto(socket->fd, data, length, 0, (struct sockaddr *)&lo.storage, lo.length),
          "ping");
    await_arrival(socket, before);
    free(data);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);

    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        skip(path);
    raw_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
}

/* netns: a network of our own, where ping sockets are allowed */
static void enter_network(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd;

    if (unshare(CLONE_NEWNET) < 0)
        skip("a network namespace");
    fd = check(socket(AF_INET, SOCK_DGRAM, 0), "socket");
    check(ioctl(fd, SIOCSIFFLAGS, &request), "lo up");
    raw_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
    write_file("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
}

static void make_ping_socket(void)
{
    struct variable *variable = variable_make("r");

    variable->fd = make_socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP, "ping socket");
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
            check(setsockopt(fd, options[i].level, options[i].option, &value, sizeof(value)),
                  options[i].name);
}

static void connect_receiver(const struct op *op)
{
    struct variable *from = variable_find(op_name(op, 0, "r"));
    struct variable *to = variable_find(op_name(op, 1, "s"));

    check(connect(from->fd, (struct sockaddr *)&to->address, to->address_length), "connect");
    snprintf(from->peer, sizeof(from->peer), "%s", to->name);
}

static void set_timeout(const struct op *op)
{
    struct variable *variable = variable_find(op_name(op, 0, "r"));
    size_t ms = op_number_or(op, 0);
    struct timeval time = {.tv_sec = (time_t)(ms / 1000),
                           .tv_usec = (suseconds_t)(ms % 1000 * 1000)};

    variable->timeout_ms = (int)ms;
    check(setsockopt(variable->fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)), "SO_RCVTIMEO");
}

static void set_blocking(const struct op *op, bool blocking)
{
    int fd = variable_fd(op_name(op, 0, "r"));
    int flags = check((int)raw_syscall(SYS_fcntl, fd, F_GETFL, 0, 0, 0, 0), "F_GETFL");

    flags = blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
    check((int)raw_syscall(SYS_fcntl, fd, F_SETFL, flags, 0, 0, 0), "F_SETFL");
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
        check(shutdown(variable_fd(op_name(op, 0, "s")), SHUT_WR), "shutdown");
    else if (strcmp(name, "eventfd") == 0)
        variable_place(variable_make(op_name(op, 0, "r")), check(eventfd(3, 0), "eventfd"),
                       op_option(op, "at"));
    else
        return make(op);
    return true;
}
