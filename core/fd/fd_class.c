/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "fd/fd_class.h"

#include "base/compiler.h"
#include "base/sys.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Address space only until a descriptor is used: fs.nr_open's default. */
enum { CLASSES = 1 << 20 };

FAST_PATH_DATA _Atomic fd_class *fd_classes;
FAST_PATH_DATA unsigned fd_classes_count;

static const struct settings *settings;
static atomic_uint highest;    /* descriptor of which something is believed */
static atomic_bool duplicates; /* a message socket has been duplicated: it may have two numbers */

int fd_class_start(const struct settings *with_settings)
{
    void *at = sys_map_private(CLASSES * sizeof(fd_class));

    if (!at)
        return -ENOMEM;
    settings = with_settings;
    fd_classes = at;
    fd_classes_count = CLASSES;
    return 0;
}

static void cache_class(int fd, fd_class class)
{
    unsigned seen = atomic_load_explicit(&highest, memory_order_relaxed);

    if ((unsigned)fd >= fd_classes_count)
        return;
    while (seen < (unsigned)fd && !atomic_compare_exchange_weak(&highest, &seen, (unsigned)fd))
        continue;
    atomic_store_explicit(&fd_classes[fd], class, memory_order_relaxed);
}

/* --- the kernel's word ------------------------------------------------------------------- */

static int option(int fd, int name, int *ret_value)
{
    socklen_t length = sizeof *ret_value;

    return sys_getsockopt(fd, SOL_SOCKET, name, ret_value, &length);
}

uint64_t fd_query_cookie(int fd)
{
    uint64_t cookie = 0;
    socklen_t length = sizeof cookie;

    if (sys_getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) != 0)
        return 0;
    return cookie & FD_COOKIE_MASK;
}

bool fd_is_stream_now(int fd)
{
    int type;

    return option(fd, SO_TYPE, &type) == 0 && type == SOCK_STREAM;
}

int fd_identify(int fd, uint64_t *ret_cookie, bool *ret_stream)
{
    fd_class class = fd_class_cached(fd);
    int type, error;

    *ret_stream = false;
    *ret_cookie = fd_query_cookie(fd);
    if (*ret_cookie && fd_class_is_message(class) && fd_class_cookie(class) == *ret_cookie)
        return 0;
    error = option(fd, SO_TYPE, &type);
    if (error)
        return error;
    *ret_stream = type == SOCK_STREAM;
    return *ret_cookie ? 0 : -ENOPROTOOPT;
}

/* By type, domain and protocol; nothing else has messages that Linux would cut. */
static enum fd_kind classify(int fd)
{
    int type, domain, protocol, error = option(fd, SO_TYPE, &type);

    if (error)
        return error == -EBADF ? FD_UNKNOWN : FD_OTHER;
    if (type != SOCK_DGRAM && type != SOCK_SEQPACKET)
        return FD_OTHER;
    if (option(fd, SO_DOMAIN, &domain) != 0 || option(fd, SO_PROTOCOL, &protocol) != 0)
        return FD_OTHER;
    switch (domain) {
    case AF_INET:
    case AF_INET6:
        /* Not ICMP "ping" sockets (datagram too), nor SCTP (delivers in parts by itself). */
        if (type != SOCK_DGRAM)
            return FD_OTHER;
        /* The kernel always says which: 0 is libsocket-wrapper's word for a socket(2) without a
         * protocol, which is of AF_UNIX in truth. */
        if (protocol == 0)
            return FD_LARGE;
        return protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE ? FD_DATAGRAM : FD_OTHER;
    case AF_UNIX:
    case AF_VSOCK:
        return FD_LARGE;
    default:
        return FD_OTHER;
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
    for (size_t i = 0; settings && i < settings->sockets.count; i++)
        if (settings->sockets.at[i].kind == SELECT_FD)
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
    if (settings->sockets.count == 0)
        return true;
    if (option(fd, SO_DOMAIN, &names.domain) != 0 ||
        sys_getsockname(fd, (struct sockaddr *)&names.local, &names.local_length) != 0)
        return false;
    if (sys_getpeername(fd, (struct sockaddr *)&names.peer, &names.peer_length) != 0)
        names.peer_length = 0;

    for (size_t i = 0; i < settings->sockets.count; i++) {
        const struct selector *selector = &settings->sockets.at[i];

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

fd_class fd_class_query(int fd)
{
    fd_class before = fd_class_cached(fd), class;
    enum fd_kind kind = classify(fd);
    bool settled = true;
    uint64_t cookie = 0;

    if (kind == FD_UNKNOWN)
        return 0;
    if (kind != FD_OTHER && !selected(fd, &settled))
        kind = FD_OTHER;
    /* Linux before 4.12 has no SO_COOKIE; a socket that cannot be told from its successor is
     * better left alone. */
    if (kind != FD_OTHER && (cookie = fd_query_cookie(fd)) == 0)
        kind = FD_OTHER;
    class = (uint64_t)kind << 56 | cookie;
    if (fd_kind(before) == FD_NEW ||
        ((before & FD_DUPS_KNOWN) && fd_class_cookie(before) == cookie))
        class |= FD_DUPS_KNOWN;
    if (settled)
        cache_class(fd, class);
    return class;
}

fd_class fd_class_get(int fd)
{
    fd_class class = fd_class_cached(fd);

    return fd_kind(class) <= FD_NEW ? fd_class_query(fd) : class;
}

void fd_made(int fd)
{
    if (fd >= 0)
        cache_class(fd, (uint64_t)FD_NEW << 56);
}

void fd_forget(int fd)
{
    if (fd_class_cached(fd) != 0)
        cache_class(fd, 0);
}

void fd_forget_range(unsigned first, unsigned last)
{
    unsigned seen = atomic_load_explicit(&highest, memory_order_relaxed);

    for (unsigned fd = first; fd <= last && fd <= seen; fd++)
        fd_forget((int)fd);
}

void fd_duplicated(int old, int new)
{
    /* Asked now, so that both are known to be one socket when either is closed. */
    fd_class class = fd_class_get(old);

    cache_class(new, fd_class_cached(old));
    if (fd_kind(class) == FD_OTHER && !selects_by_number())
        return;
    atomic_store_explicit(&duplicates, true, memory_order_relaxed);
    if (selects_by_number()) {
        cache_class(new, class & FD_DUPS_KNOWN ? (uint64_t)FD_NEW << 56 : 0);
        fd_class_query(new);
    }
}

void fd_received(int fd)
{
    fd_forget(fd);
    if (fd_class_is_message(fd_class_query(fd)))
        atomic_store_explicit(&duplicates, true, memory_order_relaxed);
}

static void disown(int fd)
{
    fd_class class = fd_class_cached(fd), known;

    if ((unsigned)fd >= fd_classes_count)
        return;
    do
        known = fd_kind(class) == FD_NEW ? 0 : class & ~FD_DUPS_KNOWN;
    while (known != class && !atomic_compare_exchange_weak(&fd_classes[fd], &class, known));
}

void fd_sent(int fd)
{
    uint64_t cookie = fd_class_cookie(fd_class_cached(fd));

    disown(fd);
    for (int other = -1; cookie && (other = fd_next_duplicate(fd, other, cookie)) >= 0;)
        disown(other);
}

void fd_set_stream(int fd, uint64_t cookie)
{
    cache_class(fd, cookie ? (uint64_t)FD_STREAM << 56 | cookie : (uint64_t)FD_OTHER << 56);
}

void fd_set_internal(int fd, bool ours)
{
    cache_class(fd, ours ? (uint64_t)FD_INTERNAL << 56 : 0);
}

unsigned fd_highest(void)
{
    return atomic_load_explicit(&highest, memory_order_relaxed);
}

int fd_next_duplicate(int fd, int after, uint64_t cookie)
{
    unsigned seen = atomic_load_explicit(&highest, memory_order_relaxed);

    if (!atomic_load_explicit(&duplicates, memory_order_relaxed))
        return -1;
    for (unsigned other = (unsigned)(after + 1); other <= seen; other++)
        if ((int)other != fd && fd_class_cookie(fd_class_cached((int)other)) == cookie)
            return (int)other;
    return -1;
}

bool fd_is_last(int fd, fd_class class)
{
    return fd_next_duplicate(fd, -1, fd_class_cookie(class)) < 0;
}
