/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "fd/selector.h"

#include "base/sys.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

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

/* The next byte of a name in WSRX_SOCKETS, which may have the trace's escape sequences
 * (settings.h). */
static unsigned char next_byte(const char **at, const char *end)
{
    static const char digits[] = "0123456789abcdef", short_escapes[] = "nrt", bytes[] = "\n\r\t";
    const char *from = *at, *high, *low;

    *at += 1;
    if (*from != '\\' || end - from < 2)
        return (unsigned char)*from;
    if (from[1] == '\\' || from[1] == '"') {
        *at += 1;
        return (unsigned char)from[1];
    }
    if (strchr(short_escapes, from[1])) {
        *at += 1;
        return (unsigned char)bytes[strchr(short_escapes, from[1]) - short_escapes];
    }
    if (from[1] != 'x' || end - from < 4 || !(high = strchr(digits, from[2])) ||
        !(low = strchr(digits, from[3])) || !*high || !*low)
        return (unsigned char)*from;
    *at += 3;
    return (unsigned char)((high - digits) << 4 | (low - digits));
}

/* unix(7): a path ends at a zero byte. An abstract name begins with one, which is written as @, and
 * has no other end than its length. */
static bool has_path(const struct sockaddr_storage *name, socklen_t length,
                     const struct selector *selector)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)name;
    const char *at = selector->path, *end = at + selector->path_length;
    size_t most, i = 0;

    if (name->ss_family != AF_UNIX || length <= offsetof(struct sockaddr_un, sun_path))
        return false;
    most = (size_t)length - offsetof(struct sockaddr_un, sun_path);
    if (un->sun_path[0] != '\0')
        most = strnlen(un->sun_path, most);
    else if (*at++ == '@')
        i = 1;
    else
        return false;
    while (at < end && i < most)
        if (next_byte(&at, end) != (unsigned char)un->sun_path[i++])
            return false;
    return at == end && i == most;
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

bool fd_is_selected(const struct selectors *selectors, int fd, bool *ret_final)
{
    struct names names = {.local_length = sizeof names.local, .peer_length = sizeof names.peer};
    socklen_t length = sizeof names.domain;
    bool included = true, any_inclusion = false, found = false;

    *ret_final = true;
    if (selectors->count == 0)
        return true;
    if (sys_getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &names.domain, &length) != 0 ||
        sys_getsockname(fd, (struct sockaddr *)&names.local, &names.local_length) != 0)
        return false;
    if (sys_getpeername(fd, (struct sockaddr *)&names.peer, &names.peer_length) != 0)
        names.peer_length = 0;

    for (size_t i = 0; i < selectors->count; i++) {
        const struct selector *selector = &selectors->at[i];

        /* It may still get the name that is selected. */
        if ((selector->kind == SELECT_PORT && port(&names.local) == 0) ||
            (selector->kind == SELECT_PATH && names.domain == AF_UNIX &&
             names.local_length <= offsetof(struct sockaddr_un, sun_path)))
            *ret_final = false;
        if (selector->exclude) {
            included = included && !matches(selector, fd, &names);
        } else {
            any_inclusion = true;
            found = found || matches(selector, fd, &names);
        }
    }
    return included && (found || !any_inclusion);
}

bool fd_selects_by_number(const struct selectors *selectors)
{
    for (size_t i = 0; i < selectors->count; i++)
        if (selectors->at[i].kind == SELECT_FD)
            return true;
    return false;
}
