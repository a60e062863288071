/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "settings.h"

#include "trace/output_file.h"
#include "trace/record.h"
#include "base/diag.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct setting {
    const char *name;
    const char *fallback; /* the default, in words */
    const char *expected;
    const char *stays; /* what happens now */
    const char *help;
    bool (*parse)(struct settings *settings, const char *value);
    unsigned traces; /* the kinds of trace beside which it has an effect; 0: it needs none */
};

#define OF(kind)   (1u << (kind))
#define ANY_TRACE  (OF(TRACE_TEXT) | OF(TRACE_JSONL) | OF(TRACE_RING))
#define RING_TRACE OF(TRACE_RING)

/* --- values ------------------------------------------------------------------------------ */

/* The index of `value` in a list of words that ends with NULL, or -1. */
static int word(const char *value, const char *const *words)
{
    for (int i = 0; words[i]; i++)
        if (strcmp(value, words[i]) == 0)
            return i;
    return -1;
}

/* A whole number in decimal, all of `value` up to `end`. */
static bool number(const char *value, const char *end, size_t max, size_t *ret_number)
{
    size_t result = 0;

    if (value == end)
        return false;
    for (; value < end; value++) {
        size_t digit = (size_t)(*value - '0');

        if (digit > 9 || result > (max - digit) / 10)
            return false;
        result = result * 10 + digit;
    }
    *ret_number = result;
    return true;
}

static bool size(const char *value, size_t *ret_size)
{
    static const char units[] = "KMG";
    const char *end = value + strlen(value);
    const char *unit = end > value ? strchr(units, end[-1]) : NULL;
    unsigned shift = 0;

    if (unit && *unit) {
        shift = 10 * (unsigned)(unit - units + 1);
        end--;
    }
    if (!number(value, end, SIZE_MAX >> shift, ret_size))
        return false;
    *ret_size <<= shift;
    return true;
}

static bool flag(const char *value, bool *ret_flag)
{
    static const char *const words[] = {"0", "1", NULL};
    int found = word(value, words);

    *ret_flag = found == 1;
    return found >= 0;
}

static bool parse_mode(struct settings *settings, const char *value)
{
    static const char *const words[] = {"continue", "error", "discard", "observe", "off", NULL};
    int found = word(value, words);

    if (found >= 0)
        settings->mode = (enum mode)found;
    return found >= 0;
}

static bool parse_calls(struct settings *settings, const char *value)
{
    static const char *const words[] = {"plain", "all", NULL};
    int found = word(value, words);

    settings->calls_all = found == 1;
    return found >= 0;
}

static bool parse_hold(struct settings *settings, const char *value)
{
    static const char *const words[] = {"auto", "process", "kernel", NULL};
    int found = word(value, words);

    if (found >= 0)
        settings->hold = (enum hold)found;
    return found >= 0;
}

static bool parse_hold_max(struct settings *settings, const char *value)
{
    size_t most = (size_t)1 << (sizeof(size_t) > 4 ? 40 : 30), parsed;

    if (!size(value, &parsed) || parsed > most)
        return false;
    settings->hold_max = parsed;
    return true;
}

static bool parse_table(struct settings *settings, const char *value)
{
    settings->table = *value ? value : NULL;
    return *value != '\0';
}

static bool parse_trace(struct settings *settings, const char *value)
{
    static const char *const words[] = {"off", "text", "jsonl", "ring", NULL};
    int found = word(value, words);

    if (found >= 0)
        settings->trace = (enum trace_kind)found;
    return found >= 0;
}

static bool parse_trace_file(struct settings *settings, const char *value)
{
    if (!output_file_is_pattern(value))
        return false;
    settings->trace_file = value;
    return true;
}

static bool parse_trace_filter(struct settings *settings, const char *value)
{
    struct trace_filter filter;

    if (!record_filter_parse(&filter, value))
        return false;
    settings->trace_filter = filter;
    return true;
}

static bool parse_trace_size(struct settings *settings, const char *value)
{
    size_t parsed;

    if (!size(value, &parsed) || parsed < 4096 || parsed > (size_t)1 << 30)
        return false;
    settings->trace_size = parsed;
    return true;
}

static bool parse_trace_keep(struct settings *settings, const char *value)
{
    static const char *const words[] = {"last", "all", NULL};
    int found = word(value, words);

    settings->trace_keep_all = found == 1;
    return found >= 0;
}

static bool parse_trace_data(struct settings *settings, const char *value)
{
    size_t parsed;

    if (!size(value, &parsed) || parsed > UINT16_MAX)
        return false;
    settings->trace_data = parsed;
    return true;
}

/* A word without / or . is more likely a slip than the name of a file. */
static bool parse_stats(struct settings *settings, const char *value)
{
    static const char *const words[] = {"0", "1", NULL};
    int found = word(value, words);

    if (found < 0 && (!strpbrk(value, "/.") || !output_file_is_pattern(value)))
        return false;
    settings->stats = found == 0 ? NULL : found == 1 ? "" : value;
    return true;
}

static bool parse_strict(struct settings *settings, const char *value)
{
    return flag(value, &settings->strict);
}

static bool parse_help(struct settings *settings, const char *value)
{
    return flag(value, &settings->help);
}

static bool starts(const char **value, const char *end, const char *prefix)
{
    size_t length = strlen(prefix);

    if ((size_t)(end - *value) < length || memcmp(*value, prefix, length) != 0)
        return false;
    *value += length;
    return true;
}

static bool parse_selector(struct selector *selector, const char *item, const char *end)
{
    size_t parsed = 0;

    memset(selector, 0, sizeof *selector);
    selector->exclude = starts(&item, end, "!");
    if (starts(&item, end, "port=")) {
        selector->kind = SELECT_PORT;
        if (!number(item, end, UINT16_MAX, &parsed))
            return false;
    } else if (starts(&item, end, "fd=")) {
        selector->kind = SELECT_FD;
        if (!number(item, end, INT_MAX, &parsed))
            return false;
    } else if (starts(&item, end, "path=")) {
        selector->kind = SELECT_PATH;
        selector->path = item;
        selector->path_length = (size_t)(end - item);
        return item < end;
    } else if (starts(&item, end, "udp")) {
        selector->kind = SELECT_UDP;
        return item == end;
    } else if (starts(&item, end, "unix")) {
        selector->kind = SELECT_UNIX;
        return item == end;
    } else if (starts(&item, end, "vsock")) {
        selector->kind = SELECT_VSOCK;
        return item == end;
    } else {
        return false;
    }
    selector->number = (unsigned)parsed;
    return true;
}

static bool parse_sockets(struct settings *settings, const char *value)
{
    size_t count = 0;

    for (const char *item = value;; item++) {
        const char *end = strchrnul(item, ',');

        if (count == SELECTORS_MAX || !parse_selector(&settings->selector[count], item, end))
            return false;
        count++;
        item = end;
        if (!*end)
            break;
    }
    settings->selectors = count;
    return true;
}

/* --- the table --------------------------------------------------------------------------- */

static const struct setting table[] = {
    {"WSRX_MODE", "continue", "continue, error, discard, observe or off", "the mode stays continue",
     "what a receive shorter than its message does", parse_mode, 0},
    {"WSRX_CALLS", "plain", "plain or all", "plain calls only",
     "plain: recv, recvfrom, read, readv, preadv2; all: recvmsg and recvmmsg too", parse_calls, 0},
    {"WSRX_SOCKETS", "all message sockets",
     "udp, unix, vsock, port=N, fd=N or path=P, comma-separated, ! before one to exclude it, 32 at "
     "most",
     "all message sockets are selected", "which sockets", parse_sockets, 0},
    {"WSRX_HOLD", "auto", "auto, process or kernel", "the hold stays auto",
     "where a tail is held (auto: kernel under Wine, process elsewhere)", parse_hold, 0},
    {"WSRX_HOLD_MAX", "64M", "a size in bytes, with K, M or G, up to 1024G", "it stays 64M",
     "memory for tails; past it messages are held in the kernel", parse_hold_max, 0},
    {"WSRX_TABLE", "none", "the path of a file", "tails do not outlast exec",
     "a file that holds the tails, so that they outlast exec (mode 0600, made if missing)",
     parse_table, 0},
    {"WSRX_TRACE", "off", "off, text, jsonl or ring", "tracing stays off",
     "a record of every receive, as lines for people, JSON Lines, or binary", parse_trace, 0},
    {"WSRX_TRACE_FILE", "stderr for text, else wsrx.%e.%p.EXT",
     "a path, in which %p is the pid, %e the program, %t the start time and %% a %",
     "it stays the default", "where the records go", parse_trace_file, ANY_TRACE},
    {"WSRX_TRACE_FILTER", "all", "partial, lost, error, fd=N, port=N or call=NAME, comma-separated",
     "every receive is recorded", "which receives are recorded", parse_trace_filter, ANY_TRACE},
    {"WSRX_TRACE_SIZE", "1M", "a size in bytes from 4K to 1G, with K, M or G", "it stays 1M",
     "size of a thread's ring", parse_trace_size, RING_TRACE},
    {"WSRX_TRACE_KEEP", "last", "last or all", "it stays last",
     "last: a full ring goes round; all: it is kept, and the file grows", parse_trace_keep,
     RING_TRACE},
    {"WSRX_TRACE_DATA", "0", "a size in bytes up to 65535", "no payload is kept",
     "bytes of each part that its record keeps", parse_trace_data, ANY_TRACE},
    {"WSRX_STATS", "0", "0, 1 or a path (with a / or a .)", "no statistics are made",
     "a table when the program ends: who received, lost and saved how much", parse_stats, 0},
    {"WSRX_STRICT", "0", "0 or 1", "it stays 0", "1: exit 125 on a bad setting", parse_strict, 0},
    {"WSRX_HELP", "0", "0 or 1", "it stays 0", "1: print this", parse_help, 0},
};

enum { SETTINGS = sizeof table / sizeof *table };

static const struct setting *find(const char *name, size_t length)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (strlen(table[i].name) == length && memcmp(table[i].name, name, length) == 0)
            return &table[i];
    return NULL;
}

/* A value or name in a message: what is printable of it, within bounds. */
static const char *shown(const char *text, size_t length, char *buffer, size_t size_of_buffer)
{
    size_t at = 0;

    for (; at < length && at < size_of_buffer - 1; at++)
        buffer[at] = (unsigned char)text[at] < ' ' || text[at] == 127 ? '?' : text[at];
    buffer[at] = '\0';
    return buffer;
}

const char settings_not_started[] = "the program is not started (WSRX_STRICT=1)";

/* Whether a bad setting ends the program: asked before any is told. */
static bool is_strict(char *const *environment)
{
    static const char start[] = "WSRX_STRICT=";
    struct settings scratch = {.strict = false};

    for (; *environment; environment++)
        if (strncmp(*environment, start, sizeof start - 1) == 0)
            parse_strict(&scratch, *environment + sizeof start - 1);
    return scratch.strict;
}

/* What is set for a trace that is not made is told too, for who set it waits for that trace. The
 * statistics make no use of any of these. Not told: in mode off, where the library is as if it were
 * not there; beside a WSRX_TRACE that says off, or that has just been told to be bad. `value`: the
 * good values, in the table's order, or NULL. */
static unsigned tell_idle(const struct settings *settings, const char *const *value,
                          bool trace_said)
{
    bool off = settings->trace == TRACE_OFF;
    unsigned bad = 0;
    char text[128];

    if (settings->mode == MODE_OFF || (off && trace_said))
        return 0;
    for (size_t i = 0; i < SETTINGS; i++) {
        unsigned traces = table[i].traces;

        if (!value[i] || traces == 0 || (traces & OF(settings->trace)))
            continue;
        diag("%s=\"%s\": expected WSRX_TRACE=%s beside it; %s", table[i].name,
             shown(value[i], strlen(value[i]), text, sizeof text),
             traces == RING_TRACE ? "ring" : "text, jsonl or ring",
             settings->strict ? settings_not_started
             : off            ? "nothing is traced"
                              : "it has no effect");
        bad++;
    }
    return bad;
}

unsigned settings_read(struct settings *settings, char *const *environment)
{
    const char *good[SETTINGS] = {NULL};
    char name[64], value[128];
    bool strict = is_strict(environment), trace_said = false;
    unsigned bad = 0;

    memset(settings, 0, sizeof *settings);
    settings->hold_max = (size_t)64 << 20;
    settings->trace_size = (size_t)1 << 20;

    for (; *environment; environment++) {
        const char *entry = *environment;
        const char *equals = strchrnul(entry, '=');
        const struct setting *setting;

        if (strncmp(entry, "WSRX_", 5) != 0 || !*equals)
            continue;
        setting = find(entry, (size_t)(equals - entry));
        if (!setting) {
            diag("%s: no such setting (WSRX_HELP=1 lists them); %s",
                 shown(entry, (size_t)(equals - entry), name, sizeof name),
                 strict ? settings_not_started : "it is ignored");
            bad++;
        } else if (!setting->parse(settings, equals + 1)) {
            diag("%s=\"%s\": expected %s; %s", setting->name,
                 shown(equals + 1, strlen(equals + 1), value, sizeof value), setting->expected,
                 strict ? settings_not_started : setting->stays);
            bad++;
        } else {
            good[setting - table] = equals + 1;
        }
        trace_said |= setting && setting->parse == parse_trace;
    }
    return bad + tell_idle(settings, good, trace_said);
}

bool settings_help(int fd)
{
    char text[8192], value[256];
    size_t length = 0;

    for (size_t i = 0; i < SETTINGS && length < sizeof text; i++) {
        const struct setting *setting = &table[i];
        const char *now = getenv(setting->name);
        struct settings scratch;

        if (!now || !setting->parse(&scratch, now))
            now = setting->fallback;
        length += (size_t)snprintf(text + length, sizeof text - length,
                                   "%s=%s\n    %s\n    values: %s; default: %s\n", setting->name,
                                   shown(now, strlen(now), value, sizeof value), setting->help,
                                   setting->expected, setting->fallback);
    }
    length = length < sizeof text ? length : sizeof text - 1;
    return write(fd, text, length) == (ssize_t)length;
}
