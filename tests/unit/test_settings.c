/* SPDX-License-Identifier: MIT
 *
 * The WSRX_* settings: what each takes, and the line for what it does not take.
 */
#include "environment.h"
#include "rows.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- helpers ----------------------------------------------------------------------------- */

/* The lines that begin as the library's do: "libwsrx[PID]: ". */
static const char *line(const char *rest)
{
    static char text[2048];

    snprintf(text, sizeof text, "libwsrx[%d]: %s\n", (int)getpid(), rest);
    return text;
}

/* --- assertions -------------------------------------------------------------------------- */

#define MIB          ((size_t)1 << 20)
/* As much as a process of this word size may have. */
#define AT_MOST(mib) (((mib) < (SIZE_MAX >> 22) + 1 ? (size_t)(mib) : (SIZE_MAX >> 22) + 1) * MIB)

struct simple {
    enum mode mode;
    bool calls_all;
    enum hold hold;
    size_t hold_max;
    bool strict, help;
};

#define DEFAULTS MODE_CONTINUE, false, HOLD_AUTO, 64 * MIB, false, false

static void assert_settings(const struct settings *settings, const struct simple *expected,
                            const char *of)
{
    cr_expect_eq(settings->mode, expected->mode, "%s: mode %d", of, settings->mode);
    cr_expect_eq(settings->calls_all, expected->calls_all, "%s: calls_all", of);
    cr_expect_eq(settings->hold, expected->hold, "%s: hold %d", of, settings->hold);
    cr_expect_eq(settings->hold_max, expected->hold_max, "%s: hold_max %zu", of,
                 settings->hold_max);
    cr_expect_eq(settings->strict, expected->strict, "%s: strict", of);
    cr_expect_eq(settings->help, expected->help, "%s: help", of);
}

static void assert_defaults(const struct settings *settings, const char *of)
{
    assert_settings(settings, &(struct simple){DEFAULTS}, of);
    cr_expect_eq(settings->sockets.count, 0, "%s: %zu selectors", of, settings->sockets.count);
    cr_expect_null(settings->table, "%s: table", of);
}

/* One bad setting: this line, in one write, and nothing else. */
static void assert_told(const struct captured *told, unsigned bad, const char *rest)
{
    cr_expect_eq(bad, 1, "%u bad settings", bad);
    cr_expect_eq(told->writes, 1, "%u writes", told->writes);
    cr_expect_str_eq(told->text, line(rest), "told \"%s\"", told->text);
}

/* --- settings_read: good values ---------------------------------------------------------- */

struct good {
    const char *entry;
    struct simple expected;
};

static const struct good goods[] = {
    {"UNRELATED=1", {DEFAULTS}},
    {"WSRX_MODE=continue", {DEFAULTS}},
    {"WSRX_MODE=error", {MODE_ERROR, false, HOLD_AUTO, 64 * MIB, false, false}},
    {"WSRX_MODE=discard", {MODE_DISCARD, false, HOLD_AUTO, 64 * MIB, false, false}},
    {"WSRX_MODE=observe", {MODE_OBSERVE, false, HOLD_AUTO, 64 * MIB, false, false}},
    {"WSRX_MODE=off", {MODE_OFF, false, HOLD_AUTO, 64 * MIB, false, false}},
    {"WSRX_CALLS=plain", {DEFAULTS}},
    {"WSRX_CALLS=all", {MODE_CONTINUE, true, HOLD_AUTO, 64 * MIB, false, false}},
    {"WSRX_HOLD=auto", {DEFAULTS}},
    {"WSRX_HOLD=process", {MODE_CONTINUE, false, HOLD_PROCESS, 64 * MIB, false, false}},
    {"WSRX_HOLD=kernel", {MODE_CONTINUE, false, HOLD_KERNEL, 64 * MIB, false, false}},
    {"WSRX_STRICT=0", {DEFAULTS}},
    {"WSRX_STRICT=1", {MODE_CONTINUE, false, HOLD_AUTO, 64 * MIB, true, false}},
    {"WSRX_HELP=0", {DEFAULTS}},
    {"WSRX_HELP=1", {MODE_CONTINUE, false, HOLD_AUTO, 64 * MIB, false, true}},

    {"WSRX_HOLD_MAX=0", {MODE_CONTINUE, false, HOLD_AUTO, 0, false, false}},
    {"WSRX_HOLD_MAX=1", {MODE_CONTINUE, false, HOLD_AUTO, 1, false, false}},
    {"WSRX_HOLD_MAX=65507", {MODE_CONTINUE, false, HOLD_AUTO, 65507, false, false}},
    {"WSRX_HOLD_MAX=00010", {MODE_CONTINUE, false, HOLD_AUTO, 10, false, false}},
    {"WSRX_HOLD_MAX=3K", {MODE_CONTINUE, false, HOLD_AUTO, 3072, false, false}},
    {"WSRX_HOLD_MAX=64M", {DEFAULTS}},
    {"WSRX_HOLD_MAX=2G", {MODE_CONTINUE, false, HOLD_AUTO, AT_MOST(2048), false, false}},
    {"WSRX_HOLD_MAX=0G", {MODE_CONTINUE, false, HOLD_AUTO, 0, false, false}},
    {"WSRX_HOLD_MAX=4G", {MODE_CONTINUE, false, HOLD_AUTO, AT_MOST(4096), false, false}},
    {"WSRX_HOLD_MAX=1024G", {MODE_CONTINUE, false, HOLD_AUTO, AT_MOST(1 << 20), false, false}},
    {"WSRX_HOLD_MAX=1048576M", {MODE_CONTINUE, false, HOLD_AUTO, AT_MOST(1 << 20), false, false}},
    {"WSRX_HOLD_MAX=1099511627776",
     {MODE_CONTINUE, false, HOLD_AUTO, AT_MOST(1 << 20), false, false}},
};

ROWS(settings_read, takes_good_values, ROWS_OF(goods))
{
    const struct good *good = &goods[*row];
    struct settings settings;
    struct captured told;
    unsigned bad = read_entry(&settings, &told, good->entry);

    assert_silent(&told, bad, good->entry);
    assert_settings(&settings, &good->expected, good->entry);
    cr_expect_eq(settings.sockets.count, 0);
}

Test(settings_read, of_an_empty_environment_is_the_default)
{
    struct settings settings;
    struct captured told;
    unsigned bad = read_entries(&settings, &told, (const char *const[ENTRIES]){NULL});

    assert_silent(&told, bad, "empty");
    assert_defaults(&settings, "empty");
}

Test(settings_read, takes_the_path_of_a_table)
{
    struct settings settings;
    struct captured told;
    unsigned bad = read_entry(&settings, &told, "WSRX_TABLE=/run/user/0/a b=c");

    assert_silent(&told, bad, "WSRX_TABLE");
    assert_settings(&settings, &(struct simple){DEFAULTS}, "WSRX_TABLE");
    cr_assert_not_null(settings.table);
    cr_expect_str_eq(settings.table, "/run/user/0/a b=c");
}

Test(settings_read, takes_all_settings_together)
{
    struct settings settings;
    struct captured told;
    unsigned bad = read_entries(
        &settings, &told,
        (const char *const[ENTRIES]){"HOME=/", "WSRX_HELP=1", "WSRX_SOCKETS=udp,!port=5353",
                                     "WSRX_HOLD_MAX=8K", "WSRX_HOLD=kernel", "WSRX_CALLS=all",
                                     "WSRX_MODE=error", "WSRX_STRICT=1", "WSRX_TABLE=/t"});

    assert_silent(&told, bad, "all");
    assert_settings(&settings, &(struct simple){MODE_ERROR, true, HOLD_KERNEL, 8192, true, true},
                    "all");
    cr_expect_eq(settings.sockets.count, 2);
    cr_expect_str_eq(settings.table, "/t");
}

/* Names that only look like ours are somebody else's. */
Test(settings_read, passes_other_names)
{
    struct settings settings;
    struct captured told;
    unsigned bad = read_entries(&settings, &told,
                                (const char *const[ENTRIES]){"XWSRX_MODE=off", "wsrx_mode=off",
                                                             "WSRX=off", "WSRXMODE=off",
                                                             "WSRX_MODE", "=WSRX_MODE=off", ""});

    assert_silent(&told, bad, "others");
    assert_defaults(&settings, "others");
}

/* --- settings_read: bad values ----------------------------------------------------------- */

#define USES(value) "; using the default, " value
#define MODE_LINE(value) \
    "WSRX_MODE=\"" value "\": expected continue, error, discard, observe or off" USES("continue")
#define CALLS_LINE(value) "WSRX_CALLS=\"" value "\": expected plain or all" USES("plain")
#define SOCKETS_LINE(value)                                                           \
    "WSRX_SOCKETS=\"" value "\": expected udp, unix, vsock, port=N, fd=N or path=P, " \
    "comma-separated, at most 32, with ! before one to exclude it" USES("all message sockets")
#define HOLD_LINE(value) "WSRX_HOLD=\"" value "\": expected auto, process or kernel" USES("auto")
#define HOLD_MAX_LINE(value) \
    "WSRX_HOLD_MAX=\"" value \
    "\": expected a size in bytes from 0 to 1024G, with K, M or G" USES("64M")
#define FLAG_LINE(name, value) name "=\"" value "\": expected 0 or 1" USES("0")
#define UNKNOWN_LINE(name)     name ": unknown setting (WSRX_HELP=1 lists them); ignored"

struct bad {
    const char *entry;
    const char *line;
};

static const struct bad bads[] = {
    {"WSRX_MODE=", MODE_LINE("")},
    {"WSRX_MODE=Continue", MODE_LINE("Continue")},
    {"WSRX_MODE=continue ", MODE_LINE("continue ")},
    {"WSRX_MODE= off", MODE_LINE(" off")},
    {"WSRX_MODE=of", MODE_LINE("of")},
    {"WSRX_MODE=offf", MODE_LINE("offf")},
    {"WSRX_MODE=observe=1", MODE_LINE("observe=1")},
    {"WSRX_MODE=0", MODE_LINE("0")},
    {"WSRX_CALLS=", CALLS_LINE("")},
    {"WSRX_CALLS=ALL", CALLS_LINE("ALL")},
    {"WSRX_CALLS=plain,all", CALLS_LINE("plain,all")},
    {"WSRX_HOLD=", HOLD_LINE("")},
    {"WSRX_HOLD=wine", HOLD_LINE("wine")},
    {"WSRX_TABLE=",
     "WSRX_TABLE=\"\": expected the path of a file, which is created with mode 0600 if it is "
     "missing" USES("none")},
    {"WSRX_STRICT=", FLAG_LINE("WSRX_STRICT", "")},
    {"WSRX_STRICT=2", FLAG_LINE("WSRX_STRICT", "2")},
    {"WSRX_STRICT=yes", FLAG_LINE("WSRX_STRICT", "yes")},
    {"WSRX_HELP=", FLAG_LINE("WSRX_HELP", "")},
    {"WSRX_HELP=01", FLAG_LINE("WSRX_HELP", "01")},

    {"WSRX_HOLD_MAX=", HOLD_MAX_LINE("")},
    {"WSRX_HOLD_MAX=K", HOLD_MAX_LINE("K")},
    {"WSRX_HOLD_MAX=64m", HOLD_MAX_LINE("64m")},
    {"WSRX_HOLD_MAX=64MB", HOLD_MAX_LINE("64MB")},
    {"WSRX_HOLD_MAX=64MK", HOLD_MAX_LINE("64MK")},
    {"WSRX_HOLD_MAX=1T", HOLD_MAX_LINE("1T")},
    {"WSRX_HOLD_MAX=-1", HOLD_MAX_LINE("-1")},
    {"WSRX_HOLD_MAX=+1", HOLD_MAX_LINE("+1")},
    {"WSRX_HOLD_MAX= 1", HOLD_MAX_LINE(" 1")},
    {"WSRX_HOLD_MAX=1 ", HOLD_MAX_LINE("1 ")},
    {"WSRX_HOLD_MAX=0x10", HOLD_MAX_LINE("0x10")},
    {"WSRX_HOLD_MAX=1.5G", HOLD_MAX_LINE("1.5G")},
    {"WSRX_HOLD_MAX=1/", HOLD_MAX_LINE("1/")},
    {"WSRX_HOLD_MAX=1:", HOLD_MAX_LINE("1:")},
    {"WSRX_HOLD_MAX=1025G", HOLD_MAX_LINE("1025G")},
    {"WSRX_HOLD_MAX=1099511627777", HOLD_MAX_LINE("1099511627777")},
    /* 2^64 - 1, 2^64 and 2^64 + 1: what wraps round would be small. */
    {"WSRX_HOLD_MAX=18446744073709551615", HOLD_MAX_LINE("18446744073709551615")},
    {"WSRX_HOLD_MAX=18446744073709551616", HOLD_MAX_LINE("18446744073709551616")},
    {"WSRX_HOLD_MAX=18446744073709551617", HOLD_MAX_LINE("18446744073709551617")},
    {"WSRX_HOLD_MAX=18014398509481984K", HOLD_MAX_LINE("18014398509481984K")},
    {"WSRX_HOLD_MAX=17592186044417M", HOLD_MAX_LINE("17592186044417M")},
    {"WSRX_HOLD_MAX=17179869184G", HOLD_MAX_LINE("17179869184G")},
    {"WSRX_HOLD_MAX=17179869185G", HOLD_MAX_LINE("17179869185G")},
    {"WSRX_HOLD_MAX=99999999999999999999999999", HOLD_MAX_LINE("99999999999999999999999999")},

    {"WSRX_SOCKETS=", SOCKETS_LINE("")},
    {"WSRX_SOCKETS=!", SOCKETS_LINE("!")},
    {"WSRX_SOCKETS=,", SOCKETS_LINE(",")},
    {"WSRX_SOCKETS=udp,", SOCKETS_LINE("udp,")},
    {"WSRX_SOCKETS=,udp", SOCKETS_LINE(",udp")},
    {"WSRX_SOCKETS=udp,,unix", SOCKETS_LINE("udp,,unix")},
    {"WSRX_SOCKETS=udp, unix", SOCKETS_LINE("udp, unix")},
    {"WSRX_SOCKETS=!!udp", SOCKETS_LINE("!!udp")},
    {"WSRX_SOCKETS=tcp", SOCKETS_LINE("tcp")},
    {"WSRX_SOCKETS=ud", SOCKETS_LINE("ud")},
    {"WSRX_SOCKETS=udp6", SOCKETS_LINE("udp6")},
    {"WSRX_SOCKETS=UDP", SOCKETS_LINE("UDP")},
    {"WSRX_SOCKETS=port", SOCKETS_LINE("port")},
    {"WSRX_SOCKETS=port=", SOCKETS_LINE("port=")},
    {"WSRX_SOCKETS=port=dns", SOCKETS_LINE("port=dns")},
    {"WSRX_SOCKETS=port=-1", SOCKETS_LINE("port=-1")},
    {"WSRX_SOCKETS=port=53!", SOCKETS_LINE("port=53!")},
    {"WSRX_SOCKETS=port=65536", SOCKETS_LINE("port=65536")},
    {"WSRX_SOCKETS=port=4294967349", SOCKETS_LINE("port=4294967349")},
    {"WSRX_SOCKETS=fd=", SOCKETS_LINE("fd=")},
    {"WSRX_SOCKETS=fd=-1", SOCKETS_LINE("fd=-1")},
    {"WSRX_SOCKETS=fd=7K", SOCKETS_LINE("fd=7K")},
    {"WSRX_SOCKETS=fd=2147483648", SOCKETS_LINE("fd=2147483648")},
    {"WSRX_SOCKETS=path=", SOCKETS_LINE("path=")},
    {"WSRX_SOCKETS=path=,udp", SOCKETS_LINE("path=,udp")},
    {"WSRX_SOCKETS=path=\"", SOCKETS_LINE("path=\"")},
    {"WSRX_SOCKETS=path=\"\"", SOCKETS_LINE("path=\"\"")},
    {"WSRX_SOCKETS=path=\"a", SOCKETS_LINE("path=\"a")},
    {"WSRX_SOCKETS=path=\"a\\\"", SOCKETS_LINE("path=\"a\\\"")},
    {"WSRX_SOCKETS=path=\"a\"b,udp", SOCKETS_LINE("path=\"a\"b,udp")},
    {"WSRX_SOCKETS=port=\"1\"", SOCKETS_LINE("port=\"1\"")},
    {"WSRX_SOCKETS=udp,port=53,bogus", SOCKETS_LINE("udp,port=53,bogus")},

    {"WSRX_=1", UNKNOWN_LINE("WSRX_")},
    {"WSRX_MODES=off", UNKNOWN_LINE("WSRX_MODES")},
    {"WSRX_MOD=off", UNKNOWN_LINE("WSRX_MOD")},
    {"WSRX_mode=off", UNKNOWN_LINE("WSRX_mode")},
    {"WSRX_HOLDMAX=", UNKNOWN_LINE("WSRX_HOLDMAX")},
    {"WSRX_HOLD_=kernel", UNKNOWN_LINE("WSRX_HOLD_")},

    /* Whatever the value is, the line is one. */
    {"WSRX_MODE=a\nb\tc\x7f\x1b[1m", MODE_LINE("a?b?c??[1m")},
    {"WSRX_MODE=%s%n%%", MODE_LINE("%s%n%%")},
    {"WSRX_MODE=\"off\"", MODE_LINE("\"off\"")},
    {"WSRX_MODE=\xc3\xa4us", MODE_LINE("\xc3\xa4us")},
    {"WSRX_A\nB=", UNKNOWN_LINE("WSRX_A?B")},
};

ROWS(settings_read, tells_bad_values, ROWS_OF(bads))
{
    const struct bad *bad = &bads[*row];
    struct settings settings;
    struct captured told;
    unsigned count = read_entry(&settings, &told, bad->entry);

    assert_told(&told, count, bad->line);
    assert_defaults(&settings, bad->entry);
}

/* A bad setting takes nothing away from the good ones, wherever it stands. */
Test(settings_read, tells_each_bad_value_and_keeps_the_good_ones)
{
    struct settings settings;
    struct captured told;
    char expected[4096] = "";
    unsigned bad = read_entries(
        &settings, &told,
        (const char *const[ENTRIES]){"WSRX_MODE=error", "WSRX_CALLS=some", "WSRX_HOLD=kernel",
                                     "WSRX_NONSENSE=1", "WSRX_HELP=1", "WSRX_SOCKETS=udp,tcp"});

    strcat(expected, line(CALLS_LINE("some")));
    strcat(expected, line(UNKNOWN_LINE("WSRX_NONSENSE")));
    strcat(expected, line(SOCKETS_LINE("udp,tcp")));
    cr_expect_eq(bad, 3);
    cr_expect_eq(told.writes, 3);
    cr_expect_str_eq(told.text, expected, "told \"%s\"", told.text);
    assert_settings(&settings,
                    &(struct simple){MODE_ERROR, false, HOLD_KERNEL, 64 * MIB, false, true},
                    "mixed");
    cr_expect_eq(settings.sockets.count, 0);
}

/* Of a name that stands there twice the last good value is used, and nothing of a bad one. */
Test(settings_read, keeps_a_good_value_before_a_bad_one)
{
    struct settings settings;
    struct captured told;
    unsigned bad = read_entries(
        &settings, &told,
        (const char *const[ENTRIES]){"WSRX_SOCKETS=udp,port=7", "WSRX_SOCKETS=fd=3,unix,x",
                                     "WSRX_CALLS=all", "WSRX_CALLS=x", "WSRX_HOLD_MAX=1K",
                                     "WSRX_HOLD_MAX=1T", "WSRX_MODE=observe", "WSRX_MODE="});

    cr_expect_eq(bad, 4);
    assert_settings(&settings, &(struct simple){MODE_OBSERVE, true, HOLD_AUTO, 1024, false, false},
                    "twice");
    cr_assert_eq(settings.sockets.count, 2);
    cr_expect_eq(settings.sockets.at[0].kind, SELECT_UDP);
    cr_expect_eq(settings.sockets.at[1].kind, SELECT_PORT);
}

/* What the line for a bad filter, or bad selectors, says that it expects is taken. */
Test(settings_read, takes_each_item_that_it_lists)
{
#define ROW(constant, text, meaning) text,
    enum { ITEMS = 16 };
    static const char *const items[][ITEMS] = {
        {"WSRX_TRACE_FILTER", TRACE_FILTER_WORDS(ROW)},
        {"WSRX_SOCKETS", SOCKETS_WORDS(ROW)},
    };
#undef ROW

    for (size_t i = 0; i < sizeof items / sizeof *items; i++)
        for (size_t j = 1; j < ITEMS && items[i][j]; j++) {
            size_t length = strcspn(items[i][j], "=");
            const char *argument = strcmp(items[i][j] + length, "=NAME") == 0 ? "=recv"
                                   : items[i][j][length]                      ? "=1"
                                                                              : "";
            char entry[64];
            struct settings settings;
            struct captured told;
            unsigned bad;

            snprintf(entry, sizeof entry, "%s=%.*s%s", items[i][0], (int)length, items[i][j],
                     argument);
            bad = read_entries(&settings, &told,
                               (const char *const[ENTRIES]){"WSRX_TRACE=text", entry});
            assert_silent(&told, bad, entry);
        }
}

/* Strictness ends the program, wherever it stands; the last word on it counts. */
Test(settings_read, tells_what_strictness_means)
{
#define ENDS "; the program is not started (WSRX_STRICT=1)"
    static const struct {
        const char *entries[ENTRIES];
        const char *line;
    } strict[] = {
        {{"WSRX_STRICT=1", "WSRX_CALLS=x"}, "WSRX_CALLS=\"x\": expected plain or all" ENDS},
        {{"WSRX_CALLS=x", "WSRX_STRICT=1"}, "WSRX_CALLS=\"x\": expected plain or all" ENDS},
        {{"WSRX_X=1", "WSRX_STRICT=0", "WSRX_STRICT=1"},
         "WSRX_X: unknown setting (WSRX_HELP=1 lists them)" ENDS},
        {{"WSRX_TRACE_KEEP=all", "WSRX_STRICT=1"},
         "WSRX_TRACE_KEEP=\"all\" has no effect without WSRX_TRACE=ring" ENDS},
        {{"WSRX_STRICT=1", "WSRX_CALLS=x", "WSRX_STRICT=0"}, CALLS_LINE("x")},
    };

    for (size_t i = 0; i < sizeof strict / sizeof *strict; i++) {
        struct settings settings;
        struct captured told;
        unsigned bad = read_entries(&settings, &told, strict[i].entries);

        assert_told(&told, bad, strict[i].line);
    }
}

/* However long the value is, the line says to its end what happens now. */
Test(settings_read, cuts_a_long_value_not_the_line)
{
    static const size_t lengths[] = {100, 126, 127, 128, 129, 600, 5000};

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        const char *const ends = "; using the default, all message sockets\n";
        char entry[6000] = "WSRX_SOCKETS=";
        struct settings settings;
        struct captured told;
        unsigned bad;

        memset(entry + strlen(entry), 'x', lengths[i]);
        bad = read_entry(&settings, &told, entry);
        cr_expect_eq(bad, 1);
        cr_expect_eq(told.writes, 1);
        cr_assert_gt(told.length, strlen(ends));
        cr_expect_str_eq(told.text + told.length - strlen(ends), ends, "told \"%s\"", told.text);
        cr_expect_not_null(strstr(told.text, "WSRX_SOCKETS=\"xxxxxxxx"));
        assert_defaults(&settings, "long value");
    }
}

Test(settings_read, cuts_a_long_name_not_the_line)
{
    const char *const ends = ": unknown setting (WSRX_HELP=1 lists them); ignored\n";
    char entry[1000] = "WSRX_";
    struct settings settings;
    struct captured told;

    memset(entry + strlen(entry), 'X', 900);
    strcat(entry, "=1");
    cr_expect_eq(read_entry(&settings, &told, entry), 1);
    cr_expect_eq(told.writes, 1);
    cr_assert_gt(told.length, strlen(ends));
    cr_expect_str_eq(told.text + told.length - strlen(ends), ends, "told \"%s\"", told.text);
}

/* --- settings_read: WSRX_SOCKETS --------------------------------------------------------- */

struct selection {
    const char *value;
    size_t count;
    struct {
        enum selector_kind kind;
        bool exclude;
        unsigned number;
        const char *path;
    } selector[6];
};

static const struct selection selections[] = {
    {"udp", 1, {{SELECT_UDP, false, 0, NULL}}},
    {"unix", 1, {{SELECT_UNIX, false, 0, NULL}}},
    {"vsock", 1, {{SELECT_VSOCK, false, 0, NULL}}},
    {"!udp", 1, {{SELECT_UDP, true, 0, NULL}}},
    {"port=53", 1, {{SELECT_PORT, false, 53, NULL}}},
    {"!port=5353", 1, {{SELECT_PORT, true, 5353, NULL}}},
    {"port=65535", 1, {{SELECT_PORT, false, 65535, NULL}}},
    {"fd=0", 1, {{SELECT_FD, false, 0, NULL}}},
    {"fd=2147483647", 1, {{SELECT_FD, false, 2147483647, NULL}}},
    {"path=/run/x.sock", 1, {{SELECT_PATH, false, 0, "/run/x.sock"}}},
    {"!path=a b=!c", 1, {{SELECT_PATH, true, 0, "a b=!c"}}},
    {"path=@name", 1, {{SELECT_PATH, false, 0, "@name"}}},
    {"path=a\"b", 1, {{SELECT_PATH, false, 0, "a\"b"}}},
    {"path=\"/a,b\"", 1, {{SELECT_PATH, false, 0, "/a,b"}}},
    {"path=\"@a\\\",\\\\\",!path=\"b\",udp",
     3,
     {{SELECT_PATH, false, 0, "@a\\\",\\\\"},
      {SELECT_PATH, true, 0, "b"},
      {SELECT_UDP, false, 0, NULL}}},
    {"udp,unix,vsock,port=1,fd=2,path=3",
     6,
     {{SELECT_UDP, false, 0, NULL},
      {SELECT_UNIX, false, 0, NULL},
      {SELECT_VSOCK, false, 0, NULL},
      {SELECT_PORT, false, 1, NULL},
      {SELECT_FD, false, 2, NULL},
      {SELECT_PATH, false, 0, "3"}}},
    {"udp,!port=5353,!path=/x,fd=7",
     4,
     {{SELECT_UDP, false, 0, NULL},
      {SELECT_PORT, true, 5353, NULL},
      {SELECT_PATH, true, 0, "/x"},
      {SELECT_FD, false, 7, NULL}}},
    {"udp,udp", 2, {{SELECT_UDP, false, 0, NULL}, {SELECT_UDP, false, 0, NULL}}},
};

ROWS(settings_read, takes_selectors, ROWS_OF(selections))
{
    const struct selection *selection = &selections[*row];
    char entry[256];
    struct settings settings;
    struct captured told;
    unsigned bad;

    snprintf(entry, sizeof entry, "WSRX_SOCKETS=%s", selection->value);
    bad = read_entry(&settings, &told, entry);
    assert_silent(&told, bad, entry);
    assert_settings(&settings, &(struct simple){DEFAULTS}, entry);
    cr_assert_eq(settings.sockets.count, selection->count, "%s: %zu selectors", entry,
                 settings.sockets.count);
    for (size_t i = 0; i < selection->count; i++) {
        const struct selector *selector = &settings.sockets.at[i];
        const char *path = selection->selector[i].path;

        cr_expect_eq(selector->kind, selection->selector[i].kind, "%s: kind of %zu", entry, i);
        cr_expect_eq(selector->exclude, selection->selector[i].exclude, "%s: ! of %zu", entry, i);
        cr_expect_eq(selector->number, selection->selector[i].number, "%s: number of %zu is %u",
                     entry, i, selector->number);
        cr_expect_eq(selector->path_length, path ? strlen(path) : 0, "%s: length of %zu is %zu",
                     entry, i, selector->path_length);
        if (path && selector->path_length == strlen(path))
            cr_expect_eq(memcmp(selector->path, path, strlen(path)), 0, "%s: path %zu", entry, i);
    }
}

Test(settings_read, takes_as_many_selectors_as_it_says)
{
    for (int count = SELECTORS_MAX - 1; count <= SELECTORS_MAX + 1; count++) {
        char entry[1024] = "WSRX_SOCKETS=fd=0";
        struct settings settings;
        struct captured told;
        unsigned bad;

        for (int i = 1; i < count; i++)
            snprintf(entry + strlen(entry), sizeof entry - strlen(entry), ",fd=%d", i);
        bad = read_entry(&settings, &told, entry);
        if (count <= SELECTORS_MAX) {
            assert_silent(&told, bad, entry);
            cr_assert_eq(settings.sockets.count, (size_t)count);
            cr_assert_eq(settings.sockets.at[count - 1].number, (unsigned)count - 1);
        } else {
            cr_expect_eq(bad, 1);
            cr_expect_eq(told.writes, 1);
            assert_defaults(&settings, entry);
        }
    }
}
