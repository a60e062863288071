/* SPDX-License-Identifier: MIT */
/*
 * A bad setting never passes in silence: one line on stderr, in one write, and the default. With
 * WSRX_STRICT=1 the program does not start. What is not bad prints nothing.
 */
#include "rows.h"

#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spawn.h"

/* The default mode, calls, sockets and hold in one transcript, and the same in the kernel's way. */
static const char defaults[] = "udp4\n"
                               "nonblock r\n"
                               "send 2500\n"
                               "recv 1000 -> 1000 m1[0..999]\n"
                               "wsrx_hold r -> process 1500\n"
                               "recv 1000 -> 1000 m1[1000..1999]\n"
                               "recv 1000 -> 500 m1[2000..2499]\n"
                               "send 2000\n"
                               "recvmsg 1000 -> 1000 m2[0..999] from s flags TRUNC\n"
                               "recv 1000 -> -1 EAGAIN\n"
                               "unix a b\n"
                               "nonblock a\n"
                               "send 1500 from=b\n"
                               "recv 1000 on=a -> 1000 m3[0..999]\n"
                               "recv 1000 on=a -> 500 m3[1000..1499]\n";

static bool run_victim(struct spawned *victim, const char *transcript,
                       const char *const *environment)
{
    const char *argv[] = {spawn_victim(), transcript, NULL};
    struct spawn_request request = {.argv = argv, .environment = environment, .preload = true};

    return spawn_run(victim, &request);
}

static bool matches(const char *text, const char *pattern)
{
    regex_t compiled;
    bool found;

    cr_assert_eq(regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB), 0, "%s", pattern);
    found = regexec(&compiled, text, 0, NULL, 0) == 0;
    regfree(&compiled);
    return found;
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;

    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static const struct {
    const char *setting;
    const char *pattern; /* of what follows "libwsrx[PID]: " */
} bad[] = {
    {"WSRX_MODE=x", "WSRX_MODE=\"x\": expected continue, error, discard, observe or off; .+"},
    {"WSRX_MODE=Continue", "WSRX_MODE=\"Continue\": expected continue, .+ or off; .+"},
    {"WSRX_MODE=", "WSRX_MODE=\"\": expected continue, .+ or off; .+"},
    {"WSRX_MODE=continue ", "WSRX_MODE=\"continue \": expected continue, .+ or off; .+"},
    {"WSRX_MODE=observe,off", "WSRX_MODE=\"observe,off\": expected continue, .+ or off; .+"},
    {"WSRX_CALLS=some", "WSRX_CALLS=\"some\": expected plain or all; .+"},
    {"WSRX_CALLS=", "WSRX_CALLS=\"\": expected plain or all; .+"},
    {"WSRX_HOLD=both", "WSRX_HOLD=\"both\": expected auto, process or kernel; .+"},
    {"WSRX_HOLD=1", "WSRX_HOLD=\"1\": expected auto, process or kernel; .+"},
    {"WSRX_HOLD_MAX=lots", "WSRX_HOLD_MAX=\"lots\": expected .+; .*64M.*"},
    {"WSRX_HOLD_MAX=", "WSRX_HOLD_MAX=\"\": expected .+; .*64M.*"},
    {"WSRX_HOLD_MAX=-1", "WSRX_HOLD_MAX=\"-1\": expected .+; .*64M.*"},
    {"WSRX_HOLD_MAX=64X", "WSRX_HOLD_MAX=\"64X\": expected .+; .*64M.*"},
    {"WSRX_HOLD_MAX=64MM", "WSRX_HOLD_MAX=\"64MM\": expected .+; .*64M.*"},
    {"WSRX_HOLD_MAX=M", "WSRX_HOLD_MAX=\"M\": expected .+; .*64M.*"},
    {"WSRX_HOLD_MAX= 64M", "WSRX_HOLD_MAX=\" 64M\": expected .+; .*64M.*"},
    {"WSRX_HOLD_MAX=0x10", "WSRX_HOLD_MAX=\"0x10\": expected .+; .*64M.*"},
    {"WSRX_HOLD_MAX=99999999999999999999", "WSRX_HOLD_MAX=\"9+\": expected .+; .*64M.*"},
    {"WSRX_HOLD_MAX=18014398509481985K", "WSRX_HOLD_MAX=\"18014398509481985K\": expected .+; .+"},
    {"WSRX_SOCKETS=tcp",
     "WSRX_SOCKETS=\"tcp\": expected .*udp.*unix.*vsock.*port=.*fd=.*path=.*; .+"},
    {"WSRX_SOCKETS=", "WSRX_SOCKETS=\"\": expected .+; .+"},
    {"WSRX_SOCKETS=udp,", "WSRX_SOCKETS=\"udp,\": expected .+; .+"},
    {"WSRX_SOCKETS=,udp", "WSRX_SOCKETS=\",udp\": expected .+; .+"},
    {"WSRX_SOCKETS=port", "WSRX_SOCKETS=\"port\": expected .+; .+"},
    {"WSRX_SOCKETS=port=", "WSRX_SOCKETS=\"port=\": expected .+; .+"},
    {"WSRX_SOCKETS=port=http", "WSRX_SOCKETS=\"port=http\": expected .+; .+"},
    {"WSRX_SOCKETS=port=65536", "WSRX_SOCKETS=\"port=65536\": expected .+; .+"},
    {"WSRX_SOCKETS=port=-1", "WSRX_SOCKETS=\"port=-1\": expected .+; .+"},
    {"WSRX_SOCKETS=fd=", "WSRX_SOCKETS=\"fd=\": expected .+; .+"},
    {"WSRX_SOCKETS=fd=x", "WSRX_SOCKETS=\"fd=x\": expected .+; .+"},
    {"WSRX_SOCKETS=path=", "WSRX_SOCKETS=\"path=\": expected .+; .+"},
    {"WSRX_SOCKETS=!", "WSRX_SOCKETS=\"!\": expected .+; .+"},
    {"WSRX_SOCKETS=!!udp", "WSRX_SOCKETS=\"!!udp\": expected .+; .+"},
    {"WSRX_SOCKETS=udp unix", "WSRX_SOCKETS=\"udp unix\": expected .+; .+"},
    {"WSRX_TRACE=jsno", "WSRX_TRACE=\"jsno\": expected off, text, jsonl or ring; .+"},
    {"WSRX_TRACE_DATA=lots", "WSRX_TRACE_DATA=\"lots\": expected a size .+; .+"},
    {"WSRX_TRACE_FILE=x",
     "WSRX_TRACE_FILE=\"x\" has no effect without WSRX_TRACE=text, jsonl or ring"},
    {"WSRX_TRACE_FILTER=lost",
     "WSRX_TRACE_FILTER=\"lost\" has no effect without WSRX_TRACE=text, .+"},
    {"WSRX_TRACE_SIZE=8K", "WSRX_TRACE_SIZE=\"8K\" has no effect without WSRX_TRACE=ring"},
    {"WSRX_TRACE_KEEP=all", "WSRX_TRACE_KEEP=\"all\" has no effect without WSRX_TRACE=ring"},
    {"WSRX_TRACE_DATA=9", "WSRX_TRACE_DATA=\"9\" has no effect without WSRX_TRACE=text, .+"},
    {"WSRX_HELP=2", "WSRX_HELP=\"2\": expected 0 or 1; .+"},
    {"WSRX_MOED=continue", "WSRX_MOED: unknown setting .+; .+"},
    {"WSRX_mode=continue", "WSRX_mode: unknown setting .+; .+"},
    {"WSRX_=1", "WSRX_: unknown setting .+; .+"},
    {"WSRX_MODES=off", "WSRX_MODES: unknown setting .+; .+"},
    /* The last two: where strictness itself is bad, nothing asks for strictness. */
    {"WSRX_STRICT=yes", "WSRX_STRICT=\"yes\": expected 0 or 1; .+"},
    {"WSRX_STRICT=", "WSRX_STRICT=\"\": expected 0 or 1; .+"},
};

enum { BAD_STRICT = 2 };

static void check_line(const char *line, pid_t pid, const char *pattern, const char *setting)
{
    char whole[512];

    snprintf(whole, sizeof(whole), "^libwsrx\\[%d\\]: %s\n$", (int)pid, pattern);
    cr_expect(matches(line, whole), "%s: said \"%s\", expected to match \"%s\"", setting, line,
              whole);
}

/* The same if the program is not started: no default is used then, and the line says so. */
static void check_strict_line(const char *line, pid_t pid, const char *pattern, const char *setting)
{
    int length = (int)strcspn(pattern, ";");
    char whole[512];

    snprintf(whole, sizeof(whole), "%.*s; the program is not started \\(WSRX_STRICT=1\\)", length,
             pattern);
    check_line(line, pid, whole, setting);
}

ROWS(settings, bad_value, ROWS_OF(bad))
{
    const char *const environment[] = {bad[*row].setting, NULL};
    struct spawned victim;

    cr_assert(run_victim(&victim, defaults, environment));
    cr_expect_eq(count_lines(victim.err.data), 1, "%s: one line, not \"%s\"", bad[*row].setting,
                 victim.err.data);
    check_line(victim.err.data, victim.pid, bad[*row].pattern, bad[*row].setting);
    cr_expect_eq(victim.exit_status, 0);
    cr_expect_str_eq(victim.out.data, defaults, "%s: not the defaults:\n%s", bad[*row].setting,
                     victim.out.data);
    spawn_free(&victim);
}

ROWS(settings, strict, ROWS_OF(bad) - BAD_STRICT)
{
    const char *const environment[] = {"WSRX_STRICT=1", bad[*row].setting, NULL};
    struct spawned victim;

    cr_assert(run_victim(&victim, defaults, environment));
    cr_expect_eq(victim.exit_status, 125, "%s: exit status %d", bad[*row].setting,
                 victim.exit_status);
    check_strict_line(victim.err.data, victim.pid, bad[*row].pattern, bad[*row].setting);
    cr_expect_eq(count_lines(victim.err.data), 1, "%s", victim.err.data);
    cr_expect_eq(victim.out.length, 0, "the program has run: %s", victim.out.data);
    spawn_free(&victim);
}

/* What belongs to a trace, beside other settings: one line, or none. The victim receives nothing,
 * so that there is nothing to trace and nothing to count. */
static const struct {
    const char *settings[5];
    const char *pattern; /* NULL: silent */
} idle[] = {
    {{"WSRX_TRACE_FILE=x", "WSRX_STATS=1"},
     "WSRX_TRACE_FILE=\"x\" has no effect without WSRX_TRACE=text, jsonl or ring"},
    {{"WSRX_TRACE_FILTER=lost", "WSRX_STATS=1"}, "WSRX_TRACE_FILTER=\"lost\" has no effect .+"},
    {{"WSRX_TRACE_DATA=9", "WSRX_STATS=1"}, "WSRX_TRACE_DATA=\"9\" has no effect .+"},
    {{"WSRX_TRACE_SIZE=8K", "WSRX_TRACE=text"},
     "WSRX_TRACE_SIZE=\"8K\" has no effect without WSRX_TRACE=ring"},
    {{"WSRX_TRACE=jsonl", "WSRX_TRACE_KEEP=all"}, "WSRX_TRACE_KEEP=\"all\" has no effect .+"},
    {{"WSRX_TRACE_FILE=x", "WSRX_TRACE=jsno"}, "WSRX_TRACE=\"jsno\": expected .+; .+"},
    {{"WSRX_TRACE=jsno", "WSRX_TRACE_SIZE=8K"}, "WSRX_TRACE=\"jsno\": expected .+; .+"},

    {{"WSRX_TRACE_FILE=x", "WSRX_TRACE=off"}, NULL},
    {{"WSRX_TRACE=off", "WSRX_TRACE_SIZE=8K"}, NULL},
    {{"WSRX_TRACE_FILE=x", "WSRX_TRACE_KEEP=all", "WSRX_MODE=off"}, NULL},
    {{"WSRX_TRACE_FILE=x", "WSRX_TRACE_FILTER=lost", "WSRX_TRACE_DATA=9", "WSRX_TRACE=text"}, NULL},
    {{"WSRX_TRACE=jsonl", "WSRX_TRACE_FILE=x", "WSRX_TRACE_FILTER=lost"}, NULL},
    {{"WSRX_TRACE_SIZE=8K", "WSRX_TRACE_KEEP=all", "WSRX_TRACE_DATA=9", "WSRX_TRACE=ring"}, NULL},
};

ROWS(settings, of_a_trace_that_is_not_made, ROWS_OF(idle))
{
    const char *first = idle[*row].settings[0], *pattern = idle[*row].pattern;

    for (int strict = 0; strict < 2; strict++) {
        const char *environment[ROWS_OF(idle[0].settings) + 1] = {strict ? "WSRX_STRICT=1" : "A=b"};
        struct spawned victim;

        for (size_t i = 0; i < ROWS_OF(idle[0].settings); i++)
            environment[i + 1] = idle[*row].settings[i];
        cr_assert(run_victim(&victim, "udp4\n", environment));
        cr_expect_eq(count_lines(victim.err.data), pattern ? 1 : 0, "%s: %s", first,
                     victim.err.data);
        if (pattern)
            (strict ? check_strict_line : check_line)(victim.err.data, victim.pid, pattern, first);
        cr_expect_eq(victim.exit_status, pattern && strict ? 125 : 0, "%s: exit status %d", first,
                     victim.exit_status);
        spawn_free(&victim);
    }
}

/* What a terminal or a log reader would take for something else is not printed as it is. */
Test(settings, control_characters)
{
    const char *const environment[] = {"WSRX_MODE=a\nb\033[2J\tc", NULL};
    struct spawned victim;

    cr_assert(run_victim(&victim, "udp4\n", environment));
    cr_expect_eq(count_lines(victim.err.data), 1, "%s", victim.err.data);
    cr_expect(!strchr(victim.err.data, '\033'));
    cr_expect(
        matches(victim.err.data, "^libwsrx\\[[0-9]+\\]: WSRX_MODE=\"a.*b.*\": expected cont"));
    spawn_free(&victim);
}

Test(settings, very_long_value)
{
    static char setting[100000] = "WSRX_MODE=";
    const char *const environment[] = {setting, NULL};
    struct spawned victim;

    memset(setting + strlen(setting), 'x', sizeof(setting) - 20);
    cr_assert(run_victim(&victim, "udp4\n", environment));
    cr_expect_eq(count_lines(victim.err.data), 1);
    cr_expect(matches(victim.err.data, "^libwsrx\\[[0-9]+\\]: WSRX_MODE=\"xxx"));
    cr_expect_eq(victim.exit_status, 0);
    cr_expect(victim.err.length < 4096, "a line of %zu bytes", victim.err.length);
    spawn_free(&victim);
}

Test(settings, several_bad_values_one_line_each)
{
    const char *const environment[] = {"WSRX_MODE=x", "WSRX_CALLS=y", "WSRX_MOED=z", NULL};
    struct spawned victim;

    cr_assert(run_victim(&victim, defaults, environment));
    cr_expect_eq(count_lines(victim.err.data), 3, "%s", victim.err.data);
    cr_expect(strstr(victim.err.data, "WSRX_MODE=\"x\""));
    cr_expect(strstr(victim.err.data, "WSRX_CALLS=\"y\""));
    cr_expect(strstr(victim.err.data, "WSRX_MOED"));
    cr_expect_str_eq(victim.out.data, defaults);
    spawn_free(&victim);
}

static const char *const good[] = {
    "WSRX_MODE=continue",
    "WSRX_CALLS=plain",
    "WSRX_HOLD=auto",
    "WSRX_HOLD=process",
    "WSRX_HOLD_MAX=64M",
    "WSRX_HOLD_MAX=1G",
    "WSRX_HOLD_MAX=65536K",
    "WSRX_HOLD_MAX=67108864",
    "WSRX_SOCKETS=udp,unix",
    "WSRX_SOCKETS=!port=9,!path=/x,!fd=99",
    "WSRX_SOCKETS=!vsock",
    "WSRX_TRACE=off",
    "WSRX_STRICT=0",
    "WSRX_STRICT=1",
    "WSRX_HELP=0",
    "OTHER_WSRX_MODE=x",
    "WSRXMODE=x",
    "NOTHING=1",
};

ROWS(settings, good_values_are_silent, ROWS_OF(good))
{
    const char *const environment[] = {good[*row], NULL};
    struct spawned victim;

    cr_assert(run_victim(&victim, defaults, environment));
    cr_expect_eq(victim.err.length, 0, "%s: printed %s", good[*row], victim.err.data);
    cr_expect_eq(victim.exit_status, 0);
    cr_expect_str_eq(victim.out.data, defaults, "%s:\n%s", good[*row], victim.out.data);
    spawn_free(&victim);
}

static const struct {
    const char *name, *value, *set;
} helped[] = {
    {"WSRX_MODE", "continue", "error"},     {"WSRX_CALLS", "plain", "all"},
    {"WSRX_SOCKETS", "all message", "udp"}, {"WSRX_HOLD", "auto", "kernel"},
    {"WSRX_HOLD_MAX", "64M", "17M"},        {"WSRX_STRICT", "0", "1"},
};

static void expect_setting(const char *help, const char *name, const char *value)
{
    char pattern[128];

    snprintf(pattern, sizeof(pattern), "(^|\n)[ \t]*%s[= \t].*%s", name, value);
    cr_expect(matches(help, pattern), "%s with its value %s is not in:\n%s", name, value, help);
}

Test(settings, help_with_defaults)
{
    const char *const environment[] = {"WSRX_HELP=1", NULL};
    struct spawned victim;

    cr_assert(run_victim(&victim, defaults, environment));
    for (size_t i = 0; i < ROWS_OF(helped); i++)
        expect_setting(victim.err.data, helped[i].name, helped[i].value);
    expect_setting(victim.err.data, "WSRX_HELP", "1");
    cr_expect_str_eq(victim.out.data, defaults, "the program runs on:\n%s", victim.out.data);
    cr_expect_eq(victim.exit_status, 0);
    spawn_free(&victim);
}

ROWS(settings, help_with_a_value, ROWS_OF(helped))
{
    char setting[64];
    const char *const environment[] = {"WSRX_HELP=1", setting, NULL};
    struct spawned victim;

    snprintf(setting, sizeof(setting), "%s=%s", helped[*row].name, helped[*row].set);
    cr_assert(run_victim(&victim, "udp4\n", environment));
    expect_setting(victim.err.data, helped[*row].name, helped[*row].set);
    cr_expect_eq(victim.exit_status, 0);
    spawn_free(&victim);
}

/* A closed stderr, or one that takes nothing, is no reason not to run. */
Test(settings, no_stderr)
{
    const char *argv[] = {"sh", "-c", "exec \"$0\" 'udp4' 2>&-", spawn_victim(), NULL};
    const char *const environment[] = {"WSRX_MODE=x", "WSRX_HELP=1", NULL};
    struct spawn_request request = {.argv = argv, .environment = environment, .preload = true};
    struct spawned shell;

    cr_assert(spawn_run(&shell, &request));
    cr_expect_eq(shell.exit_status, 0, "exit status %d, signal %d", shell.exit_status,
                 shell.signal);
    cr_expect_str_eq(shell.out.data, "udp4\n");
    spawn_free(&shell);
}
