/* SPDX-License-Identifier: MIT */
/*
 * Runs every case of the waiter (waiter/cases.h): on UDP and AF_UNIX, with the tail held in the
 * process and in the kernel, with every epoll call; and without the library, where a case that
 * passes would show nothing.
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
    bool epoll;
};

#define ROW(name, without, where) {#name, without, where, false},
#define EPOLL_ROW(name, without, where) {#name, without, where, true},
static const struct row wait_rows[] = {WAIT_CASES(ROW)};
static const struct row epoll_rows[] = {EPOLL_CASES(EPOLL_ROW)};
static const struct row others_rows[] = {OTHERS_CASES(EPOLL_ROW)};
static const struct row ending_rows[] = {ENDING_CASES(EPOLL_ROW)};

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
                  hold ? hold : "no library", company,
                  child.timed_out ? "does not end " : "",
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

    for (size_t kind = 0; kind < ROWS_OF(kinds); kind++) {
        for (size_t call = 0; call < (row->epoll ? ROWS_OF(calls) : 1); call++) {
            play(row, kinds[kind], calls[call], "process", "none");
            if (row->where != PROCESS)
                play(row, kinds[kind], calls[call], "kernel", "none");
        }
        if (row->epoll) {
            play(row, kinds[kind], calls[0], "process", "thread");
            play(row, kinds[kind], calls[0], "process", "child");
        }
        play(row, kinds[kind], calls[0], NULL, "none");
    }
}

ROWS(waits, poll_and_select, ROWS_OF(wait_rows))
{
    play_everywhere(&wait_rows[*row]);
}

ROWS(waits, epoll, ROWS_OF(epoll_rows))
{
    play_everywhere(&epoll_rows[*row]);
}

ROWS(waits, epoll_with_others, ROWS_OF(others_rows))
{
    play_everywhere(&others_rows[*row]);
}

ROWS(waits, ending, ROWS_OF(ending_rows))
{
    play_everywhere(&ending_rows[*row]);
}
