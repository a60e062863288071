/* SPDX-License-Identifier: MIT
 *
 * pcapng, for Wireshark and tshark: an interface for each socket, a packet for each message, a
 * comment for each receive of it.
 *
 * The format is that of the IETF's draft-ietf-opsawg-pcapng. A packet has the IP and UDP headers
 * that the message may have had (LINKTYPE_RAW); AF_UNIX and AF_VSOCK messages get loopback ones,
 * of an address for each name (pcapng_address.h).
 * Its original length is that of the whole message; captured is the payload that the records kept
 * from its start without a gap (WSRX_TRACE_DATA).
 */
#define _GNU_SOURCE
#include "formats/formats.h"

#include "base/strbuf.h"
#include "formats/caller.h"
#include "formats/pcapng_address.h"
#include "formats/pcapng_block.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK_SECTION = 0x0a0d0d0a,
    BLOCK_INTERFACE = 1,
    BLOCK_NAMES = 4,
    BLOCK_STATISTICS = 5,
    BLOCK_PACKET = 6,
    OPTION_COMMENT = 1,
    SECTION_APPLICATION = 4,
    INTERFACE_NAME = 2,
    INTERFACE_DESCRIPTION = 3,
    INTERFACE_RESOLUTION = 9,
    PACKET_FLAGS = 2,
    STATISTICS_START = 2,
    STATISTICS_END = 3,
    STATISTICS_RECEIVED = 4,
    STATISTICS_DROPPED = 5,
    STATISTICS_DELIVERED = 8,
    NAME_IPV4 = 1,
    INBOUND = 1,
    NANOSECONDS = 9, /* the unit of time, as a power of ten */
    LINKTYPE_RAW = 101,
    HEADERS_MAX = 40 + 8,
    COMMENTS_MAX = 32 << 10, /* of one packet: a block must stay readable */
};

/* --- messages ---------------------------------------------------------------------------- */

/* A socket, and the message of which it has received a part. */
struct socket {
    uint32_t pid;
    uint64_t cookie;
    uint32_t interface;
    bool open; /* there is such a message */
    uint64_t time;
    uint32_t length, got; /* of the message; bytes of it that are in `payload` */
    bool gap;             /* a later byte is not known: what follows is of no use */
    struct sockaddr_storage local, peer;
    socklen_t local_length, peer_length;
    struct block payload, comments;
    char name[RECORD_ADDRESS_MAX]; /* its local address */
    uint32_t own, sender;          /* addresses made for names that are not of the Internet */
    unsigned port;
    uint64_t messages, dropped, first, last; /* what it has received; times */
};

static int compare(const void *one, const void *other)
{
    const struct socket *a = one, *b = other;

    if (a->pid != b->pid)
        return a->pid < b->pid ? -1 : 1;
    return a->cookie < b->cookie ? -1 : a->cookie > b->cookie;
}

static uint32_t sum16(const unsigned char *data, size_t length, uint32_t sum)
{
    for (size_t i = 0; i + 1 < length; i += 2)
        sum += (uint32_t)(data[i] << 8 | data[i + 1]);
    if (length & 1)
        sum += (uint32_t)(data[length - 1] << 8);
    return sum;
}

static uint16_t folded(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void put16(unsigned char *to, uint32_t value)
{
    to[0] = (unsigned char)(value >> 8);
    to[1] = (unsigned char)value;
}

static uint32_t at_most(uint32_t value, uint32_t most)
{
    return value < most ? value : most;
}

static uint32_t put_udp(unsigned char *to, const struct socket *socket, unsigned from, unsigned dst)
{
    put16(to, from);
    put16(to + 2, dst);
    put16(to + 4, at_most(socket->length + 8, 65515));
    put16(to + 6, 0);
    return 8;
}

/* The headers of the message; returns their length. */
static uint32_t put_headers(unsigned char *to, const struct socket *socket)
{
    unsigned from = record_port((const struct sockaddr *)&socket->peer, socket->peer_length);
    unsigned dst = record_port((const struct sockaddr *)&socket->local, socket->local_length);

    memset(to, 0, HEADERS_MAX);
    if (socket->local_length > 0 && socket->local.ss_family == AF_INET6) {
        const struct sockaddr_in6 *local = (const struct sockaddr_in6 *)&socket->local;
        const struct sockaddr_in6 *peer = (const struct sockaddr_in6 *)&socket->peer;
        uint32_t sum;

        to[0] = 0x60;
        put16(to + 4, at_most(socket->length + 8, 65535));
        to[6] = IPPROTO_UDP;
        to[7] = 64;
        if (socket->peer_length >= sizeof *peer && peer->sin6_family == AF_INET6)
            memcpy(to + 8, &peer->sin6_addr, 16);
        memcpy(to + 24, &local->sin6_addr, 16);
        put_udp(to + 40, socket, from, dst);
        /* RFC 8200: over IPv6 it must not be 0. Without all of the payload nobody can check it. */
        sum = sum16(to + 8, 32, socket->length + 8 + IPPROTO_UDP);
        sum = sum16(to + 40, 8, sum);
        sum = sum16(socket->payload.data, socket->got, sum);
        put16(to + 46, socket->got == socket->length && folded(sum) != 0 ? folded(sum) : 0xffff);
        return 48;
    }
    to[0] = 0x45;
    put16(to + 2, at_most(socket->length + 28, 65535));
    to[6] = 0x40; /* not fragmented */
    to[8] = 64;
    to[9] = IPPROTO_UDP;
    if (socket->local_length > 0 && socket->local.ss_family == AF_INET) {
        const struct sockaddr_in *peer = (const struct sockaddr_in *)&socket->peer;

        if (socket->peer_length >= sizeof *peer && peer->sin_family == AF_INET)
            memcpy(to + 12, &peer->sin_addr, 4);
        memcpy(to + 16, &((const struct sockaddr_in *)&socket->local)->sin_addr, 4);
    } else {
        memcpy(to + 12, &(uint32_t){htonl(socket->sender)}, 4);
        memcpy(to + 16, &(uint32_t){htonl(socket->own)}, 4);
        dst = socket->port;
    }
    put16(to + 10, folded(sum16(to, 20, 0)));
    put_udp(to + 20, socket, from, dst);
    return 28;
}

/* An address that was made for a name, with the name, so that Wireshark can show that. */
static void write_name(uint32_t address, const char *name, struct block *block, FILE *out)
{
    uint32_t bytes = htonl(address);
    size_t length = strlen(name) + 1;

    block_begin(block, BLOCK_NAMES);
    block_add16(block, NAME_IPV4);
    block_add16(block, (uint16_t)(sizeof bytes + length));
    block_add(block, &bytes, sizeof bytes);
    block_add(block, name, length);
    block_pad(block);
    block_add32(block, 0);
    block_end_options(block);
    block_finish(block, out);
}

static bool is_internet(const struct sockaddr_storage *address, socklen_t length)
{
    return length > 0 && (address->ss_family == AF_INET || address->ss_family == AF_INET6);
}

/* The addresses for a message of a socket that has none. */
static void give_addresses(struct socket *socket, struct block *block, FILE *out)
{
    char own[64], peer[RECORD_ADDRESS_MAX] = "";
    const char *name = socket->name;
    bool new;

    if (is_internet(&socket->local, socket->local_length))
        return;
    if (!name[0]) {
        snprintf(own, sizeof own, "socket %llu", (unsigned long long)socket->cookie);
        name = own;
    }
    socket->own = pcapng_address(name, &new);
    socket->port = pcapng_port(name);
    if (new)
        write_name(socket->own, name, block, out);
    record_address((const struct sockaddr *)&socket->peer, socket->peer_length, peer);
    socket->sender = peer[0] ? pcapng_address(peer, &new) : 0;
    if (peer[0] && new)
        write_name(socket->sender, peer, block, out);
}

static void write_packet(struct socket *socket, struct block *block, FILE *out)
{
    unsigned char headers[HEADERS_MAX];
    uint32_t header_length;

    if (!socket->open)
        return;
    socket->open = false;
    socket->messages++;
    give_addresses(socket, block, out);
    header_length = put_headers(headers, socket);
    block_begin(block, BLOCK_PACKET);
    block_add32(block, socket->interface);
    block_add_time(block, socket->time);
    block_add32(block, header_length + socket->got);
    block_add32(block, header_length + socket->length);
    block_add(block, headers, header_length);
    block_add(block, socket->payload.data, socket->got);
    block_pad(block);
    block_add_option(block, PACKET_FLAGS, &(uint32_t){INBOUND}, sizeof(uint32_t));
    block_add(block, socket->comments.data, socket->comments.length);
    block_end_options(block);
    block_finish(block, out);
}

static void write_section(struct block *block, FILE *out)
{
    static const char application[] = "wsrx " WSRX_VERSION;
    static const int64_t unknown = -1;

    block_begin(block, BLOCK_SECTION);
    block_add32(block, 0x1a2b3c4d);
    block_add16(block, 1);
    block_add16(block, 0);
    block_add(block, &unknown, sizeof unknown);
    block_add_option(block, SECTION_APPLICATION, application, sizeof application - 1);
    block_end_options(block);
    block_finish(block, out);
}

static void write_interface(const struct socket *socket, const struct record *record,
                            const struct reader_file *file, struct block *block, FILE *out)
{
    const char *program = reader_program(file, record->pid);
    char text[800];

    block_begin(block, BLOCK_INTERFACE);
    block_add16(block, LINKTYPE_RAW);
    block_add16(block, 0);
    block_add32(block, 0);
    snprintf(text, sizeof text, "%.200s[%u] fd %d %s", program, record->pid, record->fd,
             socket->name);
    block_add_text(block, INTERFACE_NAME, text);
    snprintf(text, sizeof text, "the messages that %.200s received on %s%s, from %.200s",
             program[0] ? program : "a program", socket->name[0] ? socket->name : "a socket",
             socket->name[0] ? "" : " without a name", file->shown);
    block_add_text(block, INTERFACE_DESCRIPTION, text);
    block_add_option(block, INTERFACE_RESOLUTION, (unsigned char[]){NANOSECONDS}, 1);
    block_end_options(block);
    block_finish(block, out);
}

/* Of a socket, when all its messages are written. */
static void write_statistics(const struct socket *socket, struct block *block, FILE *out)
{
    const uint64_t received = socket->messages + socket->dropped, dropped = socket->dropped;
    const uint32_t first[] = {(uint32_t)(socket->first >> 32), (uint32_t)socket->first};
    const uint32_t last[] = {(uint32_t)(socket->last >> 32), (uint32_t)socket->last};

    block_begin(block, BLOCK_STATISTICS);
    block_add32(block, socket->interface);
    block_add_time(block, socket->last);
    block_add_option(block, STATISTICS_START, first, sizeof first);
    block_add_option(block, STATISTICS_END, last, sizeof last);
    block_add_option(block, STATISTICS_RECEIVED, &received, sizeof received);
    block_add_option(block, STATISTICS_DROPPED, &dropped, sizeof dropped);
    block_add_option(block, STATISTICS_DELIVERED, &socket->messages, sizeof socket->messages);
    block_end_options(block);
    block_finish(block, out);
}

/* Every record comes here: no printf. */
static void add_comment(struct socket *socket, const struct record *record)
{
    char text[400 + CALLER_MAX], *at = text;

    if (socket->comments.length >= COMMENTS_MAX)
        return;
    at = put_string(at, record_call_name(record->call));
    *at++ = '(';
    at = put_signed(at, record->fd);
    at = put_number(PUT(at, ", buffer "), record->room);
    at = put_number(PUT(at, ") = "), record->given);
    at = put_number(PUT(at, " of "), record->length);
    at = put_number(PUT(at, " at "), record->offset);
    if (record->flags & RECORD_PARTIAL)
        at = PUT(put_number(PUT(at, ", partial, "), record->left), " left");
    if (record->flags & RECORD_LOST)
        at = PUT(put_number(PUT(at, ", "), record->lost), " lost");
    else if (record->flags & RECORD_LAST)
        at = PUT(at, ", last");
    /* What the record did not keep (WSRX_TRACE_DATA), the program has got all the same. */
    if (record->data_length < record->given)
        at = PUT(put_number(PUT(at, ", "), record->given - record->data_length), " not recorded");
    if (record->error) {
        const char *name = strerrorname_np(record->error);

        at = put_string(PUT(at, ", "), name ? name : "unknown error");
    }
    at = put_number(PUT(at, "; thread "), record->tid);
    at = put_caller(PUT(at, ", caller "), record, false);
    block_add_option(&socket->comments, OPTION_COMMENT, text, (size_t)(at - text));
}

static void copy_address(struct sockaddr_storage *to, socklen_t *ret_length,
                         const struct sockaddr *from, socklen_t length)
{
    if (length > sizeof *to)
        length = sizeof *to;
    memset(to, 0, sizeof *to);
    memcpy(to, from, length);
    *ret_length = length;
}

static void begin_message(struct socket *socket, const struct record *record)
{
    socket->open = true;
    socket->time = record->time;
    socket->length = record->length;
    socket->got = 0;
    socket->gap = false;
    socket->payload.length = 0;
    socket->comments.length = 0;
    copy_address(&socket->local, &socket->local_length, record->local, record->local_length);
    copy_address(&socket->peer, &socket->peer_length, record->peer, record->peer_length);
}

static void take(struct socket *socket, const struct record *record, struct block *block, FILE *out)
{
    socket->first = socket->first ? socket->first : record->time;
    socket->last = record->time;
    socket->dropped = record->dropped > socket->dropped ? record->dropped : socket->dropped;
    if (!socket->name[0])
        record_address(record->local, record->local_length, socket->name);
    /* A peek says nothing new of the message; the receive that takes it follows. */
    if (!(record->flags & (RECORD_PARTIAL | RECORD_LAST)) || (record->flags & RECORD_PEEK))
        return;
    if (!record_is_receive(record)) {
        if (socket->open)
            add_comment(socket, record);
        write_packet(socket, block, out);
        return;
    }
    if (record->offset == 0 || !socket->open || record->length != socket->length) {
        write_packet(socket, block, out);
        begin_message(socket, record);
        socket->gap = record->offset > 0;
    }
    if (record->peer_length > 0 && socket->peer_length == 0)
        copy_address(&socket->peer, &socket->peer_length, record->peer, record->peer_length);
    if (!socket->gap && record->offset == socket->got) {
        block_add(&socket->payload, record->data, record->data_length);
        socket->got = at_most(socket->got + (uint32_t)record->data_length, socket->length);
        socket->gap = record->data_length < record->given;
    }
    add_comment(socket, record);
    if (record->flags & RECORD_LAST)
        write_packet(socket, block, out);
}

/* --- all of it --------------------------------------------------------------------------- */

struct all {
    struct block block;
    FILE *out;
};

static void write_rest(const void *node, VISIT visit, void *closure)
{
    struct all *all = closure;

    if (visit == postorder || visit == leaf) {
        write_packet(*(struct socket *const *)node, &all->block, all->out);
        write_statistics(*(struct socket *const *)node, &all->block, all->out);
    }
}

static void free_socket(void *at)
{
    struct socket *socket = at;

    free(socket->payload.data);
    free(socket->comments.data);
    free(socket);
}

int write_pcapng(struct reader *reader, FILE *out, struct progress *progress)
{
    struct all all = {.out = out};
    const struct reader_file *file;
    struct record record;
    struct socket *last = NULL;
    uint32_t interfaces = 0;
    void *sockets = NULL;

    write_section(&all.block, out);
    while (reader_next(reader, &record, &file)) {
        struct socket key = {.pid = record.pid, .cookie = record.cookie};

        progress_step(progress);
        if (!last || compare(last, &key) != 0) {
            struct socket **node = tfind(&key, &sockets, compare);

            last = node ? *node : calloc(1, sizeof *last);
            if (!last)
                return -ENOMEM;
            if (!node) {
                *last = key;
                last->interface = interfaces++;
                if (!tsearch(last, &sockets, compare))
                    return -ENOMEM;
                record_address(record.local, record.local_length, last->name);
                write_interface(last, &record, file, &all.block, out);
            }
        }
        take(last, &record, &all.block, out);
    }
    twalk_r(sockets, write_rest, &all);
    tdestroy(sockets, free_socket);
    free(all.block.data);
    return all.block.failed ? -ENOMEM : 0;
}
