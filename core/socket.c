/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "socket.h"

#include "hot.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Address space only until a descriptor is used: fs.nr_open's default. */
enum { BELIEFS = 1 << 20 };

HOT _Atomic socket_belief *socket_beliefs;
HOT unsigned socket_beliefs_count;

static const struct settings *settings;
static atomic_uint highest;     /* descriptor of which something is believed */
static atomic_bool duplicates; /* a message socket has been duplicated: it may have two numbers */

int socket_start(const struct settings *with_settings)
{
    void *at = mmap(NULL, BELIEFS * sizeof(socket_belief), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED)
        return -errno;
    settings = with_settings;
    socket_beliefs = at;
    socket_beliefs_count = BELIEFS;
    return 0;
}

static void believe(int fd, socket_belief belief)
{
    unsigned seen = atomic_load_explicit(&highest, memory_order_relaxed);

    if ((unsigned)fd >= socket_beliefs_count)
        return;
    while (seen < (unsigned)fd && !atomic_compare_exchange_weak(&highest, &seen, (unsigned)fd))
        continue;
    atomic_store_explicit(&socket_beliefs[fd], belief, memory_order_relaxed);
}

/* --- the kernel's word ------------------------------------------------------------------- */

static int option(int fd, int name, int *ret_value)
{
    socklen_t length = sizeof *ret_value;

    return getsockopt(fd, SOL_SOCKET, name, ret_value, &length) == 0 ? 0 : -errno;
}

uint64_t socket_ask_cookie(int fd)
{
    uint64_t cookie = 0;
    socklen_t length = sizeof cookie;

    if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) != 0)
        return 0;
    return cookie & SOCKET_COOKIE_MASK;
}

bool socket_is_stream(int fd)
{
    int type;

    return option(fd, SO_TYPE, &type) == 0 && type == SOCK_STREAM;
}

int socket_identify(int fd, uint64_t *ret_cookie, bool *ret_stream)
{
    socket_belief belief = socket_believe(fd);
    int type, error;

    *ret_stream = false;
    *ret_cookie = socket_ask_cookie(fd);
    if (*ret_cookie && socket_is_message(belief) && socket_cookie(belief) == *ret_cookie)
        return 0;
    error = option(fd, SO_TYPE, &type);
    if (error)
        return error;
    *ret_stream = type == SOCK_STREAM;
    return *ret_cookie ? 0 : -ENOPROTOOPT;
}

/* By type, domain and protocol; nothing else has messages that Linux would cut. */
static enum socket_kind classify(int fd)
{
    int type, domain, protocol, error = option(fd, SO_TYPE, &type);

    if (error)
        return error == -EBADF ? SOCKET_UNKNOWN : SOCKET_OTHER;
    if (type != SOCK_DGRAM && type != SOCK_SEQPACKET)
        return SOCKET_OTHER;
    if (option(fd, SO_DOMAIN, &domain) != 0 || option(fd, SO_PROTOCOL, &protocol) != 0)
        return SOCKET_OTHER;
    switch (domain) {
    case AF_INET:
    case AF_INET6:
        /* Not ICMP "ping" sockets (datagram too), nor SCTP (delivers in parts by itself). */
        if (type != SOCK_DGRAM)
            return SOCKET_OTHER;
        /* The kernel always says which: 0 is libsocket-wrapper's word for a socket(2) without a
         * protocol, which is of AF_UNIX in truth. */
        if (protocol == 0)
            return SOCKET_LARGE;
        return protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE ? SOCKET_DATAGRAM
                                                                      : SOCKET_OTHER;
    case AF_UNIX:
    case AF_VSOCK:
        return SOCKET_LARGE;
    default:
        return SOCKET_OTHER;
    }
}

/* --- WSRX_SOCKETS ------------------------------------------------------------------------ */

struct names {
    int domain;
    struct sockaddr_storage local, peer;
    socklen_t local_length, peer_length;
};

static unsigned port(const struct sockaddr_storage *name)
{
    if (name->ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)name)->sin_port);
    if (name->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)name)->sin6_port);
    return 0;
}

static bool has_path(const struct sockaddr_storage *name, socklen_t length,
                     const struct selector *selector)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)name;
    size_t most = (size_t)length - offsetof(struct sockaddr_un, sun_path);

    return name->ss_family == AF_UNIX && length > offsetof(struct sockaddr_un, sun_path) &&
           strnlen(un->sun_path, most) == selector->path_length &&
           memcmp(un->sun_path, selector->path, selector->path_length) == 0;
}

static bool selects_by_number(void)
{
    for (size_t i = 0; settings && i < settings->selectors; i++)
        if (settings->selector[i].kind == SELECT_FD)
            return true;
    return false;
}

static bool matches(const struct selector *selector, int fd, const struct names *names)
{
    switch (selector->kind) {
    case SELECT_UDP:
        return names->domain == AF_INET || names->domain == AF_INET6;
    case SELECT_UNIX:
        return names->domain == AF_UNIX;
    case SELECT_VSOCK:
        return names->domain == AF_VSOCK;
    case SELECT_PORT:
        return port(&names->local) == selector->number || port(&names->peer) == selector->number;
    case SELECT_FD:
        return (unsigned)fd == selector->number;
    case SELECT_PATH:
        return has_path(&names->local, names->local_length, selector) ||
               has_path(&names->peer, names->peer_length, selector);
    }
    return false;
}

/* Any inclusion (or none is given), and no exclusion. `*ret_settled`: the answer can be kept, for
 * the socket has a name of its own by which it was judged. */
static bool selected(int fd, bool *ret_settled)
{
    struct names names = {.local_length = sizeof names.local, .peer_length = sizeof names.peer};
    bool included = true, any_inclusion = false, found = false;

    *ret_settled = true;
    if (settings->selectors == 0)
        return true;
    if (option(fd, SO_DOMAIN, &names.domain) != 0 ||
        getsockname(fd, (struct sockaddr *)&names.local, &names.local_length) != 0)
        return false;
    if (getpeername(fd, (struct sockaddr *)&names.peer, &names.peer_length) != 0)
        names.peer_length = 0;

    for (size_t i = 0; i < settings->selectors; i++) {
        const struct selector *selector = &settings->selector[i];

        /* A name that it does not have yet may come. */
        if ((selector->kind == SELECT_PORT && port(&names.local) == 0) ||
            (selector->kind == SELECT_PATH && names.domain == AF_UNIX &&
             names.local_length <= offsetof(struct sockaddr_un, sun_path)))
            *ret_settled = false;
        if (selector->exclude) {
            included = included && !matches(selector, fd, &names);
        } else {
            any_inclusion = true;
            found = found || matches(selector, fd, &names);
        }
    }
    return included && (found || !any_inclusion);
}

/* --- beliefs ----------------------------------------------------------------------------- */

socket_belief socket_ask(int fd)
{
    socket_belief before = socket_believe(fd), belief;
    enum socket_kind kind = classify(fd);
    bool settled = true;
    uint64_t cookie = 0;

    if (kind == SOCKET_UNKNOWN)
        return 0;
    if (kind != SOCKET_OTHER && !selected(fd, &settled))
        kind = SOCKET_OTHER;
    /* Linux before 4.12 has no SO_COOKIE; a socket that cannot be told from its successor is
     * better left alone. */
    if (kind != SOCKET_OTHER && (cookie = socket_ask_cookie(fd)) == 0)
        kind = SOCKET_OTHER;
    belief = (uint64_t)kind << 56 | cookie;
    if (socket_kind(before) == SOCKET_FRESH ||
        ((before & SOCKET_OWN_BIT) && socket_cookie(before) == cookie))
        belief |= SOCKET_OWN_BIT;
    if (settled)
        believe(fd, belief);
    return belief;
}

socket_belief socket_know(int fd)
{
    socket_belief belief = socket_believe(fd);

    return socket_kind(belief) <= SOCKET_FRESH ? socket_ask(fd) : belief;
}

void socket_made(int fd)
{
    if (fd >= 0)
        believe(fd, (uint64_t)SOCKET_FRESH << 56);
}

void socket_forget(int fd)
{
    if (socket_believe(fd) != 0)
        believe(fd, 0);
}

void socket_forget_range(unsigned first, unsigned last)
{
    unsigned seen = atomic_load_explicit(&highest, memory_order_relaxed);

    for (unsigned fd = first; fd <= last && fd <= seen; fd++)
        socket_forget((int)fd);
}

void socket_duplicated(int old, int new)
{
    /* Asked now, so that both are known to be one socket when either is closed. */
    socket_belief belief = socket_know(old);

    believe(new, socket_believe(old));
    if (socket_kind(belief) == SOCKET_OTHER && !selects_by_number())
        return;
    atomic_store_explicit(&duplicates, true, memory_order_relaxed);
    if (selects_by_number()) {
        believe(new, belief & SOCKET_OWN_BIT ? (uint64_t)SOCKET_FRESH << 56 : 0);
        socket_ask(new);
    }
}

void socket_received(int fd)
{
    socket_forget(fd);
    if (socket_is_message(socket_ask(fd)))
        atomic_store_explicit(&duplicates, true, memory_order_relaxed);
}

static void disown(int fd)
{
    socket_belief belief = socket_believe(fd), known;

    if ((unsigned)fd >= socket_beliefs_count)
        return;
    do
        known = socket_kind(belief) == SOCKET_FRESH ? 0 : belief & ~SOCKET_OWN_BIT;
    while (known != belief &&
           !atomic_compare_exchange_weak(&socket_beliefs[fd], &belief, known));
}

void socket_sent(int fd)
{
    uint64_t cookie = socket_cookie(socket_believe(fd));

    disown(fd);
    for (int other = -1; cookie && (other = socket_next_duplicate(fd, other, cookie)) >= 0;)
        disown(other);
}

void socket_set_stream(int fd, uint64_t cookie)
{
    believe(fd, cookie ? (uint64_t)SOCKET_STREAM << 56 | cookie : (uint64_t)SOCKET_OTHER << 56);
}

void socket_set_ours(int fd, bool ours)
{
    believe(fd, ours ? (uint64_t)SOCKET_OURS << 56 : 0);
}

unsigned socket_highest(void)
{
    return atomic_load_explicit(&highest, memory_order_relaxed);
}

int socket_next_duplicate(int fd, int after, uint64_t cookie)
{
    unsigned seen = atomic_load_explicit(&highest, memory_order_relaxed);

    if (!atomic_load_explicit(&duplicates, memory_order_relaxed))
        return -1;
    for (unsigned other = (unsigned)(after + 1); other <= seen; other++)
        if ((int)other != fd && socket_cookie(socket_believe((int)other)) == cookie)
            return (int)other;
    return -1;
}

bool socket_is_last(int fd, socket_belief belief)
{
    return socket_next_duplicate(fd, -1, socket_cookie(belief)) < 0;
}
