/* SPDX-License-Identifier: MIT
 *
 * Which way a receive goes: every row of receive_plan().
 *
 * The rows are the contract, first match first. Then all combinations of all facts are run against
 * them, so that no combination goes a way that no row says.
 */
#define _GNU_SOURCE
#include "receive/plan.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>

enum { ANY = -1, LONGEST = 65535 };

/* How much room there is. */
enum room { NONE, SHORT, PLENTY, IMPOSSIBLE, ROOMS };

static const size_t rooms[ROOMS] = {0, 1000, LONGEST, (size_t)INT_MAX + 1};

static const int flags[] = {0,       MSG_PEEK,     MSG_TRUNC,   MSG_PEEK | MSG_TRUNC,
                            MSG_OOB, MSG_ERRQUEUE, MSG_DONTWAIT};

enum { FLAGS = sizeof flags / sizeof *flags };

/* What a row asks of the facts: a value, or ANY. */
struct row {
    const char *name;
    int special; /* MSG_OOB or MSG_ERRQUEUE */
    int socket;  /* a message socket, or bytes of a stream are held */
    int stream;
    int held; /* enum held_kind */
    int sandboxed;
    int wine; /* under Wine, recvmsg() on UDP */
    int off;  /* mode off */
    int in_kernel;
    int cut;    /* bytes may be cut, and the call has not said what is to become of them */
    int holds;  /* by mode and call the tail is held */
    int length; /* somebody wants to know the length of what is cut */
    enum receive_plan plan;
};

#define ANY_IN                                                                                \
    .special = ANY, .socket = ANY, .stream = ANY, .held = ANY, .sandboxed = ANY, .wine = ANY, \
    .off = ANY, .in_kernel = ANY, .cut = ANY, .holds = ANY, .length = ANY

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
#define ROW(row_name, result, ...)                            \
    {                                                         \
        .name = row_name, ANY_IN, __VA_ARGS__, .plan = result \
    }

static const struct row rows[] = {
    ROW("out-of-band data and the error queue", PLAN_PASS, .special = 1),
    ROW("no message socket", PLAN_PASS, .socket = 0, .stream = 0),
    ROW("a tail in the process", PLAN_NEXT_PART, .held = HELD_HERE),
    ROW("bytes of a stream in the process", PLAN_NEXT_PART, .held = HELD_STREAM),
    ROW("sandboxed", PLAN_PASS, .sandboxed = 1),
    ROW("a stream again", PLAN_PASS, .stream = 1),
    ROW("Wine, mode off", PLAN_PASS, .wine = 1, .off = 1),
    ROW("Wine", PLAN_PEEK_OFFSET, .wine = 1),
    ROW("held in the kernel: a part", PLAN_PEEK, .in_kernel = 1, .cut = 1, .holds = 1),
    ROW("held in the kernel: anything else", PLAN_PEEK_WHOLE, .in_kernel = 1),
    ROW("it may be cut, and somebody wants to know", PLAN_TAKE, .cut = 1, .length = 1),
    ROW("the program's own call", PLAN_PASS, .special = 0),
};
#pragma GCC diagnostic pop

enum { ROWS = sizeof rows / sizeof *rows };

static bool agrees(int wanted, int found)
{
    return wanted == ANY || wanted == found;
}

static bool holds(const struct receive_facts *facts)
{
    if (facts->call == CALL_COOPERATING)
        return true;
    if (facts->mode != MODE_CONTINUE && facts->mode != MODE_ERROR)
        return false;
    return facts->call == CALL_PLAIN || facts->calls_all;
}

/* The row of these facts. */
static int row_of(const struct receive_facts *facts)
{
    bool message = facts->kind == FD_DATAGRAM || facts->kind == FD_LARGE;
    struct row is = {
        .special = (facts->flags & (MSG_OOB | MSG_ERRQUEUE)) != 0,
        .socket = message,
        .stream = facts->kind == FD_STREAM,
        .held = (int)facts->held,
        .sandboxed = facts->sandboxed,
        .wine = facts->under_wine && facts->kind == FD_DATAGRAM && facts->call == CALL_REPORTING,
        .off = facts->mode == MODE_OFF,
        .cut = facts->room > 0 && facts->room < facts->longest &&
               !(facts->flags & (MSG_PEEK | MSG_TRUNC)),
        .holds = holds(facts),
        .length = facts->call == CALL_COOPERATING ||
                  (facts->mode != MODE_OFF &&
                   (facts->call == CALL_PLAIN || facts->calls_all || facts->recorded)),
    };

    is.in_kernel = (facts->peeks && facts->room <= INT_MAX) || facts->held == HELD_KERNEL ||
                   (facts->most_buffers && (is.holds || (is.cut && is.length)));
    for (int i = 0; i < ROWS; i++) {
        const struct row *row = &rows[i];

        if (agrees(row->special, is.special) && agrees(row->socket, is.socket) &&
            agrees(row->stream, is.stream) && agrees(row->held, is.held) &&
            agrees(row->sandboxed, is.sandboxed) && agrees(row->wine, is.wine) &&
            agrees(row->off, is.off) && agrees(row->in_kernel, is.in_kernel) &&
            agrees(row->cut, is.cut) && agrees(row->holds, is.holds) &&
            agrees(row->length, is.length))
            return i;
    }
    return -1;
}

/* The facts of a number, digit by digit. False: there is no such number. */
static bool facts_of(unsigned number, struct receive_facts *facts)
{
    static const unsigned bases[] = {
        FD_STREAM + 1, HELD_STREAM + 1, CALL_COOPERATING + 1, MODE_OFF + 1, 2, 2, 2, 2, 2, 2, FLAGS,
        ROOMS};
    enum { DIGITS = sizeof bases / sizeof *bases };
    unsigned digit[DIGITS];

    for (unsigned i = 0; i < DIGITS; i++) {
        digit[i] = number % bases[i];
        number /= bases[i];
    }
    *facts = (struct receive_facts){
        .kind = (enum fd_kind)digit[0],
        .held = (enum held_kind)digit[1],
        .call = (enum call_kind)digit[2],
        .mode = (enum mode)digit[3],
        .calls_all = digit[4],
        .recorded = digit[5],
        .peeks = digit[6],
        .under_wine = digit[7],
        .sandboxed = digit[8],
        .most_buffers = digit[9],
        .flags = flags[digit[10]],
        .room = rooms[digit[11]],
        .longest = LONGEST,
    };
    return number == 0;
}

Test(plan, every_combination_goes_the_way_of_its_row, .timeout = 120)
{
    unsigned seen[ROWS] = {0}, number = 0;
    struct receive_facts facts;

    for (; facts_of(number, &facts); number++) {
        int row = row_of(&facts);
        enum receive_plan plan = receive_plan(&facts);

        cr_assert_geq(row, 0, "no row for combination %u", number);
        seen[row]++;
        if (plan != rows[row].plan)
            cr_assert_fail("combination %u, \"%s\": plan %d, not %d", number, rows[row].name,
                           (int)plan, (int)rows[row].plan);
    }
    for (int i = 0; i < ROWS; i++)
        cr_expect_gt(seen[i], 0, "no combination for \"%s\"", rows[i].name);
}

/* A few that people know by heart, said outright. */
Test(plan, what_the_contract_says)
{
    struct receive_facts recv_short = {.kind = FD_DATAGRAM,
                                       .call = CALL_PLAIN,
                                       .mode = MODE_CONTINUE,
                                       .room = 512,
                                       .longest = LONGEST};
    struct receive_facts now = recv_short;

    cr_expect_eq(receive_plan(&now), PLAN_TAKE, "recv with a short buffer");
    now.mode = MODE_OBSERVE;
    cr_expect_eq(receive_plan(&now), PLAN_TAKE, "mode observe counts what is cut");
    now.mode = MODE_OFF;
    cr_expect_eq(receive_plan(&now), PLAN_PASS, "mode off");
    now = recv_short;
    now.call = CALL_REPORTING;
    cr_expect_eq(receive_plan(&now), PLAN_PASS, "recvmsg with WSRX_CALLS=plain");
    now.calls_all = true;
    cr_expect_eq(receive_plan(&now), PLAN_TAKE, "recvmsg with WSRX_CALLS=all");
    now = recv_short;
    now.room = LONGEST;
    cr_expect_eq(receive_plan(&now), PLAN_PASS, "room for any message");
    now.held = HELD_HERE;
    cr_expect_eq(receive_plan(&now), PLAN_NEXT_PART, "a tail is served to whoever comes next");
    now.sandboxed = true;
    cr_expect_eq(receive_plan(&now), PLAN_NEXT_PART, "also in a sandbox");
    now = recv_short;
    now.sandboxed = true;
    cr_expect_eq(receive_plan(&now), PLAN_PASS, "nothing new in a sandbox");
    now = recv_short;
    now.flags = MSG_TRUNC;
    cr_expect_eq(receive_plan(&now), PLAN_PASS, "the caller wants the tail dropped");
    now = recv_short;
    now.peeks = true;
    cr_expect_eq(receive_plan(&now), PLAN_PEEK, "WSRX_HOLD=kernel");
    now = recv_short;
    now.kind = FD_OTHER;
    cr_expect_eq(receive_plan(&now), PLAN_PASS, "a stream");
}
