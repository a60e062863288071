/* SPDX-License-Identifier: MIT
 *
 * The WSRX_* settings: read once, and a line for each bad value.
 *
 * Which settings there are, and all that is known of each, stands in settings.def. A bad value must
 * never pass without a line.
 */
#ifndef WSRX_SETTINGS_H
#define WSRX_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

/* The words of a list, for the table of a file that needs only them. */
#define WORD_TEXT(constant, text, meaning)     text,
#define WORD_CONSTANT(constant, text, meaning) constant,

/* Where each setting stands in the list; SETTINGS is how many there are. */
enum settings_index {
#define SETTING(variable, ...) INDEX_##variable,
#include "settings.def"
    SETTINGS
};

enum mode { MODE_WORDS(WORD_CONSTANT) };

enum hold { HOLD_WORDS(WORD_CONSTANT) };

enum trace_kind { TRACE_WORDS(WORD_CONSTANT) };

enum selector_kind { SOCKETS_WORDS(WORD_CONSTANT) };

/* One item of WSRX_SOCKETS. */
struct selector {
    enum selector_kind kind;
    bool exclude;
    unsigned number; /* port or fd */
    /* Without its quotes, and not terminated. @ begins an abstract name. Any byte may be written as
     * the trace writes it: \x00, \", \\, \n. */
    const char *path;
    size_t path_length;
};

enum { SELECTORS_MAX = 32 };

struct selectors {
    size_t count; /* 0: all message sockets */
    struct selector at[SELECTORS_MAX];
};

/* The items of a filter. Those of one kind are alternatives. */
enum { TRACE_FILTER_MAX = 16 };

struct trace_filter_items {
    unsigned states; /* of enum record_state; 0: any */
    unsigned calls;  /* a bit for each enum record_call; 0: any */
    size_t fds, ports;
    int fd[TRACE_FILTER_MAX];
    unsigned port[TRACE_FILTER_MAX];
};

/* What WSRX_TRACE_FILTER asks for. Of what is wanted each kind must be met; whatever meets an
 * excluded item (with ! before it) is left out. */
struct trace_filter {
    struct trace_filter_items wanted, excluded;
};

/* Sizes in bytes. Text is NULL where nothing is set; `stats` is "" for stderr. Both text and paths
 * are the environment's own bytes. */
struct settings {
#define SETTING(variable, type, field, ...) type field;
#include "settings.def"
};

/* Reads the environment. Reports each bad value and each unknown WSRX_ name, and uses the default;
 * reports each setting that has no effect without another one. Returns how many it reported: with
 * `strict` the caller must end the program if there are any, since that is what the lines say. Not
 * thread-safe: for start-up. */
unsigned settings_read(struct settings *settings, char *const *environment);

/* Whether a value is good for a setting; nothing is reported. */
bool settings_is_good(enum settings_index index, const char *value);

/* How a line about a setting ends when it ends the program. */
extern const char settings_not_started[];

/* What a setting is, and which values it takes, as one phrase each. They are cut where they do not
 * fit; 256 bytes are enough. Both return `to`. */
const char *settings_purpose(enum settings_index index, char *to, size_t size);
const char *settings_values(enum settings_index index, char *to, size_t size);

/* Writes the settings with their current values. A negative errno: not all of it. */
int settings_help(int fd);

#endif
