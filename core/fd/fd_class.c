/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "fd/fd_class.h"

#include "base/sys.h"
#include "fd/selector.h"
#include "state.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/stat.h>

enum {
    CHUNK = 512,                /* descriptors of one chunk: a page of classes */
    CHUNKS = (1 << 20) / CHUNK, /* fs.nr_open's default; above it nothing is kept */
};

FAST_PATH_DATA _Atomic fd_class fd_classes_first[FD_FIRST];

static _Atomic(_Atomic fd_class *) chunks[CHUNKS];     /* the first one is never used */
FAST_PATH_DATA static const struct settings *settings; /* NULL before the start */
FAST_PATH_DATA static bool queries_all; /* each socket is queried at its first receive */
__thread bool fd_own_descriptors;

FAST_PATH_DATA static atomic_uint highest; /* the highest descriptor whose class is known */
FAST_PATH_DATA static atomic_bool
    duplicates; /* a socket has been duplicated: it may have two numbers */
FAST_PATH_DATA static _Atomic uint64_t
    unnamed; /* the last number that the library gave to a socket */

/* --- the classes by number --------------------------------------------------------------- */

static _Atomic fd_class *chunk_of(unsigned fd)
{
    return atomic_load_explicit(&chunks[fd / CHUNK], memory_order_acquire);
}

fd_class fd_class_cached_above(int fd)
{
    unsigned number = (unsigned)fd;
    _Atomic fd_class *chunk = number / CHUNK < CHUNKS ? chunk_of(number) : NULL;

    return chunk ? atomic_load_explicit(&chunk[number % CHUNK], memory_order_relaxed) : 0;
}

/* Where the class of a descriptor is kept; NULL: there is no memory for it. */
static _Atomic fd_class *entry(int fd)
{
    unsigned number = (unsigned)fd;
    _Atomic fd_class *chunk, *none = NULL;

    if (number < FD_FIRST)
        return &fd_classes_first[number];
    if (number / CHUNK >= CHUNKS)
        return NULL;
    chunk = chunk_of(number);
    if (chunk)
        return &chunk[number % CHUNK];
    chunk = sys_map_private(CHUNK * sizeof *chunk);
    if (chunk && !atomic_compare_exchange_strong(&chunks[number / CHUNK], &none, chunk)) {
        sys_unmap(chunk, CHUNK * sizeof *chunk);
        chunk = none; /* another thread was faster */
    }
    return chunk ? &chunk[number % CHUNK] : NULL;
}

static void cache_class(int fd, fd_class class)
{
    unsigned seen = atomic_load_explicit(&highest, memory_order_relaxed);
    _Atomic fd_class *at;

    /* No chunk is mapped for a class that says nothing, nor in mode off. */
    if (fd < 0 || fd_own_descriptors ||
        (fd_kind(class) <= FD_OTHER && fd_class_cached(fd) == 0 && fd >= FD_FIRST) ||
        (!settings && fd >= FD_FIRST))
        return;
    at = entry(fd);
    if (!at)
        return;
    while (seen < (unsigned)fd && !atomic_compare_exchange_weak(&highest, &seen, (unsigned)fd))
        continue;
    atomic_store_explicit(at, class, memory_order_relaxed);
}

static fd_class make_class(enum fd_kind kind, uint64_t flags, uint64_t identity)
{
    return (uint64_t)kind << 56 | flags | identity;
}

/* A socket whose cookie has not been queried. */
static fd_class unnamed_class(enum fd_kind kind, uint64_t flags)
{
    return make_class(kind, flags | FD_UNNAMED,
                      (atomic_fetch_add_explicit(&unnamed, 1, memory_order_relaxed) + 1) &
                          FD_IDENTITY_MASK);
}

static bool same_socket(fd_class one, fd_class other)
{
    return fd_kind(one) >= FD_SOCKET && (one & FD_IDENTITY_MASK) == (other & FD_IDENTITY_MASK) &&
           (one & FD_UNNAMED) == (other & FD_UNNAMED);
}

unsigned fd_highest(void)
{
    return atomic_load_explicit(&highest, memory_order_relaxed);
}

int fd_next_duplicate(int fd, int after, fd_class class)
{
    unsigned seen = fd_highest();

    if (!atomic_load_explicit(&duplicates, memory_order_relaxed))
        return -1;
    for (unsigned other = (unsigned)(after + 1); other <= seen; other++)
        if ((int)other != fd && same_socket(fd_class_cached((int)other), class))
            return (int)other;
    return -1;
}

bool fd_is_last(int fd, fd_class class)
{
    return fd_next_duplicate(fd, -1, class) < 0;
}

/* --- queries ----------------------------------------------------------------------------- */

static int option(int fd, int name, int *ret_value)
{
    socklen_t length = sizeof *ret_value;

    return sys_getsockopt(fd, SOL_SOCKET, name, ret_value, &length);
}

bool fd_is_stream_now(int fd)
{
    int type;

    return option(fd, SO_TYPE, &type) == 0 && type == SOCK_STREAM;
}

/* All sockets whose messages Linux would cut. */
static enum fd_kind kind_of(int domain, int type, int protocol)
{
    if (type != SOCK_DGRAM && type != SOCK_SEQPACKET)
        return FD_OTHER;
    switch (domain) {
    case AF_INET:
    case AF_INET6:
        /* Not ICMP "ping" sockets, which are datagram sockets too; nor SCTP, which delivers in
         * parts by itself. */
        return type == SOCK_DGRAM &&
                       (protocol == 0 || protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE)
                   ? FD_DATAGRAM
                   : FD_OTHER;
    case AF_UNIX:
    case AF_VSOCK:
        return FD_LARGE;
    default:
        return FD_OTHER;
    }
}

static enum fd_kind query_kind(int fd)
{
    int type, domain, protocol, error = option(fd, SO_TYPE, &type);

    if (error)
        return error == -EBADF ? FD_UNKNOWN : FD_OTHER;
    if (type != SOCK_DGRAM && type != SOCK_SEQPACKET)
        return FD_OTHER;
    if (option(fd, SO_DOMAIN, &domain) != 0 || option(fd, SO_PROTOCOL, &protocol) != 0)
        return FD_OTHER;
    return kind_of(domain, type, protocol);
}

/* Caches a class for `fd`, and for the numbers that are known to be the same socket. */
static void rename_all(int fd, fd_class before, fd_class class)
{
    if ((before & FD_UNNAMED) && fd_kind(before) >= FD_SOCKET)
        for (int other = -1; (other = fd_next_duplicate(fd, other, before)) >= 0;)
            cache_class(other, class);
    cache_class(fd, class);
}

fd_class fd_class_query(int fd)
{
    fd_class before = fd_class_cached(fd), class;
    enum fd_kind kind = query_kind(fd);
    bool final = true, is_ours;
    uint64_t cookie = 0;

    if (kind == FD_UNKNOWN)
        return 0;
    if (kind != FD_OTHER && settings && settings->sockets.count > 0 &&
        !fd_is_selected(&settings->sockets, fd, &final))
        kind = FD_OTHER;
    /* Linux before 4.12 has no SO_COOKIE. A socket that cannot be distinguished from its successor
     * is left alone. */
    if (kind != FD_OTHER && (cookie = fd_query_cookie(fd)) == 0)
        kind = FD_OTHER;
    is_ours =
        (before & FD_DUPS_KNOWN) && ((before & FD_UNNAMED) || fd_class_cookie(before) == cookie);
    class = make_class(kind, is_ours ? FD_DUPS_KNOWN : 0, cookie);
    if (final)
        rename_all(fd, before, class);
    return class;
}

fd_class fd_class_get(int fd)
{
    fd_class class = fd_class_cached(fd);

    return fd_kind(class) == FD_SOCKET ? fd_class_query(fd) : class;
}

fd_class fd_class_get_any(int fd)
{
    fd_class class = fd_class_cached(fd);

    if (fd_kind(class) == FD_UNKNOWN || fd_kind(class) == FD_SOCKET ||
        (fd_class_is_message(class) && fd_class_cookie(class) == 0))
        class = fd_class_query(fd);
    return class;
}

uint64_t fd_cookie(int fd)
{
    fd_class class = fd_class_get_any(fd);

    return fd_kind(class) > FD_SOCKET ? fd_class_cookie(class) : 0;
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

/* --- what the program does --------------------------------------------------------------- */

/* The class of a new socket of this kind. */
static fd_class new_class(enum fd_kind kind)
{
    if (kind <= FD_OTHER)
        return make_class(kind, 0, 0);
    return unnamed_class(queries_all ? FD_SOCKET : kind, FD_DUPS_KNOWN);
}

void fd_made(int fd, int domain, int type, int protocol)
{
    if (fd >= 0)
        cache_class(fd,
                    new_class(kind_of(domain, type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC), protocol)));
}

/* A connection has the type of its listener: records, or a stream. */
void fd_accepted(int listener, int fd)
{
    fd_class class = fd_class_cached(listener);

    if (fd < 0)
        return;
    if (fd_kind(class) == FD_SOCKET)
        cache_class(fd, unnamed_class(FD_SOCKET, FD_DUPS_KNOWN));
    else
        cache_class(fd, new_class(fd_class_is_message(class) ? fd_kind(class) : FD_OTHER));
}

void fd_forget(int fd)
{
    if (fd_class_cached(fd) != 0)
        cache_class(fd, 0);
}

void fd_forget_range(unsigned first, unsigned last)
{
    unsigned seen = fd_highest();

    for (unsigned fd = first; fd <= last && fd <= seen; fd++)
        fd_forget((int)fd);
}

void fd_duplicated(int old, int new)
{
    fd_class class = fd_class_cached(old);

    if (fd_kind(class) >= FD_SOCKET)
        atomic_store_explicit(&duplicates, true, memory_order_relaxed);
    /* One number may be selected, and the other not. */
    if (fd_kind(class) != FD_UNKNOWN && settings && fd_selects_by_number(&settings->sockets))
        class = unnamed_class(FD_SOCKET, class & FD_DUPS_KNOWN);
    cache_class(new, class);
}

void fd_received(int fd)
{
    fd_forget(fd);
    if (atomic_load(&state.active) && !sys_is_sandboxed() &&
        fd_class_is_message(fd_class_query(fd)))
        atomic_store_explicit(&duplicates, true, memory_order_relaxed);
}

static void disown(int fd)
{
    fd_class class = fd_class_cached(fd);
    _Atomic fd_class *at = fd_kind(class) >= FD_SOCKET ? entry(fd) : NULL;

    while (at && !atomic_compare_exchange_weak(at, &class, class & ~FD_DUPS_KNOWN))
        continue;
}

void fd_sent(int fd)
{
    fd_class class = fd_class_cached(fd);

    disown(fd);
    for (int other = -1; (other = fd_next_duplicate(fd, other, class)) >= 0;)
        disown(other);
}

void fd_set_stream(int fd, uint64_t cookie)
{
    cache_class(fd, make_class(cookie ? FD_STREAM : FD_OTHER, 0, cookie));
}

void fd_set_internal(int fd, bool internal)
{
    cache_class(fd, make_class(internal ? FD_INTERNAL : FD_UNKNOWN, 0, 0));
}

bool fd_any_message(void)
{
    for (unsigned fd = 0; fd <= fd_highest(); fd++)
        if (fd_class_is_message(fd_class_get((int)fd)))
            return true;
    return false;
}

/* --- start ------------------------------------------------------------------------------- */

/* Finds the sockets that the program was started with, by fstat(2). The dynamic linker calls it
 * too, so no filter kills for it. A program is started with the lowest numbers, or with some that a
 * person has chosen: a gap of this size ends the search. */
START_CODE static void find_inherited(void)
{
    enum { GAP = 16 };
    struct sys_file file;

    for (int fd = 0, open = -1; fd - open <= GAP; fd++) {
        if (sys_fstat(fd, &file) != 0)
            continue;
        open = fd;
        if (S_ISSOCK(file.mode) && fd_class_cached(fd) == 0)
            cache_class(fd, unnamed_class(FD_SOCKET, 0));
    }
}

/* Sockets that were made before the settings were read. */
static void query_later(int fd)
{
    fd_class class = fd_class_cached(fd);

    if (fd_class_is_message(class) && (class & FD_UNNAMED))
        cache_class(fd, class + ((uint64_t)FD_SOCKET << 56) - ((uint64_t)fd_kind(class) << 56));
}

START_CODE void fd_class_start(const struct settings *with_settings, bool query_all)
{
    settings = with_settings;
    queries_all = query_all;
    if (query_all)
        for (unsigned fd = 0; fd <= fd_highest(); fd++)
            query_later((int)fd);
    find_inherited();
}
