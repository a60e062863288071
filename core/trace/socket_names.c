/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "trace/socket_names.h"

#include "base/sys.h"
#include "state.h"

void socket_names_query(struct socket_names *names, const struct record *record)
{
    names->fd = record->fd;
    names->cookie = 0;
    names->local_length = names->peer_length = 0;
    if (sys_is_sandboxed())
        return;
    names->local_length = sizeof names->local;
    if (sys_getsockname(record->fd, (struct sockaddr *)&names->local, &names->local_length) != 0)
        names->local_length = 0;
    names->peer_length = sizeof names->peer;
    if (sys_getpeername(record->fd, (struct sockaddr *)&names->peer, &names->peer_length) != 0)
        names->peer_length = 0;
    /* Before it sends or is bound, a socket has no name: ask again next time. */
    if (record_port((struct sockaddr *)&names->local, names->local_length) != 0 ||
        (names->local.ss_family != AF_INET && names->local.ss_family != AF_INET6))
        names->cookie = record->cookie;
}
