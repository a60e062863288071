/* SPDX-License-Identifier: MIT
 *
 * POSIX sockets as a provider, and the functions of wsrx-winsock.h but for the resolver.
 *
 * It stands on the public interface of libwsrx, which keeps the tails.
 */
#define _GNU_SOURCE
#include "winsock_error.h"
#include "wsarecvex.h"
#include "wsrx-winsock.h"
#include "wsrx.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>

#define PUBLIC __attribute__((visibility("default")))

static __thread int last_error;

/* --- WSAStartup -------------------------------------------------------------------------- */

static atomic_int started; /* calls of WSAStartup that WSACleanup has not undone */
static atomic_bool ever_started;

static bool is_initialised(void)
{
    return !atomic_load(&ever_started) || atomic_load(&started) > 0;
}

PUBLIC int WSAStartup(unsigned short version, void *data)
{
    (void)version;
    (void)data;
    atomic_store(&ever_started, true);
    atomic_fetch_add(&started, 1);
    return 0;
}

PUBLIC int WSACleanup(void)
{
    int count = atomic_load(&started);

    do {
        if (count <= 0) {
            last_error = WINSOCK_NOTINITIALISED;
            return -1;
        }
    } while (!atomic_compare_exchange_weak(&started, &count, count - 1));
    return 0;
}

/* --- sockets ----------------------------------------------------------------------------- */

enum nature {
    STREAM,   /* recv(2) is all there is to it */
    MESSAGES, /* libwsrx keeps the tails */
    RECORDS,  /* the kernel delivers long messages in parts by itself: SCTP, TIPC */
    UNKEPT,   /* messages whose tails nobody keeps */
};

static int option(int fd, int name)
{
    int value = -1;
    socklen_t length = sizeof value;

    return getsockopt(fd, SOL_SOCKET, name, &value, &length) == 0 ? value : -1;
}

/* -1 and errno: not a socket. */
static int nature_of(int fd)
{
    int type = option(fd, SO_TYPE), domain;

    if (type < 0)
        return -1;
    if (type == SOCK_STREAM)
        return STREAM;
    domain = option(fd, SO_DOMAIN);
    switch (domain) {
    case AF_INET:
    case AF_INET6:
        if (type == SOCK_SEQPACKET)
            return RECORDS;
        if (type == SOCK_DGRAM &&
            (option(fd, SO_PROTOCOL) == IPPROTO_UDP || option(fd, SO_PROTOCOL) == IPPROTO_UDPLITE))
            return MESSAGES;
        return UNKEPT;
    case AF_UNIX:
    case AF_VSOCK:
        return MESSAGES;
    case AF_TIPC:
        return type == SOCK_SEQPACKET ? RECORDS : UNKEPT;
    default:
        return UNKEPT;
    }
}

/* A message socket to which nobody can send: Winsock fails with WSAEINVAL, where recv(2) would
 * wait forever. */
static bool is_unbound(int fd)
{
    struct sockaddr_storage name = {0};
    socklen_t length = sizeof name;

    if (getsockname(fd, (struct sockaddr *)&name, &length) != 0)
        return false;
    switch (name.ss_family) {
    case AF_INET:
        return ((struct sockaddr_in *)&name)->sin_port == 0;
    case AF_INET6:
        return ((struct sockaddr_in6 *)&name)->sin6_port == 0;
    case AF_UNIX: /* one of a pair has no name either */
        if (length > sizeof name.ss_family)
            return false;
        length = sizeof name;
        return getpeername(fd, (struct sockaddr *)&name, &length) != 0;
    default:
        return false;
    }
}

static int check(uintptr_t socket)
{
    if (!is_initialised())
        return WINSOCK_NOTINITIALISED;
    return nature_of((int)socket) < 0 ? winsock_error_of(errno) : 0;
}

/* --- receives ---------------------------------------------------------------------------- */

/* A part of length 0 consumes nothing of a message, unless the message has length 0 too. */
static ssize_t receive_nothing(int fd, bool *ret_partial)
{
    char none;
    ssize_t left = recv(fd, &none, 0, MSG_PEEK | MSG_TRUNC);

    if (left > 0) {
        *ret_partial = true;
        return 0;
    }
    return left < 0 ? left : recv(fd, &none, 0, MSG_DONTWAIT);
}

static ssize_t receive_part(int fd, char *buf, size_t len, bool *ret_partial)
{
    struct wsrx_part part;
    ssize_t result;

    if (len == 0)
        return receive_nothing(fd, ret_partial);
    result = wsrx_receive(fd, buf, len, 0, &part);
    *ret_partial = result >= 0 && (part.flags & WSRX_PARTIAL);
    return result;
}

static ssize_t receive_record(int fd, char *buf, size_t len, enum nature nature, bool *ret_partial)
{
    struct iovec iov = {buf, len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t result = recvmsg(fd, &msg, 0);

    if (result > 0 && nature == RECORDS)
        *ret_partial = !(msg.msg_flags & MSG_EOR);
    if (result >= 0 && nature == UNKEPT && (msg.msg_flags & MSG_TRUNC)) {
        errno = EMSGSIZE; /* the rest is gone, and MSG_PARTIAL would promise it */
        return -1;
    }
    return result;
}

/* recv(2) returns 0 for an empty message and for a socket that is shut down. */
static bool is_shut_down(int fd)
{
    struct pollfd poll_for = {.fd = fd, .events = POLLRDHUP};

    return poll(&poll_for, 1, 0) == 1 && (poll_for.revents & POLLRDHUP);
}

/* Whether the connection ended because keep-alives were not answered. Winsock has an error of its
 * own for that; Linux returns ETIMEDOUT, as for data that is not acknowledged. */
static bool is_keepalive_failure(int fd)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof info;

    return option(fd, SO_KEEPALIVE) > 0 &&
           getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 && info.tcpi_probes > 0 &&
           info.tcpi_retransmits == 0;
}

static int error_of(int fd, int nature, int error)
{
    if (error == ETIMEDOUT && nature == STREAM && is_keepalive_failure(fd))
        return WINSOCK_ENETRESET;
    /* An ICMP port unreachable. On a stream ECONNREFUSED means something else. */
    if (error == ECONNREFUSED && nature != STREAM)
        return WINSOCK_ECONNRESET;
    if (error == EAGAIN && !(fcntl(fd, F_GETFL) & O_NONBLOCK))
        return WINSOCK_ETIMEDOUT; /* SO_RCVTIMEO */
    return winsock_error_of(error);
}

static int receive(uintptr_t socket, char *buf, unsigned len, bool *ret_partial, int *ret_error)
{
    int fd = (int)socket, saved = errno, nature;
    ssize_t result;

    *ret_error = WINSOCK_NOTINITIALISED;
    if (!is_initialised())
        return -1;
    nature = nature_of(fd);
    if (nature < 0) {
        *ret_error = winsock_error_of(errno);
        errno = saved;
        return -1;
    }
    *ret_error = WINSOCK_EINVAL;
    if (nature == MESSAGES && is_unbound(fd)) {
        errno = saved;
        return -1;
    }

    if (nature == STREAM)
        result = recv(fd, buf, len, 0);
    else if (nature == MESSAGES)
        result = receive_part(fd, buf, len, ret_partial);
    else
        result = receive_record(fd, buf, len, (enum nature)nature, ret_partial);
    if (result < 0)
        *ret_error = error_of(fd, nature, errno);
    if (result == 0 && nature == MESSAGES && !*ret_partial && option(fd, SO_TYPE) == SOCK_DGRAM &&
        is_shut_down(fd)) {
        *ret_error = WINSOCK_ESHUTDOWN;
        result = -1;
    }
    errno = saved;
    return (int)result;
}

static void set_error(int error)
{
    last_error = error;
}

/* --- the functions ----------------------------------------------------------------------- */

PUBLIC int WSARecvEx(int s, char *buf, int len, int *flags)
{
    static const struct winsock_provider posix = {receive, check, set_error};

    return wsarecvex(&posix, (uintptr_t)s, buf, len, flags);
}

PUBLIC int WSAGetLastError(void)
{
    return last_error;
}

PUBLIC void WSASetLastError(int error)
{
    last_error = error;
}
