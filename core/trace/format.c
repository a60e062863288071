/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "trace/format.h"

#include "base/libc.h"
#include "base/strbuf.h"

#include <string.h>

/* --- what is kept ------------------------------------------------------------------------ */

enum { BLOCK = 32 };

/* Copies whole blocks: behind the piece and behind the line there is room. */
static inline char *put_kept(char *to, const char *text, uint32_t length)
{
    for (uint32_t at = 0; at < length; at += BLOCK)
        memcpy(to + at, text + at, BLOCK);
    return to + length;
}

#define PUT_KEPT(to, piece) put_kept((to), (piece)->text, (piece)->length)

static void keep(char *text, uint32_t *length, uint32_t room, const char *from, const char *end)
{
    size_t size = (size_t)(end - from);

    *length = size <= room ? (uint32_t)size : 0;
    memcpy(text, from, *length);
}

#define KEEP(piece, from, end) \
    keep((piece)->text, &(piece)->length, sizeof(piece)->text, (from), (end))

static inline bool is_kept(const struct record_kept_address *kept, const struct sockaddr *address,
                           socklen_t length)
{
    if (kept->length != length)
        return false;
    /* What nearly every address is, without a call. */
    if (length == 16)
        return memcmp(kept->bytes, address, 16) == 0;
    return memcmp(kept->bytes, address, length) == 0;
}

/* A longer one is never found again. */
static void keep_address(struct record_kept_address *kept, const struct sockaddr *address,
                         socklen_t length)
{
    kept->length = length <= sizeof kept->bytes ? length : UINT32_MAX;
    if (length <= sizeof kept->bytes)
        memcpy(kept->bytes, address, length);
}

static struct record_socket *socket_of(struct format_cache *lines, const struct record *record)
{
    return &lines->socket[(unsigned)record->fd % RECORD_SOCKETS];
}

/* --- words ------------------------------------------------------------------------------- */

static const char *protocol(const struct record *record)
{
    if (record->local_length < sizeof(sa_family_t))
        return "socket";
    switch (record->local->sa_family) {
    case AF_INET:
    case AF_INET6:
        return "udp";
    case AF_UNIX:
        return "unix";
    case AF_VSOCK:
        return "vsock";
    default:
        return "socket";
    }
}

static char *put_error(char *to, int error)
{
    const char *name = libc_error_name(error);

    return name ? put_string(to, name) : put_number(PUT(to, "errno "), (uint64_t)error);
}

enum { NANOSECONDS = 1000000000, SECONDS_IN_A_DAY = 86400 };

/* What nearly every record is: a message that fitted. */
static bool is_ordinary(const struct record *record)
{
    return record->flags == RECORD_LAST && record->error == 0 && record->offset == 0 &&
           record->left == 0 && record->lost == 0;
}

static char *put_socket(char *to, struct record_socket *socket, const struct record *record,
                        char *make(char *to, const struct record *record))
{
    char *end;

    if (socket->here.length > 0 && socket->fd == record->fd && socket->cookie == record->cookie &&
        socket->call == record->call &&
        is_kept(&socket->local, record->local, record->local_length))
        return PUT_KEPT(to, &socket->here);
    end = make(to, record);
    KEEP(&socket->here, to, end);
    socket->fd = record->fd;
    socket->cookie = record->cookie;
    socket->call = record->call;
    keep_address(&socket->local, record->local, record->local_length);
    return end;
}

static char *put_peer(char *to, struct record_socket *socket, const struct record *record,
                      char *make(char *to, const struct record *record))
{
    char *end;

    if (socket->from.length > 0 && is_kept(&socket->peer, record->peer, record->peer_length))
        return PUT_KEPT(to, &socket->from);
    end = make(to, record);
    KEEP(&socket->from, to, end);
    keep_address(&socket->peer, record->peer, record->peer_length);
    return end;
}

static const struct record_module *module_of(const struct format_cache *lines,
                                             const struct record *record)
{
    return lines->module_of ? lines->module_of(record) : NULL;
}

/* "socat+0x1abcc". */
static char *put_module(char *to, const struct record_module *module, uint64_t address, bool json)
{
    const char *name = module_name(module);

    to = record_put_escaped(to, name, strnlen(name, 64), json);
    return put_hex(PUT(to, "+0x"), address - module->bias);
}

static char *put_caller(char *to, struct format_cache *lines, struct record_socket *socket,
                        const struct record *record,
                        char *make(char *to, const struct record *record,
                                   const struct record_module *module))
{
    char *end;

    if (socket->to.length > 0 && socket->caller == record->caller &&
        socket->modules == record->modules)
        return PUT_KEPT(to, &socket->to);
    end = make(to, record, module_of(lines, record));
    KEEP(&socket->to, to, end);
    socket->caller = record->caller;
    socket->modules = record->modules;
    return end;
}

/* --- text -------------------------------------------------------------------------------- */

/* `second` is local. */
static char *text_time(char *to, struct format_cache *lines, uint64_t second)
{
    uint32_t day = (uint32_t)(second % SECONDS_IN_A_DAY);
    char *at = to;

    if (lines->time.length > 0 && lines->second == second)
        return PUT_KEPT(to, &lines->time);
    at = put_digits(at, day / 3600, 2);
    *at++ = ':';
    at = put_digits(at, day / 60 % 60, 2);
    *at++ = ':';
    at = put_digits(at, day % 60, 2);
    *at++ = '.';
    KEEP(&lines->time, to, at);
    lines->second = second;
    return at;
}

static char *text_who(char *to, struct format_cache *lines, const struct record *record)
{
    char *at = to;

    if (lines->who.length > 0 && lines->pid == record->pid && lines->tid == record->tid)
        return PUT_KEPT(to, &lines->who);
    *at++ = ' ';
    at = put_number(at, record->pid);
    *at++ = '/';
    at = put_number(at, record->tid);
    at = PUT(at, " #");
    KEEP(&lines->who, to, at);
    lines->pid = record->pid;
    lines->tid = record->tid;
    return at;
}

static char *text_socket(char *to, const struct record *record)
{
    char *name;

    *to++ = ' ';
    to = put_string(to, record_call_name(record->call));
    *to++ = '(';
    to = put_signed(to, record->fd);
    *to++ = '<';
    to = put_string(to, protocol(record));
    *to++ = ' ';
    name = to;
    to = record_put_address(to, record->local, record->local_length, false);
    if (to == name)
        to = PUT(to, RECORD_NO_NAME);
    return PUT(to, ">, ");
}

static char *text_peer(char *to, const struct record *record)
{
    return record_put_address(PUT(to, " from "), record->peer, record->peer_length, false);
}

static char *text_caller(char *to, const struct record *record, const struct record_module *module)
{
    if (module)
        return put_module(PUT(to, " caller "), module, record->caller, false);
    return put_hex(PUT(to, " caller 0x"), record->caller);
}

static char *text_fate(char *at, const struct record *record)
{
    at = record->flags & RECORD_PEEK ? PUT(at, ", PEEK) = ") : PUT(at, ") = ");
    if (record->error) {
        at = put_error(PUT(at, "-1 "), record->error);
        if (record->flags & (RECORD_PARTIAL | RECORD_LAST))
            *at++ = ' ';
    }
    if (record->dropped > 0)
        return put_number(PUT(at, "DROPPED "), record->dropped);
    if (!(record->flags & (RECORD_PARTIAL | RECORD_LAST)))
        return at;
    at = put_number(at, record->given);
    at = put_number(PUT(at, " of "), record->length);
    if (record->offset > 0)
        at = put_number(PUT(at, " @"), record->offset);
    if (record->flags & RECORD_PARTIAL)
        at = put_number(PUT(at, " PARTIAL left "), record->left);
    if (record->flags & RECORD_LOST)
        at = put_number(PUT(at, " LOST "), record->lost);
    else if (record->flags & RECORD_LAST)
        at = PUT(at, " last");
    return at;
}

size_t format_text(struct format_cache *lines, const struct record *record, long east, char *to)
{
    struct record_socket *socket = socket_of(lines, record);
    uint64_t second = record->time / NANOSECONDS;
    char *at = text_time(to, lines, second + (uint64_t)east);

    at = put_digits(at, (uint32_t)(record->time - second * NANOSECONDS) / 1000, 6);
    at = text_who(at, lines, record);
    at = put_number(at, record->sequence);
    at = put_socket(at, socket, record, text_socket);
    at = put_number(at, record->room);
    if (is_ordinary(record)) {
        at = put_number(PUT(at, ") = "), record->given);
        at = put_number(PUT(at, " of "), record->length);
        at = PUT(at, " last");
    } else {
        at = text_fate(at, record);
    }
    if (record->peer_length > 0)
        at = put_peer(at, socket, record, text_peer);
    at = put_caller(at, lines, socket, record, text_caller);
    if (record->data_length > 0) {
        at = PUT(at, " \"");
        at = record_put_escaped(at, record->data, record->data_length, false);
        at = record->data_length < record->given ? PUT(at, "\"...") : PUT(at, "\"");
    }
    *at++ = '\n';
    return (size_t)(at - to);
}

/* --- JSON Lines -------------------------------------------------------------------------- */

/* A number as the value of a key. */
#define JSON_NUMBER(at, key, number) put_number(PUT((at), ",\"" key "\":"), (number))

static char *json_time(char *to, struct format_cache *lines, uint64_t second)
{
    char *at;

    if (lines->time.length > 0 && lines->second == second)
        return PUT_KEPT(to, &lines->time);
    at = put_number(PUT(to, "{\"time\":"), second);
    *at++ = '.';
    KEEP(&lines->time, to, at);
    lines->second = second;
    return at;
}

static char *json_who(char *to, struct format_cache *lines, const struct record *record)
{
    char *at;

    if (lines->who.length > 0 && lines->pid == record->pid && lines->tid == record->tid)
        return PUT_KEPT(to, &lines->who);
    at = JSON_NUMBER(to, "pid", record->pid);
    at = JSON_NUMBER(at, "tid", record->tid);
    at = PUT(at, ",\"seq\":");
    KEEP(&lines->who, to, at);
    lines->pid = record->pid;
    lines->tid = record->tid;
    return at;
}

static char *json_socket(char *to, const struct record *record)
{
    to = put_string(PUT(to, ",\"call\":\""), record_call_name(record->call));
    to = put_signed(PUT(to, "\",\"fd\":"), record->fd);
    to = JSON_NUMBER(to, "socket", record->cookie);
    to = put_string(PUT(to, ",\"protocol\":\""), protocol(record));
    to = PUT(to, "\",\"local\":\"");
    return record_put_address(to, record->local, record->local_length, true);
}

static char *json_peer(char *to, const struct record *record)
{
    to = PUT(to, "\",\"peer\":\"");
    to = record_put_address(to, record->peer, record->peer_length, true);
    return PUT(to, "\",\"length\":");
}

static char *json_caller(char *to, const struct record *record, const struct record_module *module)
{
    to = put_hex(PUT(to, ",\"caller\":\"0x"), record->caller);
    if (module)
        to = put_module(PUT(to, "\",\"at\":\""), module, record->caller, true);
    return PUT(to, "\"");
}

static char *json_fate(char *at, const struct record *record)
{
    at = JSON_NUMBER(at, "offset", record->offset);
    at = JSON_NUMBER(at, "left", record->left);
    at = JSON_NUMBER(at, "lost", record->lost);
    at = record->flags & RECORD_PARTIAL ? PUT(at, ",\"partial\":true")
                                        : PUT(at, ",\"partial\":false");
    at = record->flags & RECORD_LAST ? PUT(at, ",\"last\":true") : PUT(at, ",\"last\":false");
    if (record->flags & RECORD_PEEK)
        at = PUT(at, ",\"peek\":true");
    if (record->flags & RECORD_CUT)
        at = PUT(at, ",\"cut\":true");
    if (record->dropped > 0)
        at = JSON_NUMBER(at, "dropped", record->dropped);
    at = JSON_NUMBER(at, "errno", (uint64_t)record->error);
    if (record->error) {
        at = put_error(PUT(at, ",\"error\":\""), record->error);
        *at++ = '"';
    }
    return at;
}

static char *json_data(char *at, const struct record *record)
{
    const unsigned char *data = record->data;

    at = PUT(at, ",\"data\":\"");
    for (size_t i = 0; i < record->data_length; i++) {
        *at++ = line_hex_digits[data[i] >> 4];
        *at++ = line_hex_digits[data[i] & 15];
    }
    *at++ = '"';
    return at;
}

size_t format_jsonl(struct format_cache *lines, const struct record *record, char *to)
{
    struct record_socket *socket = socket_of(lines, record);
    uint64_t second = record->time / NANOSECONDS;
    uint32_t rest = (uint32_t)(record->time - second * NANOSECONDS);
    char *at = json_time(to, lines, second);

    *at++ = (char)('0' + rest / 100000000);
    at = put_digits(at, rest % 100000000, 8);
    at = json_who(at, lines, record);
    at = put_number(at, record->sequence);
    at = put_socket(at, socket, record, json_socket);
    at = put_peer(at, socket, record, json_peer);
    at = put_number(at, record->length);
    at = JSON_NUMBER(at, "buffer", record->room);
    at = JSON_NUMBER(at, "bytes", record->given);
    at = is_ordinary(record) ? PUT(at, ",\"offset\":0,\"left\":0,\"lost\":0,\"partial\":false,"
                                       "\"last\":true,\"errno\":0")
                             : json_fate(at, record);
    at = put_caller(at, lines, socket, record, json_caller);
    if (record->data_length > 0)
        at = json_data(at, record);
    at = PUT(at, "}\n");
    return (size_t)(at - to);
}

static char *json_text(char *to, const char *text)
{
    return record_put_escaped(to, text, strlen(text), true);
}

size_t format_jsonl_start(const struct format_start *start, char *to)
{
    char *at = PUT(to, "{\"type\":\"start\"");

    at = JSON_NUMBER(at, "version", JSONL_VERSION);
    at = JSON_NUMBER(at, "time", start->time / NANOSECONDS);
    *at++ = '.';
    *at++ = (char)('0' + start->time % NANOSECONDS / 100000000);
    at = put_digits(at, (uint32_t)(start->time % 100000000), 8);
    at = JSON_NUMBER(at, "pid", start->pid);
    at = JSON_NUMBER(at, "parent", start->parent);
    at = json_text(PUT(at, ",\"program\":\""), start->program->path);
    at = json_text(PUT(at, "\",\"mode\":\""), start->program->mode);
    at = json_text(PUT(at, "\",\"library\":\""), start->library);
    at = json_text(PUT(at, "\",\"host\":\""), start->program->host);
    at = json_text(PUT(at, "\",\"command\":\""), start->program->command);
    return (size_t)(PUT(at, "\"}\n") - to);
}

size_t format_jsonl_module(const struct record_module *module, uint32_t pid, char *to)
{
    char *at = JSON_NUMBER(PUT(to, "{\"type\":\"module\""), "pid", pid);

    at = put_hex(PUT(at, ",\"start\":\"0x"), module->start);
    at = put_hex(PUT(at, "\",\"end\":\"0x"), module->end);
    at = put_hex(PUT(at, "\",\"bias\":\"0x"), module->bias);
    at = json_text(PUT(at, "\",\"path\":\""), module->path);
    at = PUT(at, "\",\"build_id\":\"");
    for (size_t i = 0; i < module->build_id_length; i++) {
        *at++ = line_hex_digits[module->build_id[i] >> 4];
        *at++ = line_hex_digits[module->build_id[i] & 15];
    }
    return (size_t)(PUT(at, "\"}\n") - to);
}
