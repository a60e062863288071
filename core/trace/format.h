/* SPDX-License-Identifier: MIT
 *
 * The line of a record, for people (text) and for programs (JSON Lines).
 *
 * Most of a line is as in the one before: the second, the process, the socket, the peer, the
 * caller. These pieces are kept from line to line, each with what it was made from, and made anew
 * only where that differs. The library and the command make their lines here. It must never
 * allocate, use stdio or look at a setting: a line may be made in a signal handler.
 */
#ifndef WSRX_TRACE_FORMAT_H
#define WSRX_TRACE_FORMAT_H

#include "trace/program.h"
#include "trace/record.h"

/* Bytes that a line may need, with `data_length` bytes of payload. */
#define FORMAT_LINE_MAX(data_length) (6144 + 6 * (size_t)(data_length))

enum {
    RECORD_PIECE = 224,
    RECORD_SHORT_PIECE = 64,
    RECORD_CALLER = 128,
    RECORD_KEPT_ADDRESS = 112,
    RECORD_SOCKETS = 32,
};

/* Longer ones are not kept, but made each time. Sizes are multiples of 32: copied by as many. */
struct record_piece {
    uint32_t length; /* 0: none */
    char text[RECORD_PIECE];
};

struct record_short_piece {
    uint32_t length;
    char text[RECORD_SHORT_PIECE];
};

struct record_kept_caller {
    uint32_t length;
    char text[RECORD_CALLER];
};

struct record_kept_address {
    socklen_t length;
    unsigned char bytes[RECORD_KEPT_ADDRESS];
};

/* What the lines of one socket have in common. */
struct record_socket {
    uint64_t cookie, caller;
    const void *modules;
    int32_t fd;
    enum record_call call;
    struct record_kept_address local, peer;
    struct record_piece here, from;
    struct record_kept_caller to;
};

/* All zero at first, but for `module_of`; one thread at a time, and for one of the two formats. */
struct format_cache {
    /* The module of a caller, or NULL: it is in none that is known. */
    const struct record_module *(*module_of)(const struct record *record);
    uint64_t second;
    uint32_t pid, tid;
    struct record_short_piece time, who;
    struct record_socket socket[RECORD_SOCKETS];
};

/* Each writes a line with its newline, and returns its length. `east` of UTC, in seconds, is where
 * the reader of the text has its clock. */
size_t format_text(struct format_cache *lines, const struct record *record, long east, char *to);
size_t format_jsonl(struct format_cache *lines, const struct record *record, char *to);

/* --- the other lines of JSON Lines ------------------------------------------------------- */

/* Goes up when a key changes its meaning, not when one is added. */
enum { JSONL_VERSION = 1 };

/* What the first line of a process says. */
struct format_start {
    uint64_t time; /* nanoseconds since 1970 */
    uint32_t pid, parent;
    const struct trace_program *program;
    const char *library; /* its version */
};

size_t format_jsonl_start(const struct format_start *start, char *to);
size_t format_jsonl_module(const struct record_module *module, uint32_t pid, char *to);

#endif
