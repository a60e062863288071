/* SPDX-License-Identifier: MIT
 *
 * The WSRX_* settings: read once, and the line for each bad value.
 *
 * This file owns the table of settings. It must never pass a bad value over in silence.
 */
#ifndef WSRX_SETTINGS_H
#define WSRX_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

enum mode { MODE_CONTINUE, MODE_ERROR, MODE_DISCARD, MODE_OBSERVE, MODE_OFF };

enum hold { HOLD_AUTO, HOLD_PROCESS, HOLD_KERNEL };

enum selector_kind { SELECT_UDP, SELECT_UNIX, SELECT_VSOCK, SELECT_PORT, SELECT_FD, SELECT_PATH };

enum trace_kind { TRACE_OFF, TRACE_TEXT, TRACE_JSONL, TRACE_RING };

/* One item of WSRX_SOCKETS. */
struct selector {
    enum selector_kind kind;
    bool exclude;
    unsigned number;   /* port or fd */
    const char *path;  /* not terminated: see path_length */
    size_t path_length;
};

enum { SELECTORS_MAX = 32 };

/* What WSRX_TRACE_FILTER asks for. Items of one kind are alternatives; kinds must all be met. */
enum { TRACE_FILTER_MAX = 16 };

struct trace_filter {
    unsigned states; /* of enum record_state; 0: any */
    unsigned calls;  /* a bit for each enum record_call; 0: any */
    size_t fds, ports;
    int fd[TRACE_FILTER_MAX];
    unsigned port[TRACE_FILTER_MAX];
};

struct settings {
    enum mode mode;
    bool calls_all;
    struct selector selector[SELECTORS_MAX];
    size_t selectors; /* 0: all message sockets */
    enum hold hold;
    size_t hold_max; /* bytes */
    const char *table; /* path of the fragment table's file, or NULL */
    enum trace_kind trace;
    const char *trace_file; /* NULL: the default of the kind */
    struct trace_filter trace_filter;
    size_t trace_size; /* bytes of a thread's ring */
    bool trace_keep_all;
    size_t trace_data; /* bytes of payload in a record */
    const char *stats; /* NULL: none; "": to stderr; or the pattern of a path */
    bool strict;
    bool help;
};

/* Reads the environment. Tells each bad value and each unknown WSRX_ name, and keeps the default;
 * and each setting that has no effect for want of another. Returns how many it told: with `strict`
 * the caller must end the program if there are any, for that is what has been told. Not
 * thread-safe: for start-up. */
unsigned settings_read(struct settings *settings, char *const *environment);

/* How a line about a setting ends where it ends the program. */
extern const char settings_not_started[];

/* Writes the settings with their current values. False, and errno: not all of it. */
bool settings_help(int fd);

#endif
