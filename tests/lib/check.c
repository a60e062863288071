/* SPDX-License-Identifier: MIT */
/* Asserts; starts nothing but by spawn.h. */
#include "check.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spawn.h"

enum { SKIPPED = 77 };

/* What every script may call: see check.h. */
static const char functions[] =
    "run() { env ${preload:+LD_PRELOAD=\"$preload\"} \"$@\"; }\n"
    "skip() { echo \"$*\" >&2; exit 77; }\n"
    "need() { command -v \"$1\" >/dev/null || skip \"no $1\"; }\n"
    "find_library() {\n"
    "  other=$(ldconfig -p | sed -n \"s/.* => \\(.*\\/$1\\)$/\\1/p\" | head -n 1)\n"
    "  [ \"$other\" ] || skip \"no $1\"\n"
    "}\n"
    "other_first() { env LD_PRELOAD=\"$first $other $library\" \"$@\"; }\n"
    "other_last() { env LD_PRELOAD=\"$first $library $other\" \"$@\"; }\n"
    "both_orders() { other_first \"$@\"; other_last \"$@\"; }\n";

static unsigned reported_lines(const char *text)
{
    unsigned count = 0;

    for (; (text = strstr(text, "libwsrx[")); text++)
        count++;
    return count;
}

static char *word(const char *name, const char *value)
{
    char *made;

    cr_assert_geq(asprintf(&made, "%s=%s", name, value), 0);
    return made;
}

static void play(struct spawned *child, const struct check *check, bool with)
{
    char directory[] = "/tmp/wsrx-check-XXXXXX", *script, *preload;
    const char *first = getenv("WSRX_TEST_PRELOAD_FIRST"), *library = with ? spawn_library() : "";
    const char *argv[] = {"bash", "-c", NULL, NULL}, *environment[8];
    const char *company = getenv("WSRX_TEST_COMPANY");
    struct spawn_request request = {.argv = argv,
                                    .environment = environment,
                                    .deadline_ms = check->deadline_ms ? check->deadline_ms
                                                                      : CHECK_DEADLINE_MS};
    const char *remove[] = {"rm", "-rf", directory, NULL};
    struct spawned removal;

    cr_assert(mkdtemp(directory), "no directory for the test");
    cr_assert_geq(
        asprintf(&preload, "%s%s%s", first ? first : "", first && with ? " " : "", library), 0);
    cr_assert_geq(asprintf(&script, "%s%s", functions, check->script), 0);
    argv[2] = script;
    environment[0] = word("victim", spawn_victim());
    environment[1] = word("library", library);
    environment[2] = word("preload", preload);
    environment[3] = word("dir", directory);
    environment[4] = word("first", first ? first : "");
    environment[5] = word("company", company ? company : "");
    environment[6] = NULL;
    cr_assert(spawn_run(child, &request));
    spawn_run(&removal, &(struct spawn_request){.argv = remove});
    spawn_free(&removal);
}

void check(const struct check *check)
{
    struct spawned child;

    play(&child, check, true);
    if (child.exit_status == SKIPPED) {
        printf("SKIP %s: %s", check->name, child.err.data);
        cr_skip_test("%s: %s", check->name, child.err.data);
    }
    cr_expect(!child.timed_out, "%s: no end", check->name);
    cr_expect_str_eq(child.out.data, check->out, "%s: stdout is \"%s\", stderr \"%s\"", check->name,
                     child.out.data, child.err.data);
    cr_expect_eq(reported_lines(child.err.data), check->report ? 1u : 0u, "%s: stderr is \"%s\"",
                 check->name, child.err.data);
    if (check->report)
        cr_expect(strstr(child.err.data, check->report), "%s: stderr is \"%s\"", check->name,
                  child.err.data);
    spawn_free(&child);
    if (check->without == CHECK_IGNORED)
        return;

    play(&child, check, false);
    if (check->without == CHECK_SAME)
        cr_expect_str_eq(child.out.data, check->out, "%s, without: \"%s\", stderr \"%s\"",
                         check->name, child.out.data, child.err.data);
    else
        cr_expect_str_neq(child.out.data, check->out, "%s: no different without the library",
                          check->name);
    spawn_free(&child);
}
