/* SPDX-License-Identifier: MIT */
#include "pairs.h"

#include "victim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    EXPERIMENTAL_PROTOCOL = 253,     /* RFC 3692 */
    EXPERIMENTAL_ETHERTYPE = 0x88B5, /* IEEE 802, local experiments */
};

/* --- addresses --------------------------------------------------------------------------- */

struct address address_inet(int family, unsigned port)
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
static struct address address_unix(const char *path)
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

struct address address_own(int fd)
{
    struct address address = {.length = sizeof(address.storage)};

    if (getsockname(fd, (struct sockaddr *)&address.storage, &address.length) < 0)
        address.length = 0;
    return address;
}

static struct address address_netlink(void)
{
    struct address address = {.length = sizeof(struct sockaddr_nl)};

    address.storage.ss_family = AF_NETLINK;
    return address;
}

static struct address address_vsock(void)
{
    struct address address = {.length = sizeof(struct sockaddr_vm)};
    struct sockaddr_vm *vm = (struct sockaddr_vm *)&address.storage;

    vm->svm_family = AF_VSOCK;
    vm->svm_cid = VMADDR_CID_LOCAL;
    vm->svm_port = VMADDR_PORT_ANY;
    return address;
}

struct address address_packet(void)
{
    struct address address = {.length = sizeof(struct sockaddr_ll)};
    struct sockaddr_ll *ll = (struct sockaddr_ll *)&address.storage;

    ll->sll_family = AF_PACKET;
    ll->sll_protocol = htons(EXPERIMENTAL_ETHERTYPE);
    ll->sll_ifindex = (int)if_nametoindex("lo");
    ll->sll_halen = 6;
    return address;
}

static void bind_to(int fd, const struct address *address)
{
    if (bind(fd, (const struct sockaddr *)&address->storage, address->length) < 0) {
        if (errno == EADDRNOTAVAIL || errno == ENODEV)
            victim_skip("bind");
        victim_fail("bind: %s", errno_name(errno));
    }
}

static void connect_to(int fd, const struct address *address)
{
    victim_check(connect(fd, (const struct sockaddr *)&address->storage, address->length),
                 "connect");
}

int socket_make(int family, int type, int protocol, const char *what)
{
    int fd = socket(family, type, protocol);

    if (fd < 0)
        victim_skip(what);
    return fd;
}

/* --- kinds ------------------------------------------------------------------------------- */

struct kind {
    const char *name;
    struct pair (*make)(const struct kind *kind, const struct op *op);
    int family, type, protocol;
    bool sender_is_bound;
};

/* path=P and port=N are the receiver's: the sender has no op. */
static struct address address_of(const struct kind *kind, const struct op *op)
{
    const char *port = op ? op_option(op, "port") : NULL;

    switch (kind->family) {
    case AF_UNIX:
        return address_unix(op ? op_option(op, "path") : NULL);
    case AF_NETLINK:
        return address_netlink();
    case AF_VSOCK:
        return address_vsock();
    default:
        return address_inet(kind->family, port ? (unsigned)atoi(port) : 0);
    }
}

/* The receiver is bound, and the sender connected to it; with the option "connected" the receiver is
 * connected to the sender, too. */
static struct pair datagrams(const struct kind *kind, const struct op *op)
{
    const char *port = op_option(op, "port");
    struct address receiver = address_of(kind, op), sender, name;
    struct pair pair;
    int on = 1;

    pair.receiver = socket_make(kind->family, kind->type, kind->protocol, kind->name);
    /* Only for a port that the test names: with it the kernel may give one port to two programs. */
    if (port)
        setsockopt(pair.receiver, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    bind_to(pair.receiver, &receiver);
    pair.sender = socket_make(kind->family, kind->type, kind->protocol, kind->name);
    if (kind->sender_is_bound) {
        sender = address_of(kind, NULL);
        bind_to(pair.sender, &sender);
    }
    name = address_own(pair.receiver);
    connect_to(pair.sender, &name);
    if (op_flag(op, "connected")) {
        name = address_own(pair.sender);
        connect_to(pair.receiver, &name);
    }
    return pair;
}

static struct pair connection(const struct kind *kind, const struct op *op)
{
    int listener = socket_make(kind->family, kind->type, 0, kind->name);
    struct address receiver = address_of(kind, op), sender, name;
    struct pair pair;

    bind_to(listener, &receiver);
    if (listen(listener, 1) < 0)
        victim_skip(kind->name);
    name = address_own(listener);
    pair.sender = socket_make(kind->family, kind->type, 0, kind->name);
    if (kind->sender_is_bound) {
        sender = address_of(kind, NULL);
        bind_to(pair.sender, &sender);
    }
    connect_to(pair.sender, &name);
    pair.receiver = victim_check(accept(listener, NULL, NULL), "accept");
    raw_syscall(SYS_close, listener, 0, 0, 0, 0, 0);
    return pair;
}

static struct pair socket_pair(const struct kind *kind, const struct op *op)
{
    int fds[2];

    (void)op;
    victim_check(socketpair(AF_UNIX, kind->type, 0, fds), "socketpair");
    return (struct pair){fds[0], fds[1]};
}

static struct pair packets(const struct kind *kind, const struct op *op)
{
    struct address address = address_packet();
    struct pair pair;

    (void)op;
    pair.receiver =
        socket_make(AF_PACKET, kind->type, htons((uint16_t)kind->protocol), "packet socket");
    bind_to(pair.receiver, &address);
    pair.sender = socket_make(AF_PACKET, kind->type, 0, "packet socket");
    bind_to(pair.sender, &address);
    return pair;
}

static struct pair file_pair(const struct kind *kind, const struct op *op)
{
    char path[64];
    struct pair pair = {.sender = victim_check(memfd_create("victim", 0), "memfd_create")};

    (void)kind;
    (void)op;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", pair.sender);
    pair.receiver = victim_check(open(path, O_RDONLY), "open");
    return pair;
}

static struct pair pipe_pair(const struct kind *kind, const struct op *op)
{
    int fds[2];

    (void)kind;
    (void)op;
    victim_check(pipe(fds), "pipe");
    return (struct pair){fds[0], fds[1]};
}

/* clang-format off */
static const struct kind kinds[] = {
    {"udp4", datagrams, AF_INET, SOCK_DGRAM, 0, true},
    {"udp6", datagrams, AF_INET6, SOCK_DGRAM, 0, true},
    {"unix", datagrams, AF_UNIX, SOCK_DGRAM, 0, true},
    {"rawip", datagrams, AF_INET, SOCK_RAW, EXPERIMENTAL_PROTOCOL, true},
    {"netlink", datagrams, AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK, false},
    {"seqpacket", connection, AF_UNIX, SOCK_SEQPACKET, 0, true},
    {"tcp4", connection, AF_INET, SOCK_STREAM, 0, false},
    {"tcp6", connection, AF_INET6, SOCK_STREAM, 0, false},
    {"vsock", connection, AF_VSOCK, SOCK_SEQPACKET, 0, false},
    {"unixpair", socket_pair, AF_UNIX, SOCK_DGRAM, 0, false},
    {"seqpair", socket_pair, AF_UNIX, SOCK_SEQPACKET, 0, false},
    {"streampair", socket_pair, AF_UNIX, SOCK_STREAM, 0, false},
    {"packet", packets, AF_PACKET, SOCK_DGRAM, EXPERIMENTAL_ETHERTYPE, false},
    {"pipe", pipe_pair, 0, 0, 0, false},
    {"file", file_pair, 0, 0, 0, false},
};
/* clang-format on */

bool pair_make(const struct op *op, const char *kind, struct pair *ret_pair)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        if (strcmp(kinds[i].name, kind) != 0)
            continue;
        *ret_pair = kinds[i].make(&kinds[i], op);
        return true;
    }
    return false;
}

bool pair_is_udp(const char *kind)
{
    return strcmp(kind, "udp4") == 0 || strcmp(kind, "udp6") == 0;
}

bool pair_is_written(const char *kind)
{
    return strcmp(kind, "pipe") == 0 || strcmp(kind, "file") == 0;
}
