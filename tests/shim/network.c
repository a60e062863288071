/* SPDX-License-Identifier: MIT */
/* The error codes that need root: a network namespace, or a connection destroyed by ss -K. */
#define _GNU_SOURCE
#include "case.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* In a network namespace of the case's own. */
static void set_loopback_up(bool up)
{
    struct ifreq request = {.ifr_name = "lo"};
    int control = socket(AF_INET, SOCK_DGRAM, 0);

    CHECK(ioctl(control, SIOCGIFFLAGS, &request) == 0);
    request.ifr_flags = (short)(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
    CHECK(ioctl(control, SIOCSIFFLAGS, &request) == 0);
    close(control);
}

static void leave_network(void)
{
    if (unshare(CLONE_NEWNET) != 0)
        case_skip("a network namespace needs root");
    set_loopback_up(true);
}

/* A socket whose packets come through a ring in shared memory, so that it has no receive that
 * waits; or the parent socket of the kernel's crypto interface, which has none at all. */
static void eopnotsupp(void)
{
    const char *area =
        mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct xdp_umem_reg memory = {.addr = (uintptr_t)area, .len = 1 << 16, .chunk_size = 4096};
    struct sockaddr_xdp name = {.sxdp_family = AF_XDP, .sxdp_flags = XDP_COPY};
    int count = 8, fd;

    leave_network();
    fd = socket(AF_XDP, SOCK_RAW, 0);
    if (fd < 0) {
        fd = socket(AF_ALG, SOCK_SEQPACKET, 0);
        if (fd < 0)
            case_skip("neither AF_XDP nor AF_ALG in this kernel");
    } else {
        name.sxdp_ifindex = if_nametoindex("lo");
        CHECK(setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &memory, sizeof memory) == 0);
        CHECK(setsockopt(fd, SOL_XDP, XDP_UMEM_FILL_RING, &count, sizeof count) == 0);
        CHECK(setsockopt(fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, &count, sizeof count) == 0);
        CHECK(setsockopt(fd, SOL_XDP, XDP_RX_RING, &count, sizeof count) == 0);
        CHECK(bind(fd, (struct sockaddr *)&name, sizeof name) == 0);
    }
    fails(fd, buffer, 10, WSAEOPNOTSUPP);
}

/* A packet socket on an interface that goes down. */
static void enetdown(void)
{
    struct sockaddr_ll name = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    int fd;

    leave_network();
    fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL));
    name.sll_ifindex = (int)if_nametoindex("lo");
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof name) == 0);
    set_loopback_up(false);
    fails(fd, buffer, 10, WSAENETDOWN);
}

/* From now on the peer gets nothing, and so answers nothing: as if its machine were gone. */
static void silence(int fd)
{
    struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {1, &drop};

    CHECK(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0);
}

/* A keep-alive that is not answered. */
static void enetreset(void)
{
    int on = 1;

    open_tcp();
    CHECK(setsockopt(in, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) == 0);
    CHECK(setsockopt(in, IPPROTO_TCP, TCP_KEEPIDLE, &on, sizeof on) == 0);
    CHECK(setsockopt(in, IPPROTO_TCP, TCP_KEEPINTVL, &on, sizeof on) == 0);
    CHECK(setsockopt(in, IPPROTO_TCP, TCP_KEEPCNT, &on, sizeof on) == 0);
    silence(out);
    fails(in, buffer, 10, WSAENETRESET);
}

/* Data that is not answered, which is no matter of keep-alives. */
static void etimedout_of_data(void)
{
    int on = 1, limit = 500;

    open_tcp();
    CHECK(setsockopt(in, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) == 0);
    CHECK(setsockopt(in, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof limit) == 0);
    silence(out);
    CHECK(send(in, "x", 1, 0) == 1);
    fails(in, buffer, 10, WSAETIMEDOUT);
}

static void econnaborted(void)
{
    struct sockaddr_in local, peer;
    socklen_t length = sizeof local;
    char line[200];

    if (geteuid() != 0 || access("/usr/bin/ss", X_OK) != 0)
        case_skip("ss -K needs root, and iproute2");
    open_tcp();
    CHECK(getsockname(in, (struct sockaddr *)&local, &length) == 0);
    CHECK(getpeername(in, (struct sockaddr *)&peer, &length) == 0);
    snprintf(line, sizeof line,
             "/usr/bin/ss -K src 127.0.0.1:%d dst 127.0.0.1:%d 2>/dev/null |"
             " grep -q ESTAB",
             ntohs(local.sin_port), ntohs(peer.sin_port));
    if (system(line) != 0)
        case_skip("this kernel destroys no sockets (CONFIG_INET_DIAG_DESTROY)");
    fails(in, buffer, 10, WSAECONNABORTED);
}

/* Nobody keeps a raw socket's tail, so MSG_PARTIAL must not promise it. */
static void unkept(void)
{
    int fd, flags;

    leave_network(); /* it hears every datagram of the network */
    fd = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
    CHECK(fd >= 0);
    open_udp(AF_INET);
    put(1, 3000);
    fails(fd, buffer, 100, WSAEMSGSIZE);
    put(1, 100);
    CHECK(WSARecvEx(fd, buffer, 4000, &flags) == 128 && flags == 0);
}

const struct shim_case cases[] = {
    {"WSAECONNABORTED", econnaborted},
    {"WSAEOPNOTSUPP", eopnotsupp},
    {"WSAENETDOWN", enetdown},
    {"WSAENETRESET", enetreset},
    {"WSAETIMEDOUT, of data", etimedout_of_data},
    {"WSAEMSGSIZE where nobody keeps the rest", unkept},
};
const size_t case_count = sizeof cases / sizeof *cases;
