/* SPDX-License-Identifier: MIT
 *
 * WSARecvEx on descriptors, and the resolver. Each case runs in a process of its own, with a limit.
 */
#include "wsrx-winsock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SKIPPED = 77, LIMIT = 20 /* seconds */ };

#define CHECK(condition)                                                        \
    do {                                                                        \
        if (!(condition)) {                                                     \
            printf("# line %d: %s (WSAGetLastError %d, errno %d)\n", __LINE__,  \
                   #condition, WSAGetLastError(), errno);                       \
            fflush(stdout);                                                     \
            _exit(1);                                                           \
        }                                                                       \
    } while (0)

#define SKIP(reason)                        \
    do {                                    \
        printf("# skipped: %s\n", reason);  \
        fflush(stdout);                     \
        _exit(SKIPPED);                     \
    } while (0)

enum { LONGEST = 65507 };
static char buffer[1 << 21], message[1 << 21];
static int in = -1, out = -1;

static char byte_of(unsigned number, size_t at)
{
    return (char)(number * 31 + at * 7 + (at >> 8));
}

static void put(unsigned number, size_t size)
{
    for (size_t i = 0; i < size; i++)
        message[i] = byte_of(number, i);
    CHECK(send(out, message, size, 0) == (ssize_t)size);
}

static bool is_part(unsigned number, size_t offset, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (buffer[i] != byte_of(number, offset + i))
            return false;
    return true;
}

static void get(unsigned number, size_t offset, int room, int size, bool partial)
{
    int flags = 0x7777;

    memset(buffer, 0x5a, (size_t)room + 1);
    CHECK(WSARecvEx(in, buffer, room, &flags) == size);
    CHECK(flags == (partial ? MSG_PARTIAL : 0));
    CHECK(is_part(number, offset, (size_t)size));
    CHECK(buffer[room] == 0x5a);
}

static void fails(int s, char *buf, int len, int error)
{
    int flags = MSG_PARTIAL;

    WSASetLastError(0);
    CHECK(WSARecvEx(s, buf, len, &flags) == -1);
    CHECK(WSAGetLastError() == error);
    CHECK(flags == 0);
}

static socklen_t loopback(int family, struct sockaddr_storage *name)
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

/* UDP on loopback, both ends bound and connected to each other. */
static void open_udp(int family)
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

static void open_unix(int type)
{
    int both[2], large = 1 << 21;

    CHECK(socketpair(AF_UNIX, type, 0, both) == 0);
    in = both[0];
    out = both[1];
    setsockopt(out, SOL_SOCKET, SO_SNDBUFFORCE, &large, sizeof large);
    setsockopt(out, SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
}

static void open_tcp(void)
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

static void set_timeout(int milliseconds)
{
    struct timeval limit = {milliseconds / 1000, milliseconds % 1000 * 1000};

    CHECK(setsockopt(in, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
}

/* --- the contract -------------------------------------------------------------------------- */

static void is_empty(void)
{
    CHECK(recv(in, buffer, 10, MSG_DONTWAIT) == -1 && errno == EAGAIN);
}

static void parts(void)
{
    put(1, 3000);
    put(2, 100);
    get(1, 0, 1000, 1000, true);
    get(1, 1000, 1000, 1000, true);
    get(1, 2000, 1000, 1000, false);
    get(2, 0, 1000, 100, false);
    is_empty();
}

static void parts_udp(void)
{
    open_udp(AF_INET);
    parts();
}

static void parts_udp6(void)
{
    open_udp(AF_INET6);
    parts();
}

static void parts_unix(void)
{
    open_unix(SOCK_DGRAM);
    parts();
    open_unix(SOCK_SEQPACKET);
    parts();
}

/* Microsoft's own example speaks of a message of 1 MB. */
static void a_mebibyte(void)
{
    size_t size = 1 << 20, offset = 0;

    open_unix(SOCK_DGRAM);
    put(3, size);
    for (; offset < size; offset += 65536)
        get(3, offset, 65536, 65536, offset + 65536 < size);
    is_empty();
}

static void sizes(void)
{
    static const int lengths[] = {0, 1, 2, 511, 512, 513, 1024, 32768, LONGEST - 1, LONGEST};
    static const int rooms[] = {1, 512, 1024, LONGEST - 1, LONGEST, LONGEST + 100};

    open_udp(AF_INET);
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        for (size_t r = 0; r < sizeof rooms / sizeof *rooms; r++) {
            int length = lengths[l], offset = 0;

            if (length / rooms[r] > 600)
                continue;
            put((unsigned)(l + r), (size_t)length);
            do {
                int size = length - offset < rooms[r] ? length - offset : rooms[r];

                get((unsigned)(l + r), (size_t)offset, rooms[r], size, offset + size < length);
                offset += size;
            } while (offset < length);
        }
    }
    is_empty();
}

static void plain_recv_continues(void)
{
    struct pollfd readable;

    open_udp(AF_INET);
    put(1, 3000);
    get(1, 0, 1000, 1000, true);
    readable = (struct pollfd){in, POLLIN, 0};
    CHECK(poll(&readable, 1, 0) == 1);
    CHECK(recv(in, buffer, 1000, MSG_PEEK) == 1000 && is_part(1, 1000, 1000));
    CHECK(recv(in, buffer, 1000, 0) == 1000 && is_part(1, 1000, 1000));
    CHECK(read(in, buffer, 5000) == 1000 && is_part(1, 2000, 1000));
    is_empty();
}

static void len_0(void)
{
    open_udp(AF_INET);
    put(1, 10);
    put(2, 0);
    get(1, 0, 0, 0, true);
    get(1, 0, 4, 4, true);
    get(1, 4, 0, 0, true);
    get(1, 4, 100, 6, false);
    get(2, 0, 0, 0, false);
    is_empty();
}

static void bad_arguments(void)
{
    int flags;

    open_udp(AF_INET);
    put(1, 10);
    fails(in, buffer, -1, WSAEFAULT);
    fails(in, NULL, 10, WSAEFAULT);
    CHECK(WSARecvEx(in, NULL, 0, &flags) == 0 && flags == MSG_PARTIAL);
    WSASetLastError(0);
    CHECK(WSARecvEx(in, buffer, 10, NULL) == -1 && WSAGetLastError() == WSAEFAULT);
    fails(-1, NULL, -1, WSAENOTSOCK);
    get(1, 0, 10, 10, false);
    is_empty();
}

static void stream(void)
{
    int flags = MSG_PEEK;

    open_tcp();
    put(1, 3000);
    CHECK(WSARecvEx(in, buffer, 1000, &flags) == 1000 && flags == 0);
    CHECK(recv(in, buffer + 1000, 500, 0) == 500);
    CHECK(WSARecvEx(in, buffer + 1500, 9000, &flags) == 1500 && flags == 0);
    CHECK(is_part(1, 0, 3000));
    shutdown(out, SHUT_WR);
    CHECK(WSARecvEx(in, buffer, 10, &flags) == 0 && flags == 0);
}

static void end_of_records(void)
{
    int flags;

    open_unix(SOCK_SEQPACKET);
    put(1, 30);
    close(out);
    get(1, 0, 20, 20, true);
    get(1, 20, 20, 10, false);
    CHECK(WSARecvEx(in, buffer, 10, &flags) == 0 && flags == 0);
}

static void errno_is_untouched(void)
{
    int flags;

    open_udp(AF_INET);
    put(1, 10);
    errno = 4711;
    CHECK(WSARecvEx(in, buffer, 4, &flags) == 4 && errno == 4711);
    CHECK(WSARecvEx(in, buffer, 10, &flags) == 6 && errno == 4711);
    CHECK(WSARecvEx(-1, buffer, 10, &flags) == -1 && errno == 4711);
}

/* --- SCTP ------------------------------------------------------------------------------------ */

/* Where the kernel has no SCTP its part is played, on a stream: messages of 3,000 bytes of which
 * the last part has MSG_EOR. */
static int played = -1;
static size_t played_bytes;

__attribute__((visibility("default"))) int getsockopt(int fd, int level, int name, void *value,
                                                      socklen_t *length)
{
    if (fd >= 0 && fd == played && level == SOL_SOCKET && (name == SO_TYPE || name == SO_DOMAIN)) {
        *(int *)value = name == SO_TYPE ? SOCK_SEQPACKET : AF_INET;
        return 0;
    }
    return (int)syscall(SYS_getsockopt, fd, level, name, value, length);
}

__attribute__((visibility("default"))) ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
    ssize_t got = syscall(SYS_recvmsg, fd, msg, flags);

    if (fd == played && got > 0) {
        played_bytes += (size_t)got;
        msg->msg_flags |= played_bytes % 3000 == 0 ? MSG_EOR : 0;
    }
    return got;
}

static void open_sctp(void)
{
    struct sockaddr_storage name;
    socklen_t length = loopback(AF_INET, &name);

    in = socket(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP);
    if (in < 0) {
        open_unix(SOCK_STREAM);
        played = in;
        return;
    }
    out = socket(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP);
    CHECK(bind(in, (struct sockaddr *)&name, length) == 0 && listen(in, 1) == 0);
    CHECK(getsockname(in, (struct sockaddr *)&name, &length) == 0);
    CHECK(connect(out, (struct sockaddr *)&name, length) == 0);
}

/* It delivers a long message in parts by itself; the last one has MSG_EOR. */
static void sctp(void)
{
    open_sctp();
    put(1, 3000);
    get(1, 0, 1000, 1000, true);
    get(1, 1000, 1000, 1000, true);
    get(1, 2000, 1000, 1000, false);
}

/* --- the error codes ------------------------------------------------------------------------- */

static void efault(void)
{
    char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    open_udp(AF_INET);
    put(1, 100);
    fails(in, page, 100, WSAEFAULT);
}

static void enotsock(void)
{
    int both[2];

    CHECK(pipe(both) == 0);
    fails(-1, buffer, 10, WSAENOTSOCK);
    fails(1000, buffer, 10, WSAENOTSOCK);
    fails(both[0], buffer, 10, WSAENOTSOCK);
}

static void einval(void)
{
    fails(socket(AF_INET, SOCK_DGRAM, 0), buffer, 10, WSAEINVAL);
    fails(socket(AF_INET6, SOCK_DGRAM, 0), buffer, 10, WSAEINVAL);
    fails(socket(AF_UNIX, SOCK_DGRAM, 0), buffer, 10, WSAEINVAL);
}

static void ewouldblock(void)
{
    open_udp(AF_INET);
    CHECK(fcntl(in, F_SETFL, O_NONBLOCK) == 0);
    fails(in, buffer, 10, WSAEWOULDBLOCK);
    open_tcp();
    CHECK(fcntl(in, F_SETFL, O_NONBLOCK) == 0);
    fails(in, buffer, 10, WSAEWOULDBLOCK);
}

static void etimedout(void)
{
    open_udp(AF_INET);
    set_timeout(50);
    fails(in, buffer, 10, WSAETIMEDOUT);
}

static void econnreset(void)
{
    struct linger hard = {1, 0};

    open_udp(AF_INET);
    close(out);
    CHECK(send(in, "x", 1, 0) == 1);
    fails(in, buffer, 10, WSAECONNRESET);
    open_tcp();
    CHECK(setsockopt(out, SOL_SOCKET, SO_LINGER, &hard, sizeof hard) == 0);
    close(out);
    fails(in, buffer, 10, WSAECONNRESET);
}

static void econnaborted(void)
{
    struct sockaddr_in local, peer;
    socklen_t length = sizeof local;
    char line[200];

    if (geteuid() != 0 || access("/usr/bin/ss", X_OK) != 0)
        SKIP("ss -K needs root, and iproute2");
    open_tcp();
    CHECK(getsockname(in, (struct sockaddr *)&local, &length) == 0);
    CHECK(getpeername(in, (struct sockaddr *)&peer, &length) == 0);
    snprintf(line, sizeof line, "/usr/bin/ss -K src 127.0.0.1:%d dst 127.0.0.1:%d 2>/dev/null |"
             " grep -q ESTAB",
             ntohs(local.sin_port), ntohs(peer.sin_port));
    if (system(line) != 0)
        SKIP("this kernel destroys no sockets (CONFIG_INET_DIAG_DESTROY)");
    fails(in, buffer, 10, WSAECONNABORTED);
}

static void enotconn(void)
{
    fails(socket(AF_INET, SOCK_STREAM, 0), buffer, 10, WSAENOTCONN);
}

static void eshutdown(void)
{
    open_udp(AF_INET);
    put(1, 10);
    put(2, 0);
    CHECK(shutdown(in, SHUT_RD) == 0);
    get(1, 0, 10, 10, false); /* what had come is still there */
    (void)recv(in, buffer, 10, 0);
    fails(in, buffer, 10, WSAESHUTDOWN);
}

static void on_alarm(int signal)
{
    (void)signal;
}

static void eintr(void)
{
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval soon = {{0, 20000}, {0, 20000}};

    sigaction(SIGALRM, &action, NULL);
    open_udp(AF_INET);
    setitimer(ITIMER_REAL, &soon, NULL);
    fails(in, buffer, 10, WSAEINTR);
}

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
        SKIP("a network namespace needs root");
    set_loopback_up(true);
}

/* A socket whose packets come through a ring in shared memory, so that it has no receive that
 * waits; or the parent socket of the kernel's crypto interface, which has none at all. */
static void eopnotsupp(void)
{
    const char *area = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                            0);
    struct xdp_umem_reg memory = {.addr = (uintptr_t)area, .len = 1 << 16, .chunk_size = 4096};
    struct sockaddr_xdp name = {.sxdp_family = AF_XDP, .sxdp_flags = XDP_COPY};
    int count = 8, fd;

    leave_network();
    fd = socket(AF_XDP, SOCK_RAW, 0);
    if (fd < 0) {
        fd = socket(AF_ALG, SOCK_SEQPACKET, 0);
        if (fd < 0)
            SKIP("neither AF_XDP nor AF_ALG in this kernel");
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

static void notinitialised(void)
{
    open_udp(AF_INET);
    CHECK(WSAStartup(0x202, NULL) == 0);
    CHECK(WSAStartup(0x202, NULL) == 0);
    put(1, 10);
    CHECK(WSACleanup() == 0);
    get(1, 0, 10, 10, false);
    CHECK(WSACleanup() == 0);
    fails(in, buffer, 10, WSANOTINITIALISED);
    CHECK(WSACleanup() == -1 && WSAGetLastError() == WSANOTINITIALISED);
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

static void *other_thread(void *unused)
{
    (void)unused;
    CHECK(WSAGetLastError() == 0);
    fails(-1, buffer, 1, WSAENOTSOCK);
    return NULL;
}

static void last_error_is_the_threads(void)
{
    pthread_t thread;

    WSASetLastError(12345);
    CHECK(pthread_create(&thread, NULL, other_thread, NULL) == 0);
    pthread_join(thread, NULL);
    CHECK(WSAGetLastError() == 12345);
}

/* --- 20,000 ---------------------------------------------------------------------------------- */

static unsigned random_number(void)
{
    static unsigned state = 99;

    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

static void many(void)
{
    open_udp(AF_INET);
    for (unsigned number = 0; number < 20000; number++) {
        size_t length = random_number() % 5000, offset = 0;

        put(number, length);
        do {
            size_t room = 1 + random_number() % 2000, left = length - offset;
            size_t size = left < room ? left : room;

            if (random_number() % 2)
                get(number, offset, (int)room, (int)size, size < left);
            else
                CHECK(recv(in, buffer, room, 0) == (ssize_t)size && is_part(number, offset, size));
            offset += size;
        } while (offset < length);
    }
    is_empty();
}

/* --- the resolver ---------------------------------------------------------------------------- */

static void resolve_own(void)
{
    int (*call)(int, char *, int, int *) =
        (int (*)(int, char *, int, int *))wsrx_resolve("WSARecvEx", WSRX_ABI_DEFAULT);
    int flags;

    CHECK((void *)call == (void *)WSARecvEx);
    open_udp(AF_INET);
    put(1, 10);
    CHECK(call(in, buffer, 4, &flags) == 4 && flags == MSG_PARTIAL);
    CHECK(wsrx_resolve("WSASend", WSRX_ABI_DEFAULT) == NULL);
    CHECK(wsrx_resolve("", WSRX_ABI_DEFAULT) == NULL);
    CHECK(wsrx_resolve(NULL, WSRX_ABI_DEFAULT) == NULL);
    CHECK(wsrx_resolve("WSARecvEx", (enum wsrx_abi)99) == NULL);
#ifdef __x86_64__
    CHECK(wsrx_resolve("WSARecvEx", WSRX_ABI_SYSV) == (void *)WSARecvEx);
    CHECK(wsrx_resolve("WSARecvEx", WSRX_ABI_STDCALL) == NULL);
    CHECK(wsrx_resolve("WSARecvEx", WSRX_ABI_CDECL) == NULL);
#endif
#ifdef __i386__
    CHECK(wsrx_resolve("WSARecvEx", WSRX_ABI_CDECL) == (void *)WSARecvEx);
    CHECK(wsrx_resolve("WSARecvEx", WSRX_ABI_SYSV) == NULL);
    CHECK(wsrx_resolve("WSARecvEx", WSRX_ABI_MS) == NULL);
#endif
}

#ifdef __x86_64__
/* Windows code passes a SOCKET of 64 bits. */
typedef int(__attribute__((ms_abi)) *ms_receive)(uint64_t, char *, int, int *);

static void resolve_microsoft(void)
{
#ifdef WSRX_HAVE_FFI
    ms_receive call = (ms_receive)wsrx_resolve("WSARecvEx", WSRX_ABI_MS);
    int(__attribute__((ms_abi)) * error)(void) =
        (int(__attribute__((ms_abi)) *)(void))wsrx_resolve("WSAGetLastError", WSRX_ABI_MS);
    void(__attribute__((ms_abi)) * set_error)(int) =
        (void(__attribute__((ms_abi)) *)(int))wsrx_resolve("WSASetLastError", WSRX_ABI_MS);
    int flags = -1;

    CHECK(call != NULL && (void *)call != (void *)WSARecvEx && error && set_error);
    CHECK(wsrx_resolve("WSARecvEx", WSRX_ABI_MS) == (void *)call);
    open_udp(AF_INET);
    put(1, 3000);
    for (int i = 0; i < 3; i++) {
        CHECK(call((uint64_t)in, buffer, 1000, &flags) == 1000);
        CHECK(flags == (i < 2 ? MSG_PARTIAL : 0) && is_part(1, (size_t)i * 1000, 1000));
    }
    CHECK(call(UINT64_MAX, buffer, 10, &flags) == -1 && error() == WSAENOTSOCK);
    set_error(5);
    CHECK(WSAGetLastError() == 5);
#else
    CHECK(wsrx_resolve("WSARecvEx", WSRX_ABI_MS) == NULL);
    SKIP("built without libffi");
#endif
}
#endif

#ifdef __i386__
#define STDCALL __attribute__((stdcall))
typedef int(STDCALL *std_receive)(int, char *, int, int *);

static void resolve_stdcall(void)
{
#ifdef WSRX_HAVE_FFI
    std_receive call = (std_receive)wsrx_resolve("WSARecvEx", WSRX_ABI_STDCALL);
    int(STDCALL * error)(void) = (int(STDCALL *)(void))wsrx_resolve("WSAGetLastError",
                                                                    WSRX_ABI_STDCALL);
    void(STDCALL * set_error)(int) = (void(STDCALL *)(int))wsrx_resolve("WSASetLastError",
                                                                        WSRX_ABI_STDCALL);
    int(STDCALL * start)(unsigned short, void *) =
        (int(STDCALL *)(unsigned short, void *))wsrx_resolve("WSAStartup", WSRX_ABI_STDCALL);
    int(STDCALL * clean_up)(void) = (int(STDCALL *)(void))wsrx_resolve("WSACleanup",
                                                                       WSRX_ABI_STDCALL);
    int flags = -1;

    CHECK(call != NULL && (void *)call != (void *)WSARecvEx && error && set_error && start &&
          clean_up);
    CHECK(wsrx_resolve("WSARecvEx", WSRX_ABI_STDCALL) == (void *)call);
    open_udp(AF_INET);
    /* Whoever leaves the arguments on the stack moves it a little with each call. */
    for (unsigned number = 0; number < 5000; number++) {
        put(number, 3000);
        for (int i = 0; i < 3; i++) {
            CHECK(call(in, buffer, 1000, &flags) == 1000);
            CHECK(flags == (i < 2 ? MSG_PARTIAL : 0) && is_part(number, (size_t)i * 1000, 1000));
        }
    }
    CHECK(call(-1, buffer, 10, &flags) == -1 && error() == WSAENOTSOCK);
    set_error(5);
    CHECK(WSAGetLastError() == 5);
    CHECK(start(0x202, NULL) == 0 && clean_up() == 0 && clean_up() == -1);
    CHECK(error() == WSANOTINITIALISED);
#else
    CHECK(wsrx_resolve("WSARecvEx", WSRX_ABI_STDCALL) == NULL);
    SKIP("built without libffi");
#endif
}
#endif

/* --- running them ---------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"parts, UDP over IPv4", parts_udp},
    {"parts, UDP over IPv6", parts_udp6},
    {"parts, AF_UNIX", parts_unix},
    {"a message of 1 MiB", a_mebibyte},
    {"sizes 0 to 65,507", sizes},
    {"plain receives continue", plain_recv_continues},
    {"len 0", len_0},
    {"bad arguments", bad_arguments},
    {"a stream", stream},
    {"the end of a sequenced-packet socket", end_of_records},
    {"errno is untouched", errno_is_untouched},
    {"SCTP: no MSG_EOR is MSG_PARTIAL", sctp},
    {"WSAEFAULT", efault},
    {"WSAENOTSOCK", enotsock},
    {"WSAEINVAL", einval},
    {"WSAEWOULDBLOCK", ewouldblock},
    {"WSAETIMEDOUT", etimedout},
    {"WSAECONNRESET", econnreset},
    {"WSAECONNABORTED", econnaborted},
    {"WSAENOTCONN", enotconn},
    {"WSAESHUTDOWN", eshutdown},
    {"WSAEINTR", eintr},
    {"WSAEOPNOTSUPP", eopnotsupp},
    {"WSAENETDOWN", enetdown},
    {"WSAENETRESET", enetreset},
    {"WSAETIMEDOUT, of data", etimedout_of_data},
    {"WSANOTINITIALISED", notinitialised},
    {"WSAEMSGSIZE where nobody keeps the rest", unkept},
    {"the last error is the thread's", last_error_is_the_threads},
    {"20,000 datagrams", many},
    {"wsrx_resolve: the system's own convention", resolve_own},
#ifdef __x86_64__
    {"wsrx_resolve: Microsoft's x64 convention", resolve_microsoft},
#endif
#ifdef __i386__
    {"wsrx_resolve: stdcall", resolve_stdcall},
#endif
};

int main(void)
{
    size_t count = sizeof cases / sizeof *cases;
    int failed = 0;

    printf("1..%zu\n", count);
    for (size_t i = 0; i < count; i++) {
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
