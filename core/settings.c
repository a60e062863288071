/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "settings.h"

#include "base/diag.h"
#include "base/strbuf.h"
#include "base/sys.h"
#include "trace/output_path.h"
#include "trace/record.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

struct word {
    int value;
    const char *text; /* NULL: the end of the list */
};

/* One row of settings.def. */
struct setting {
    const char *name;
    size_t field; /* its offset in struct settings */
    bool (*parse)(const struct setting *setting, const char *value, void *ret_field);
    const struct word *words;
    const char *rest;         /* of the values: what is not a word */
    const char *least, *most; /* of a size */
    const char *fallback;
    unsigned traces; /* the kinds of trace with which it has an effect; 0: it needs none */
    const char *help;
};

#define OF(kind)   (1u << (kind))
#define NO_TRACE   0
#define ANY_TRACE  (OF(TRACE_TEXT) | OF(TRACE_JSONL) | OF(TRACE_RING))
#define RING_TRACE OF(TRACE_RING)

/* --- values ------------------------------------------------------------------------------ */

START_CODE static bool find_word(const struct word *words, const char *value, int *ret_value)
{
    for (; words->text; words++)
        if (strcmp(value, words->text) == 0) {
            *ret_value = words->value;
            return true;
        }
    return false;
}

START_CODE static bool size(const char *value, uint64_t *ret_size)
{
    static const char units[] = "KMG";
    const char *end = value + strlen(value);
    const char *unit = end > value ? strchr(units, end[-1]) : NULL;
    unsigned shift = 0;

    if (unit && *unit) {
        shift = 10 * (unsigned)(unit - units + 1);
        end--;
    }
    if (!read_number(value, (size_t)(end - value), UINT64_MAX >> shift, ret_size))
        return false;
    *ret_size <<= shift;
    return true;
}

/* --- parsers: false, and nothing changed, on a bad value ----------------------------------- */

/* Of any enum: all have the size of unsigned, which no value of theirs exceeds. */
START_CODE static bool parse_word(const struct setting *setting, const char *value, void *ret_field)
{
    int found;

    if (!find_word(setting->words, value, &found))
        return false;
    *(unsigned *)ret_field = (unsigned)found;
    return true;
}

START_CODE static bool parse_switch(const struct setting *setting, const char *value,
                                    void *ret_field)
{
    int found;

    if (!find_word(setting->words, value, &found))
        return false;
    *(bool *)ret_field = found;
    return true;
}

START_CODE static bool parse_size(const struct setting *setting, const char *value, void *ret_field)
{
    /* What is more than 32 bits can count is as much as a process may well have. */
    const uint64_t possible = SIZE_MAX / 4 + 1;
    uint64_t least = 0, most = 0, parsed;

    if (!size(setting->least, &least) || !size(setting->most, &most) || !size(value, &parsed) ||
        parsed < least || parsed > most)
        return false;
    *(size_t *)ret_field = (size_t)(parsed < possible ? parsed : possible);
    return true;
}

START_CODE static bool parse_path(const struct setting *setting, const char *value, void *ret_field)
{
    (void)setting;
    if (!*value)
        return false;
    *(const char **)ret_field = value;
    return true;
}

START_CODE static bool parse_pattern(const struct setting *setting, const char *value,
                                     void *ret_field)
{
    return output_path_is_pattern(value) && parse_path(setting, value, ret_field);
}

START_CODE static bool parse_filter(const struct setting *setting, const char *value,
                                    void *ret_field)
{
    struct trace_filter parsed;

    (void)setting;
    if (!record_filter_parse(&parsed, value))
        return false;
    *(struct trace_filter *)ret_field = parsed;
    return true;
}

/* A word without / or . is more likely a slip than the name of a file. */
START_CODE static bool parse_stats(const struct setting *setting, const char *value,
                                   void *ret_field)
{
    if (strcmp(value, "0") == 0)
        *(const char **)ret_field = NULL;
    else if (strcmp(value, "1") == 0)
        *(const char **)ret_field = "";
    else
        return strpbrk(value, "/.") && parse_pattern(setting, value, ret_field);
    return true;
}

enum { PATH_BYTES = sizeof(((struct sockaddr_un *)0)->sun_path) };

/* What follows the = of a selector, or nothing. */
static bool parse_argument(struct selector *selector, const char *item, const char *end)
{
    uint64_t parsed = 0;

    switch (selector->kind) {
    case SELECT_PORT:
    case SELECT_FD:
        if (!read_number(item, (size_t)(end - item),
                         selector->kind == SELECT_PORT ? UINT16_MAX : INT_MAX, &parsed))
            return false;
        selector->number = (unsigned)parsed;
        return true;
    case SELECT_PATH:
        if (end - item >= 2 && *item == '"') {
            item++;
            end--;
        }
        selector->path = item;
        selector->path_length = (size_t)(end - item);
        /* A byte takes up to four characters; a longer name no socket can have. */
        return item < end && *item != '"' && end - item <= 4 * (ptrdiff_t)PATH_BYTES;
    default:
        return item == end;
    }
}

static bool parse_selector(const struct word *words, struct selector *selector, const char *item,
                           const char *end)
{
    memset(selector, 0, sizeof *selector);
    selector->exclude = *item == '!';
    item += selector->exclude;
    for (; words->text; words++) {
        size_t length = strcspn(words->text, "=");

        length += words->text[length] == '=';
        if ((size_t)(end - item) >= length && memcmp(item, words->text, length) == 0) {
            selector->kind = (enum selector_kind)words->value;
            return parse_argument(selector, item + length, end);
        }
    }
    return false;
}

/* Where an item ends: at a comma, but not within quotes, which only a path may have. NULL: the quotes
 * do not end, or not with the item. */
static const char *item_end(const char *item)
{
    const char *quote = item + strcspn(item, ",\"");

    if (*quote != '"' || quote == item || quote[-1] != '=')
        return strchrnul(item, ',');
    do {
        quote += quote[0] == '\\' && quote[1] ? 2 : 1;
    } while (*quote && *quote != '"');
    return *quote && (quote[1] == ',' || quote[1] == '\0') ? quote + 1 : NULL;
}

START_CODE static bool parse_sockets(const struct setting *setting, const char *value,
                                     void *ret_field)
{
    struct selectors parsed = {.count = 0};

    for (const char *item = value;; item++) {
        const char *end = item_end(item);

        if (!end || parsed.count == SELECTORS_MAX ||
            !parse_selector(setting->words, &parsed.at[parsed.count], item, end))
            return false;
        parsed.count++;
        item = end;
        if (!*end)
            break;
    }
    *(struct selectors *)ret_field = parsed;
    return true;
}

/* --- the table --------------------------------------------------------------------------- */

#define WORD_ROW(constant, text, meaning) {constant, text},
#define NO_WORD                           {0, NULL},
#define WORDS(list)                \
    .words = (const struct word[]) \
    {                              \
        list(WORD_ROW) NO_WORD     \
    }
#define LIST(list, text) WORDS(list), .rest = text
#define SIZE(low, high)  .least = low, .most = high
#define TEXT(text)       .rest = text

static const struct setting table[SETTINGS] = {
#define SETTING(variable, type, member, parser, values, standard, trace, text) \
    {.name = #variable,                                                        \
     .field = offsetof(struct settings, member),                               \
     .parse = parse_##parser,                                                  \
     values,                                                                   \
     .fallback = standard,                                                     \
     .traces = trace,                                                          \
     .help = text},
#include "settings.def"
};

START_CODE static const struct setting *find(const char *name, size_t length)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (strlen(table[i].name) == length && memcmp(table[i].name, name, length) == 0)
            return &table[i];
    return NULL;
}

START_CODE static bool parse(const struct setting *setting, struct settings *settings,
                             const char *value)
{
    return setting->parse(setting, value, (char *)settings + setting->field);
}

bool settings_is_good(enum settings_index index, const char *value)
{
    struct settings scratch;

    return parse(&table[index], &scratch, value);
}

/* --- texts ------------------------------------------------------------------------------- */

/* A value or name in a message: what is printable of it, within bounds. */
static const char *shown(const char *text, size_t length, char *buffer, size_t size_of_buffer)
{
    size_t at = 0;

    for (; at < length && at < size_of_buffer - 1; at++)
        buffer[at] = (unsigned char)text[at] < ' ' || text[at] == 127 ? '?' : text[at];
    buffer[at] = '\0';
    return buffer;
}

static size_t append(char *to, size_t size_of_to, size_t at, const char *text)
{
    while (*text && at < size_of_to - 1)
        to[at++] = *text++;
    to[at] = '\0';
    return at;
}

/* "one, two or three": the words whose value has its bit in `which`. */
static size_t append_words(char *to, size_t size_of_to, const struct word *words, unsigned which)
{
    unsigned left = 0;
    size_t at = 0;

    for (const struct word *word = words; word->text; word++)
        left += (which & OF(word->value)) != 0;
    for (const struct word *word = words; word->text; word++) {
        if (!(which & OF(word->value)))
            continue;
        at = append(to, size_of_to, at, word->text);
        left--;
        at = append(to, size_of_to, at, left > 1 ? ", " : left == 1 ? " or " : "");
    }
    return at;
}

const char *settings_values(enum settings_index index, char *to, size_t size_of_to)
{
    const struct setting *setting = &table[index];
    size_t at = 0;

    if (setting->words)
        at = append_words(to, size_of_to, setting->words, ~0u);
    if (setting->words && setting->rest)
        at = append(to, size_of_to, at, ", ");
    if (setting->rest)
        append(to, size_of_to, at, setting->rest);
    if (setting->most)
        snprintf(to, size_of_to, SIZE_VALUES, setting->least, setting->most);
    return to;
}

const char *settings_purpose(enum settings_index index, char *to, size_t size_of_to)
{
    append(to, size_of_to, 0, table[index].help);
    return to;
}

/* --- reading ----------------------------------------------------------------------------- */

const char settings_not_started[] = "the program is not started (WSRX_STRICT=1)";

/* Whether a bad setting ends the program: known before any is reported. */
START_CODE static bool is_strict(char *const *environment)
{
    const struct setting *setting = &table[INDEX_WSRX_STRICT];
    size_t length = strlen(setting->name);
    struct settings scratch = {.strict = false};

    for (; *environment; environment++)
        if (strncmp(*environment, setting->name, length) == 0 && (*environment)[length] == '=')
            parse(setting, &scratch, *environment + length + 1);
    return scratch.strict;
}

/* One line, and whether this ends the program. */
static void report_bad(const struct setting *setting, const char *value, bool strict)
{
    char text[128], values[256];

    diag("%s=\"%s\": expected %s; %s%s", setting->name,
         shown(value, strlen(value), text, sizeof text),
         settings_values((enum settings_index)(setting - table), values, sizeof values),
         strict ? settings_not_started : "using the default, ", strict ? "" : setting->fallback);
}

static void report_unknown(const char *name, size_t length, bool strict)
{
    char text[64];

    diag("%s: unknown setting (WSRX_HELP=1 lists them); %s", shown(name, length, text, sizeof text),
         strict ? settings_not_started : "ignored");
}

/* A setting for a trace that is not made is reported too, since whoever set it waits for that
 * trace. The statistics use none of these. Not reported: in mode off, where the library is as if it
 * were not there; next to a WSRX_TRACE that says off, or that has just been reported as bad.
 * `value`: the good values, in the table's order, or NULL. */
START_CODE static unsigned report_idle(const struct settings *settings, const char *const *value,
                                       bool trace_said)
{
    unsigned bad = 0;
    char text[128], kinds[64];

    if (settings->mode == MODE_OFF || (settings->trace == TRACE_OFF && trace_said))
        return 0;
    for (size_t i = 0; i < SETTINGS; i++) {
        unsigned traces = table[i].traces;

        if (!value[i] || traces == NO_TRACE || (traces & OF(settings->trace)))
            continue;
        append_words(kinds, sizeof kinds, table[INDEX_WSRX_TRACE].words, traces);
        diag("%s=\"%s\" has no effect without WSRX_TRACE=%s%s%s", table[i].name,
             shown(value[i], strlen(value[i]), text, sizeof text), kinds,
             settings->strict ? "; " : "", settings->strict ? settings_not_started : "");
        bad++;
    }
    return bad;
}

START_CODE static void set_defaults(struct settings *settings)
{
    memset(settings, 0, sizeof *settings);
    /* Where there is a text among the values the default is one as well, for people. */
    for (size_t i = 0; i < SETTINGS; i++)
        if (!table[i].rest)
            parse(&table[i], settings, table[i].fallback);
}

START_CODE unsigned settings_read(struct settings *settings, char *const *environment)
{
    const char *good[SETTINGS] = {NULL};
    bool strict = is_strict(environment), trace_said = false;
    unsigned bad = 0;

    set_defaults(settings);
    for (; *environment; environment++) {
        const char *entry = *environment;
        const char *equals = strchrnul(entry, '=');
        const struct setting *setting;

        if (strncmp(entry, "WSRX_", 5) != 0 || !*equals)
            continue;
        setting = find(entry, (size_t)(equals - entry));
        trace_said |= setting == &table[INDEX_WSRX_TRACE];
        if (!setting) {
            report_unknown(entry, (size_t)(equals - entry), strict);
            bad++;
        } else if (!parse(setting, settings, equals + 1)) {
            report_bad(setting, equals + 1, strict);
            bad++;
        } else {
            good[setting - table] = equals + 1;
        }
    }
    return bad + report_idle(settings, good, trace_said);
}

int settings_help(int fd)
{
    char text[8192], value[256], values[256];
    size_t length = 0;

    for (size_t i = 0; i < SETTINGS && length < sizeof text; i++) {
        const struct setting *setting = &table[i];
        const char *now = getenv(setting->name);
        struct settings scratch;

        if (!now || !parse(setting, &scratch, now))
            now = setting->fallback;
        settings_values((enum settings_index)i, values, sizeof values);
        length += (size_t)snprintf(text + length, sizeof text - length,
                                   "%s=%s\n    %s\n    values: %s; default: %s\n", setting->name,
                                   shown(now, strlen(now), value, sizeof value), setting->help,
                                   values, setting->fallback);
    }
    length = length < sizeof text ? length : sizeof text - 1;
    for (size_t written = 0; written < length;) {
        ssize_t result = sys_write(fd, text + written, length - written);

        if (result < 0)
            return (int)result;
        written += (size_t)result;
    }
    return 0;
}
