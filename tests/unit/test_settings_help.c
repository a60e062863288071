/* SPDX-License-Identifier: MIT
 *
 * The settings as WSRX_HELP=1 and wsrx help settings print them.
 */
#include "environment.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static const struct {
    const char *name;
    bool value; /* whether its default is a value; else it is a phrase */
} listed[SETTINGS] = {
#define WORDS(list)                                         true
#define SIZE(least, most)                                   true
#define LIST(list, rest)                                    false
#define TEXT(values)                                        false
#define SETTING(variable, type, field, parser, values, ...) {#variable, values},
#include "settings.def"
};

/* The value that help gives for a name: its line is "NAME=VALUE". */
static const char *helped(const struct captured *told, const char *name)
{
    static char value[8192];
    char start[64];
    const char *at;

    snprintf(start, sizeof start, "\n%s=", name);
    at = strncmp(told->text, start + 1, strlen(start + 1)) == 0 ? told->text - 1
                                                                : strstr(told->text, start);
    if (!at)
        return "(not there)";
    snprintf(value, sizeof value, "%.*s", (int)strcspn(at + strlen(start), "\n"),
             at + strlen(start));
    return value;
}

static void help(struct captured *ret_told)
{
    capture();
    settings_help(STDERR_FILENO);
    captured(ret_told);
    cr_assert_gt(ret_told->length, 0);
    cr_expect_eq(strlen(ret_told->text), ret_told->length, "help holds a NUL");
    cr_expect_eq(ret_told->text[ret_told->length - 1], '\n', "help ends within a line");
}

Test(settings_help, gives_each_default)
{
    struct captured told;

    environ = (char *[]){NULL};
    help(&told);
    cr_expect_eq(told.writes, 1);
    cr_expect_str_eq(helped(&told, "WSRX_SOCKETS"), "all message sockets");
    cr_expect_str_eq(helped(&told, "WSRX_TABLE"), "none");

    /* What it calls the default is what settings_read() takes for it. */
    for (size_t i = 0; i < SETTINGS; i++) {
        char entry[256];
        struct settings settings, nothing;
        struct captured read;
        unsigned bad;

        snprintf(entry, sizeof entry, "%s=%s", listed[i].name, helped(&told, listed[i].name));
        if (!listed[i].value)
            continue;
        read_entries(&nothing, &read, (const char *const[ENTRIES]){"WSRX_TRACE=ring"});
        bad =
            read_entries(&settings, &read, (const char *const[ENTRIES]){"WSRX_TRACE=ring", entry});
        assert_silent(&read, bad, entry);
        if (i == INDEX_WSRX_TRACE)
            nothing.trace = TRACE_OFF;
        cr_expect_eq(memcmp(&settings, &nothing, sizeof settings), 0, "%s: not the default", entry);
    }
}

Test(settings_help, gives_current_values)
{
    struct captured told;

    environ = (char *[]){(char[]){"WSRX_MODE=observe"},
                         (char[]){"WSRX_CALLS=all"},
                         (char[]){"WSRX_SOCKETS=udp,!port=53"},
                         (char[]){"WSRX_HOLD=kernel"},
                         (char[]){"WSRX_HOLD_MAX=3K"},
                         (char[]){"WSRX_STRICT=1"},
                         (char[]){"WSRX_HELP=1"},
                         NULL};
    help(&told);
    cr_expect_str_eq(helped(&told, "WSRX_MODE"), "observe");
    cr_expect_str_eq(helped(&told, "WSRX_CALLS"), "all");
    cr_expect_str_eq(helped(&told, "WSRX_SOCKETS"), "udp,!port=53");
    cr_expect_str_eq(helped(&told, "WSRX_HOLD"), "kernel");
    cr_expect_str_eq(helped(&told, "WSRX_HOLD_MAX"), "3K");
    cr_expect_str_eq(helped(&told, "WSRX_STRICT"), "1");
    cr_expect_str_eq(helped(&told, "WSRX_HELP"), "1");
}

/* A bad value has told its line already; what holds is the default. */
Test(settings_help, gives_the_default_for_a_bad_value)
{
    struct captured told;

    environ = (char *[]){(char[]){"WSRX_MODE=bad"}, (char[]){"WSRX_HOLD_MAX=-1"},
                         (char[]){"WSRX_SOCKETS=tcp"}, NULL};
    help(&told);
    cr_expect_str_eq(helped(&told, "WSRX_MODE"), "continue");
    cr_expect_str_eq(helped(&told, "WSRX_HOLD_MAX"), "64M");
    cr_expect_str_eq(helped(&told, "WSRX_SOCKETS"), "all message sockets");
}

/* The longest value that means something: 32 paths of sun_path's length. */
Test(settings_help, lists_every_setting_beside_the_longest_value)
{
    static char entry[4096] = "WSRX_SOCKETS=";
    struct captured told;

    for (int i = 0; i < SELECTORS_MAX; i++) {
        strcat(entry, i > 0 ? ",path=/" : "path=/");
        memset(entry + strlen(entry), 'x', 106);
    }
    environ = (char *[]){entry, NULL};
    help(&told);
    for (size_t i = 0; i < SETTINGS; i++)
        cr_expect_str_neq(helped(&told, listed[i].name), "(not there)", "%s is missing",
                          listed[i].name);
}
