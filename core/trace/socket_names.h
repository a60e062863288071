/* SPDX-License-Identifier: MIT
 *
 * The names of the sockets that a thread receives from, asked for once: they belong to the cookie.
 */
#ifndef WSRX_TRACE_SOCKET_NAMES_H
#define WSRX_TRACE_SOCKET_NAMES_H

#include "base/compiler.h"
#include "trace/record.h"

#include <stdint.h>
#include <sys/socket.h>

/* What an Internet socket needs lies in one line of the cache. */
struct socket_names {
    uint64_t cookie;
    int fd;
    socklen_t local_length, peer_length;
    struct sockaddr_storage local, peer;
} __attribute__((aligned(64)));

enum { SOCKET_NAMES = 64 };

/* All zero at first. One thread at a time. */
struct socket_names_cache {
    struct socket_names names[SOCKET_NAMES];
};

SLOW_PATH void socket_names_query(struct socket_names *names, const struct record *record);

/* Those of a record's socket. */
static inline const struct socket_names *socket_names_of(struct socket_names_cache *cache,
                                                         const struct record *record)
{
    struct socket_names *names = &cache->names[(unsigned)record->fd % SOCKET_NAMES];

    if (!(LIKELY(names->cookie == record->cookie) && LIKELY(names->fd == record->fd)))
        socket_names_query(names, record);
    return names;
}

#endif
