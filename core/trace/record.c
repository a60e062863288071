/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "trace/record.h"

#include "base/strbuf.h"

#include <arpa/inet.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

static const char *const call_names[RECORD_CALLS] = {
    [RECORD_UNKNOWN] = "?",
    [RECORD_RECV] = "recv",
    [RECORD_RECVFROM] = "recvfrom",
    [RECORD_RECVMSG] = "recvmsg",
    [RECORD_RECVMMSG] = "recvmmsg",
    [RECORD_READ] = "read",
    [RECORD_READV] = "readv",
    [RECORD_PREADV2] = "preadv2",
    [RECORD_WSRX_RECEIVE] = "wsrx_receive",
    [RECORD_CLOSE] = "close",
    [RECORD_EXEC] = "exec",
    [RECORD_EXIT] = "exit",
    [RECORD_SEND] = "send",
    [RECORD_IO_URING] = "io_uring",
};

const char *record_call_name(enum record_call call)
{
    return (unsigned)call < RECORD_CALLS ? call_names[call] : call_names[RECORD_UNKNOWN];
}

enum record_call record_call_named(const char *name, size_t length)
{
    for (unsigned i = 1; i < RECORD_CALLS; i++)
        if (strlen(call_names[i]) == length && memcmp(call_names[i], name, length) == 0)
            return (enum record_call)i;
    return RECORD_UNKNOWN;
}

/* --- pieces of a line -------------------------------------------------------------------- */

char *record_put_escaped(char *to, const char *text, size_t length, bool json)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '"' || c == '\\') {
            *to++ = '\\';
            *to++ = (char)c;
        } else if (c >= ' ' && c < 127) {
            *to++ = (char)c;
        } else if (c == '\n' || c == '\r' || c == '\t') {
            *to++ = '\\';
            *to++ = c == '\n' ? 'n' : c == '\r' ? 'r' : 't';
        } else {
            to = json ? PUT(to, "\\u00") : PUT(to, "\\x");
            *to++ = line_hex_digits[c >> 4];
            *to++ = line_hex_digits[c & 15];
        }
    }
    return to;
}

/* --- addresses --------------------------------------------------------------------------- */

static char *put_inet(char *to, const unsigned char *bytes, unsigned port)
{
    for (unsigned i = 0; i < 4; i++) {
        to = put_number(to, bytes[i]);
        *to++ = i < 3 ? '.' : ':';
    }
    return put_number(to, port);
}

static char *put_unix(char *to, const struct sockaddr *address, socklen_t length, bool json)
{
    const char *path = ((const struct sockaddr_un *)address)->sun_path;
    size_t most = length - offsetof(struct sockaddr_un, sun_path);

    /* unix(7): an abstract name starts with a zero byte and may hold more of them. */
    if (path[0] == '\0') {
        *to++ = '@';
        return record_put_escaped(to, path + 1, most - 1, json);
    }
    return record_put_escaped(to, path, strnlen(path, most), json);
}

char *record_put_address(char *to, const struct sockaddr *address, socklen_t length, bool json)
{
    if (length <= sizeof(sa_family_t))
        return to;
    switch (address->sa_family) {
    case AF_INET: {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;

        if (length < sizeof *in)
            return to;
        return put_inet(to, (const unsigned char *)&in->sin_addr, ntohs(in->sin_port));
    }
    case AF_INET6: {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;

        /* RFC 2133's shorter form has no scope. */
        if (length < offsetof(struct sockaddr_in6, sin6_scope_id))
            return to;
        *to++ = '[';
        if (inet_ntop(AF_INET6, &in6->sin6_addr, to, INET6_ADDRSTRLEN))
            to += strlen(to);
        to = PUT(to, "]:");
        return put_number(to, ntohs(in6->sin6_port));
    }
    case AF_UNIX:
        return put_unix(to, address, length, json);
    case AF_VSOCK: {
        const struct sockaddr_vm *vm = (const struct sockaddr_vm *)address;

        if (length < sizeof *vm)
            return to;
        to = put_number(PUT(to, "vsock:"), vm->svm_cid);
        *to++ = ':';
        return put_number(to, vm->svm_port);
    }
    default:
        return put_number(PUT(to, "family "), address->sa_family);
    }
}

size_t record_address(const struct sockaddr *address, socklen_t length, char *to)
{
    char line[8 * sizeof(struct sockaddr_storage)];
    size_t most = (size_t)(record_put_address(line, address, length, false) - line);

    if (most >= RECORD_ADDRESS_MAX)
        most = RECORD_ADDRESS_MAX - 1;
    memcpy(to, line, most);
    to[most] = '\0';
    return most;
}

unsigned record_port(const struct sockaddr *address, socklen_t length)
{
    if (length >= sizeof(struct sockaddr_in) && address->sa_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)address)->sin_port);
    if (length >= offsetof(struct sockaddr_in6, sin6_addr) && address->sa_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
    return 0;
}

/* --- filters ----------------------------------------------------------------------------- */

static bool starts(const char *item, size_t length, const char *prefix, size_t *ret_after)
{
    *ret_after = strlen(prefix);
    return length >= *ret_after && memcmp(item, prefix, *ret_after) == 0;
}

static bool parse_item(struct trace_filter_items *items, const char *item, size_t length)
{
    static const char *const states[] = {"partial", "lost", "error", "peek", "dropped"};
    size_t after;
    uint64_t number;

    for (unsigned i = 0; i < sizeof states / sizeof *states; i++)
        if (strlen(states[i]) == length && memcmp(states[i], item, length) == 0) {
            items->states |= 1u << i;
            return true;
        }
    if (starts(item, length, "fd=", &after)) {
        if (items->fds == TRACE_FILTER_MAX ||
            !read_number(item + after, length - after, INT32_MAX, &number))
            return false;
        items->fd[items->fds++] = (int)number;
        return true;
    }
    if (starts(item, length, "port=", &after)) {
        if (items->ports == TRACE_FILTER_MAX ||
            !read_number(item + after, length - after, UINT16_MAX, &number))
            return false;
        items->port[items->ports++] = (unsigned)number;
        return true;
    }
    if (starts(item, length, "call=", &after)) {
        enum record_call call = record_call_named(item + after, length - after);

        items->calls |= 1u << call;
        return call != RECORD_UNKNOWN;
    }
    return false;
}

bool record_filter_parse(struct trace_filter *filter, const char *value)
{
    memset(filter, 0, sizeof *filter);
    for (;; value++) {
        bool excluded = *value == '!';
        size_t length = strcspn(value += excluded, ",");

        if (!parse_item(excluded ? &filter->excluded : &filter->wanted, value, length))
            return false;
        value += length;
        if (!*value)
            return true;
    }
}

static bool is_empty(const struct trace_filter_items *items)
{
    return !items->states && !items->calls && !items->fds && !items->ports;
}

bool record_filter_is_empty(const struct trace_filter *filter)
{
    return is_empty(&filter->wanted) && is_empty(&filter->excluded);
}

/* The kinds of items. */
enum { BY_STATE = 1, BY_CALL = 2, BY_FD = 4, BY_PORT = 8 };

static bool has_state(unsigned states, const struct record *record)
{
    return ((states & RECORD_STATE_PARTIAL) && (record->flags & RECORD_PARTIAL)) ||
           ((states & RECORD_STATE_LOST) && record->lost > 0) ||
           ((states & RECORD_STATE_ERROR) && record->error != 0) ||
           ((states & RECORD_STATE_PEEK) && (record->flags & RECORD_PEEK)) ||
           ((states & RECORD_STATE_DROPPED) && record->dropped > 0);
}

static bool has_port(const struct trace_filter_items *items, const struct record *record)
{
    bool found = false;

    for (size_t i = 0; i < items->ports && !found; i++)
        found = items->port[i] == record_port(record->local, record->local_length) ||
                items->port[i] == record_port(record->peer, record->peer_length);
    return found;
}

/* A file may tell of a call that is not known here. */
static bool has_call(unsigned calls, const struct record *record)
{
    return record->call < RECORD_CALLS && (calls & 1u << record->call);
}

/* The kinds of which the record meets an item. */
static unsigned met(const struct trace_filter_items *items, const struct record *record)
{
    bool fd = false;

    for (size_t i = 0; i < items->fds && !fd; i++)
        fd = items->fd[i] == record->fd;
    return (has_state(items->states, record) ? BY_STATE : 0u) |
           (has_call(items->calls, record) ? BY_CALL : 0u) | (fd ? BY_FD : 0u) |
           (has_port(items, record) ? BY_PORT : 0u);
}

bool record_filter_match(const struct trace_filter *filter, const struct record *record)
{
    const struct trace_filter_items *wanted = &filter->wanted;
    unsigned kinds = (wanted->states ? BY_STATE : 0u) | (wanted->calls ? BY_CALL : 0u) |
                     (wanted->fds ? BY_FD : 0u) | (wanted->ports ? BY_PORT : 0u);

    return met(wanted, record) == kinds && met(&filter->excluded, record) == 0;
}
