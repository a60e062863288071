/* SPDX-License-Identifier: MIT */
/*
 * What the shared object shows to the dynamic linker: exactly the interposed calls of calls.def and
 * the functions of wsrx.h, every second name that libc has for an interposed call, and no need of
 * any library but libc. A hidden symbol would interpose nothing, silently.
 */
#include "rows.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spawn.h"

enum { NAMES = 4096, NAME = 64 };

struct names {
    size_t count;
    char name[NAMES][NAME];
};

static void add_name(struct names *names, const char *from, size_t length)
{
    cr_assert(names->count < NAMES && length > 0 && length < NAME);
    memcpy(names->name[names->count], from, length);
    names->name[names->count++][length] = '\0';
}

static bool has(const struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->name[i], name) == 0)
            return true;
    return false;
}

static char *run(const char *const *argv)
{
    struct spawn_request request = {.argv = argv};
    struct spawned tool;
    char *text;

    cr_assert(spawn_run(&tool, &request));
    cr_assert_eq(tool.exit_status, 0, "%s: %s", argv[0], tool.err.data);
    text = strdup(tool.out.data);
    spawn_free(&tool);
    return text;
}

/*
 * Lines of nm -D: "ADDRESS TYPE NAME@@VERSION". Private symbols are libc's own business, and those
 * of kind A name the versions themselves.
 */
static void read_exports(struct names *names, const char *object)
{
    const char *const argv[] = {"nm", "-D", "--defined-only", object, NULL};
    char *text = run(argv), *save = NULL;

    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *name = strrchr(line, ' ');

        if (!name || strstr(line, "GLIBC_PRIVATE") || (name > line && name[-1] == 'A'))
            continue;
        name++;
        add_name(names, name, strcspn(name, "@"));
    }
    free(text);
}

static char *read_source(const char *path)
{
    char name[4096], *text = NULL;
    size_t size = 0;
    FILE *file;

    snprintf(name, sizeof(name), "%s/%s", spawn_source_root(), path);
    file = fopen(name, "r");
    cr_assert(file, "%s is not there", name);
    cr_assert(getdelim(&text, &size, '\0', file) > 0);
    fclose(file);
    return text;
}

/* CALL(return type, name, (parameters)) */
static void read_calls(struct names *names)
{
    char *text = read_source("preload/calls.def");

    for (const char *at = text; (at = strstr(at, "\nCALL("));) {
        at = strchr(at + 6, ',');
        cr_assert(at);
        at += 1 + strspn(at + 1, " ");
        add_name(names, at, strcspn(at, ","));
    }
    free(text);
}

/* A function of wsrx.h: an identifier wsrx_… right before "(" outside a comment. */
static void read_public(struct names *names)
{
    char *text = read_source("preload/wsrx.h");
    bool comment = false;

    for (char *at = text; *at; at++) {
        size_t length = 0;

        if (strncmp(at, "/*", 2) == 0)
            comment = true;
        if (strncmp(at, "*/", 2) == 0)
            comment = false;
        if (comment || strncmp(at, "wsrx_", 5) != 0 ||
            (at > text && isalnum((unsigned char)at[-1])))
            continue;
        while (isalnum((unsigned char)at[length]) || at[length] == '_')
            length++;
        if (at[length] == '(')
            add_name(names, at, length);
        at += length - 1;
    }
    free(text);
}

static void expect_all(const struct names *wanted, const struct names *among, const char *otherwise)
{
    for (size_t i = 0; i < wanted->count; i++)
        cr_expect(has(among, wanted->name[i]), "%s %s", wanted->name[i], otherwise);
}

static struct names exports, calls, public_names, libc;

static const char *libc_path(void)
{
    static char path[4096];
    const char *const argv[] = {"ldd", spawn_victim(), NULL};
    char *text = run(argv), *line = strstr(text, "libc.so.6 => ");

    cr_assert(line);
    line += strlen("libc.so.6 => ");
    snprintf(path, sizeof(path), "%.*s", (int)strcspn(line, " "), line);
    free(text);
    return path;
}

static void read_all(void)
{
    read_exports(&exports, spawn_library());
    read_calls(&calls);
    read_public(&public_names);
    read_exports(&libc, libc_path());
    cr_assert(calls.count >= 30, "calls.def has %zu calls", calls.count);
    cr_assert(public_names.count >= 4, "wsrx.h has %zu functions", public_names.count);
    cr_assert(libc.count > 2000, "libc has %zu symbols", libc.count);
}

TestSuite(exports, .init = read_all);

Test(exports, every_call_of_the_list)
{
    expect_all(&calls, &exports, "is in calls.def, and not exported: it interposes nothing");
}

Test(exports, every_public_function)
{
    expect_all(&public_names, &exports, "is in wsrx.h, and not exported");
}

Test(exports, nothing_else)
{
    for (size_t i = 0; i < exports.count; i++)
        cr_expect(has(&calls, exports.name[i]) || has(&public_names, exports.name[i]),
                  "%s is exported, and nobody declares it", exports.name[i]);
}

Test(exports, the_list_has_no_call_twice)
{
    for (size_t i = 0; i < calls.count; i++)
        for (size_t k = i + 1; k < calls.count; k++)
            cr_expect_str_neq(calls.name[i], calls.name[k]);
}

Test(exports, libc_has_them_all)
{
    expect_all(&calls, &libc, "is in calls.def, and libc has no such function");
}

/* A program that was compiled with _FORTIFY_SOURCE calls the twin, and would go past us. */
Test(exports, second_names)
{
    static const char *const twins[] = {"__%s_chk", "__%s", "%s64", "__%s64", "__%s_time64"};
    unsigned found = 0;

    for (size_t i = 0; i < calls.count; i++) {
        for (size_t t = 0; t < ROWS_OF(twins); t++) {
            char twin[2 * NAME];

            snprintf(twin, sizeof(twin), twins[t], calls.name[i]);
            if (!has(&libc, twin))
                continue;
            found++;
            cr_expect(has(&calls, twin), "libc has %s, a second name of %s: it goes past us", twin,
                      calls.name[i]);
        }
    }
    cr_expect(found >= 10, "only %u second names: the test does not see libc's", found);
}

/* The numbers that the compiler knows: lines of "#define SYS_name". */
static void read_numbers(struct names *names)
{
    const char *const argv[] = {"cc", "-E", "-dM",       "-include", "sys/syscall.h",
                                "-x", "c",  "/dev/null", NULL};
    char *text = run(argv);

    for (const char *at = text; (at = strstr(at, "#define SYS_"));) {
        at += strlen("#define SYS_");
        add_name(names, at, strcspn(at, " "));
    }
    free(text);
}

/* libc's syscall() is what a program uses to go past libc's functions, not past us. */
Test(exports, syscall_knows_the_number_of_each)
{
    static const char *const twins[] = {"%s", "%s_time64", "_new%s", "%s6", "%s_group", "%s2"};
    static struct names numbers;
    char *source = read_source("preload/syscall.c");
    unsigned found = 0;

    read_numbers(&numbers);
    cr_assert(numbers.count > 300, "only %zu numbers", numbers.count);
    for (size_t i = 0; i < calls.count; i++) {
        for (size_t t = 0; t < ROWS_OF(twins); t++) {
            char twin[2 * NAME], rows[3][3 * NAME];
            const char *name = calls.name[i] + strspn(calls.name[i], "_");

            snprintf(twin, sizeof(twin), twins[t], name);
            if (!has(&numbers, twin) || strcmp(twin, "exit") == 0) /* that of a thread */
                continue;
            found++;
            snprintf(rows[0], sizeof(rows[0]), "case SYS_%s:", twin);
            snprintf(rows[1], sizeof(rows[1]), " SAME(%s,", twin);
            snprintf(rows[2], sizeof(rows[2]), " SAME_IN_BRACKETS(%s,", twin);
            cr_expect(strstr(source, rows[0]) || strstr(source, rows[1]) || strstr(source, rows[2]),
                      "%s is interposed, and syscall(SYS_%s) goes past us", calls.name[i], twin);
        }
    }
    cr_expect(found >= 40, "only %u numbers", found);
    free(source);
}

/* The receive calls of the interposition surface, by name: the list itself may not shrink. */
Test(exports, the_surface)
{
    static const char *const surface[] = {
        "recv",     "__recv_chk", "recvfrom",   "__recvfrom_chk", "recvmsg",     "recvmmsg",
        "read",     "__read",     "__read_chk", "readv",          "preadv2",     "preadv64v2",
        "syscall",  "close",      "__close",    "close_range",    "closefrom",   "dup",
        "dup2",     "__dup2",     "dup3",       "fcntl",          "__fcntl",     "fcntl64",
        "poll",     "__poll",     "__poll_chk", "ppoll",          "__ppoll_chk", "select",
        "__select", "pselect",    "ioctl",
    };

    for (size_t i = 0; i < ROWS_OF(surface); i++)
        cr_expect(has(&exports, surface[i]), "%s is not exported", surface[i]);
}

Test(exports, needs_only_libc)
{
    const char *const argv[] = {"readelf", "-dW", spawn_library(), NULL};
    char *text = run(argv), *save = NULL;
    unsigned needed = 0;

    cr_expect(strstr(text, "Library soname: [libwsrx.so"), "no soname:\n%s", text);
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (!strstr(line, "(NEEDED)"))
            continue;
        needed++;
        if (!getenv("WSRX_TEST_PRELOAD_FIRST")) /* a sanitizer's runtime is needed too */
            cr_expect(strstr(line, "[libc.so.6]"), "needs more than libc: %s", line);
    }
    cr_expect(needed >= 1);
    free(text);
}
