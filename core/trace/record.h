/* SPDX-License-Identifier: MIT
 *
 * The record: what one receive did, its words in a line, and which records are wanted.
 *
 * The library writes records and the command reads them. This file must never allocate, use stdio
 * or look at a setting: a record may be made in a signal handler.
 */
#ifndef WSRX_TRACE_RECORD_H
#define WSRX_TRACE_RECORD_H

#include "settings.h"
#include "trace/module.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* The calls of a record. The numbers are part of the ring's format: add at the end. */
enum record_call {
    RECORD_UNKNOWN,
    RECORD_RECV,
    RECORD_RECVFROM,
    RECORD_RECVMSG,
    RECORD_RECVMMSG,
    RECORD_READ,
    RECORD_READV,
    RECORD_PREADV2,
    RECORD_WSRX_RECEIVE,
    RECORD_CLOSE,    /* no receive: a descriptor was closed with a tail held, which is lost */
    RECORD_EXEC,     /* nor this: another program is about to take the place of this one */
    RECORD_EXIT,     /* nor this: the program ends */
    RECORD_SEND,     /* nor this: the program sends, and does not want the tail (WSRX_TAIL) */
    RECORD_IO_URING, /* a receive that the kernel makes: only wsrx trace --system sees it */
    RECORD_CALLS,
};

/* Flags; part of the ring's format. Where there is no error exactly one of the first two is set. */
enum record_flag {
    RECORD_PARTIAL = 1 << 0, /* more of the message follows with the next receive */
    RECORD_LAST = 1 << 1,    /* this part ends its message */
    RECORD_LOST = 1 << 2,    /* bytes of the message are gone */
    RECORD_PEEK = 1 << 3,    /* nothing was consumed */
    RECORD_CUT = 1 << 4,     /* an address is longer than the record could keep */
};

/* Sizes in bytes. Of a consuming receive, offset + given + left + lost is the message's length. */
struct record {
    uint64_t time;     /* nanoseconds since 1970, UTC */
    uint64_t sequence; /* counts the thread's records in its ring, or the process's lines; from 1 */
    uint64_t cookie;   /* SO_COOKIE: which socket, whatever its descriptor */
    uint64_t caller;   /* the address that the call returns to */
    uint64_t room;     /* of the buffer */
    uint32_t length;   /* of the whole message */
    uint32_t given;
    uint32_t offset; /* of this part in the message */
    uint32_t left;
    uint32_t lost;
    uint32_t dropped; /* by the kernel, before any receive: messages, since the socket was made */
    uint32_t pid, tid;
    int32_t fd;
    enum record_call call;
    unsigned flags;
    int error; /* errno, or 0 */
    const struct sockaddr *local, *peer;
    socklen_t local_length, peer_length; /* 0: not known */
    const void *data;                    /* the first bytes of the part */
    size_t data_length;
    const void *modules; /* in which its caller may lie, for format_cache.module_of */
};

/* Not so: the end of a tail that nobody received. */
static inline bool record_is_receive(const struct record *record)
{
    return record->call <= RECORD_WSRX_RECEIVE || record->call == RECORD_IO_URING;
}

/* Whether it took a message, or a part of one, off the queue; or tells of the end of a tail. */
static inline bool record_has_part(const struct record *record)
{
    return (record->flags & (RECORD_PARTIAL | RECORD_LAST)) && !(record->flags & RECORD_PEEK);
}

/* Bytes that would have been lost without the library. */
static inline uint64_t record_saved(const struct record *record)
{
    return record->offset > 0 && record_is_receive(record) ? record->given : 0;
}

const char *record_call_name(enum record_call call);

/* The call of a name, or RECORD_UNKNOWN. */
enum record_call record_call_named(const char *name, size_t length);

/* An address as in the lines: "127.0.0.1:53", "[::1]:53", "/run/x.sock", "@abstract", "vsock:2:9".
 * Terminated; `to` has at least RECORD_ADDRESS_MAX bytes. Returns its length: 0 for no name. */
enum { RECORD_ADDRESS_MAX = 160 };
/* What people read instead of no name. */
#define RECORD_NO_NAME "(unnamed)"
size_t record_address(const struct sockaddr *address, socklen_t length, char *to);

/* Pieces of a line, as in line.h. Bytes that may be anything are written as in C, or as JSON wants
 * them: there each byte beyond ASCII becomes the character of that number, so that every line is
 * valid and no byte is lost. */
char *record_put_escaped(char *to, const char *text, size_t length, bool json);
char *record_put_address(char *to, const struct sockaddr *address, socklen_t length, bool json);

/* The port of an Internet address, in the host's order; 0: none. */
unsigned record_port(const struct sockaddr *address, socklen_t length);

/* --- filters ----------------------------------------------------------------------------- */

/* What a filter's `states` may ask for. */
enum record_state {
    RECORD_STATE_PARTIAL = 1,
    RECORD_STATE_LOST = 2,
    RECORD_STATE_ERROR = 4,
    RECORD_STATE_PEEK = 8,
    RECORD_STATE_DROPPED = 16,
};

/* Reads "partial,port=53,!call=recv". False: it is none. */
bool record_filter_parse(struct trace_filter *filter, const char *value);

bool record_filter_match(const struct trace_filter *filter, const struct record *record);

/* Whether it lets everything pass. */
bool record_filter_is_empty(const struct trace_filter *filter);

#endif
