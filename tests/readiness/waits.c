/* SPDX-License-Identifier: MIT */
/*
 * Runs each case of the waiter (waiter/cases.h) on UDP and AF_UNIX, with the tail held in the
 * process and in the kernel, and with every epoll call; and without the library as a control.
 */
#include "rows.h"
#include "spawn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "waiter/cases.h"

enum without { FAILS, PASSES };
enum where { ANYWHERE, PROCESS };

struct row {
    const char *name;
    enum without without;
    enum where where;
};

/* meson.build makes one test program per list of cases: WAITS_CASES is the list, WAITS_EPOLL whether
 * its cases call epoll. */
#define ROW(name, without, where) {#name, without, where},
static const struct row rows[] = {WAITS_CASES(ROW)};

/* hold: "process", "kernel", or NULL for a run without the library. company: see waiter.h. */
static void play(const struct row *row, const char *kind, const char *call, const char *hold,
                 const char *company)
{
    const char *waiter = getenv("WSRX_TEST_WAITER");
    const char *const argv[] = {waiter, row->name, kind, call, NULL};
    char word[32], with[32];
    const char *const environment[] = {with, hold ? word : "WAITER_PATIENCE=100", NULL};
    struct spawn_request request = {.argv = argv, .environment = environment, .preload = hold};
    struct spawned child;

    cr_assert(waiter, "WSRX_TEST_WAITER is not set: run the tests with `meson test`");
    snprintf(word, sizeof(word), "WSRX_HOLD=%s", hold ? hold : "");
    snprintf(with, sizeof(with), "WAITER_COMPANY=%s", company);
    cr_assert(spawn_run(&child, &request));
    if (hold || row->without == PASSES)
        cr_expect(child.exit_status == 0 && strcmp(child.out.data, "right\n") == 0 &&
                      child.err.length == 0,
                  "%s, %s, %s, %s, company: %s: %s%s%s", row->name, kind, call,
                  hold ? hold : "no library", company, child.timed_out ? "does not end " : "",
                  child.signal ? strsignal(child.signal) : child.out.data, child.err.data);
    else
        cr_expect(child.exit_status == 1,
                  "%s, %s, %s: passes without the library, so it shows nothing", row->name, kind,
                  call);
    spawn_free(&child);
}

static void play_everywhere(const struct row *row)
{
    static const char *const calls[] = {"epoll_wait", "epoll_pwait", "epoll_pwait2"};
    static const char *const kinds[] = {"udp", "unix"};
    /* qemu-user has no epoll_pwait2(2). */
    const size_t count = !WAITS_EPOLL ? 1 : ROWS_OF(calls) - !!getenv("WSRX_TEST_EMULATOR");

    for (size_t kind = 0; kind < ROWS_OF(kinds); kind++) {
        for (size_t call = 0; call < count; call++) {
            play(row, kinds[kind], calls[call], "process", "none");
            if (row->where != PROCESS)
                play(row, kinds[kind], calls[call], "kernel", "none");
        }
        if (WAITS_EPOLL) {
            play(row, kinds[kind], calls[0], "process", "thread");
            play(row, kinds[kind], calls[0], "process", "child");
        }
        play(row, kinds[kind], calls[0], NULL, "none");
    }
}

ROWS(waits, cases, ROWS_OF(rows))
{
    play_everywhere(&rows[*row]);
}
