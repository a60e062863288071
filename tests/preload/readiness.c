/* SPDX-License-Identifier: MIT */
/* A held tail makes its socket readable, for every call that asks whether it is. */
#include "rows.h"
#include "scenario.h"

#include <string.h>

static const char *const calls[] = {"poll",        "__poll",    "__poll_chk", "ppoll",
                                    "__ppoll_chk", "select",    "__select",   "pselect",
                                    "sys_poll",    "sys_ppoll", "sys_select", "sys_pselect6"};

static const struct scenario rows[] = {
    {
        .name = "readable while a tail is held, and not before or after",
        .kinds = KIND_FOUR,
        .without = WITHOUT_DIFFERS,
        .transcript = "$C 0 -> 0\n"
                      "send 2500\n"
                      "$C 0 -> 1 r=IN\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "$C 0 -> 1 r=IN\n"
                      "$C 2000 -> 1 r=IN\n"
                      "recv 1000 peek -> 1000 m1[1000..1999]\n"
                      "$C 0 -> 1 r=IN\n"
                      "recv 1000 -> 1000 m1[1000..1999]\n"
                      "$C 0 -> 1 r=IN\n"
                      "recv 1000 -> 500 m1[2000..2499]\n"
                      "$C 0 -> 0\n"
                      "$C 1 -> 0\n",
    },
    {
        .name = "with messages behind the tail: counted once",
        .kinds = KIND_FOUR,
        .without = WITHOUT_DIFFERS,
        .transcript = "send 1500\n"
                      "send 5\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "$C 0 -> 1 r=IN\n"
                      "recv 1000 -> 500 m1[1000..1499]\n"
                      "$C 0 -> 1 r=IN\n"
                      "recv 1000 -> 5 m2[0..4]\n"
                      "$C 0 -> 0\n",
    },
    {
        .name = "several descriptors: what the kernel reports, and the tail",
        .kinds = KIND_FOUR,
        .without = WITHOUT_DIFFERS,
        .transcript = "udp4 a as\n"
                      "udp4 b bs\n"
                      "pipe p w\n"
                      "send 1500\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "$C 2000 on=a,b,p,r -> 1 r=IN\n"
                      "send 5 from=bs\n"
                      "send 5 from=w\n"
                      "$C 2000 on=a,r,b,p -> 3 r=IN b=IN p=IN\n"
                      "$C 0 on=a,b -> 1 b=IN\n"
                      "recv 1000 -> 500 m1[1000..1499]\n"
                      "$C 0 on=r,a,b -> 1 b=IN\n",
    },
    {
        .name = "two tails",
        .kinds = KIND_FOUR,
        .without = WITHOUT_DIFFERS,
        .transcript = "unix a as\n"
                      "nonblock a\n"
                      "send 1500\n"
                      "send 1500 from=as\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "recv 1000 on=a -> 1000 m2[0..999]\n"
                      "$C 2000 on=a,r -> 2 a=IN r=IN\n"
                      "recv 1000 on=a -> 500 m2[1000..1499]\n"
                      "$C 2000 on=a,r -> 1 r=IN\n",
    },
    {
        .name = "readable and writable",
        .kinds = KIND_UDP,
        .without = WITHOUT_DIFFERS,
        .transcript = "send 1500\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "$C 0 in out -> 1 r=IN|OUT\n"
                      "recv 1000 -> 500 m1[1000..1499]\n"
                      "$C 0 in out -> 1 r=OUT\n",
    },
    {
        .name = "by a copy of the descriptor",
        .kinds = KIND_FOUR,
        .without = WITHOUT_DIFFERS,
        .transcript = "dup r x\n"
                      "send 1500\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "$C 2000 on=x -> 1 x=IN\n"
                      "recv 1000 on=x -> 500 m1[1000..1499]\n"
                      "$C 0 -> 0\n",
    },
    {
        .name = "in the child, and after the child has taken it",
        .kinds = KIND_FOUR,
        .without = WITHOUT_DIFFERS,
        .transcript = "fork c\n"
                      "send 1500\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "$C 2000 in=c -> 1 r=IN\n"
                      "recv 1000 in=c -> 500 m1[1000..1499]\n"
                      "$C 0 -> 0\n"
                      "$C 0 in=c -> 0\n",
    },
};

/* select counts two readiness bits as two, poll counts one descriptor. */
static bool is_select(const char *call)
{
    return strstr(call, "select") != NULL;
}

ROWS(readiness, every_call, ROWS_OF(rows) * ROWS_OF(calls))
{
    const char *call = calls[*row % ROWS_OF(calls)];
    struct scenario scenario = rows[*row / ROWS_OF(calls)];

    if (scenario.kinds == KIND_UDP && is_select(call))
        scenario.transcript = "send 1500\n"
                              "recv 1000 -> 1000 m1[0..999]\n"
                              "$C 0 in out -> 2 r=IN r=OUT\n"
                              "recv 1000 -> 500 m1[1000..1499]\n"
                              "$C 0 in out -> 1 r=OUT\n";
    scenario.modes = MODE_NOWAIT;
    scenario.holds = HOLD_BOTH;
    /* Without the library the waits last, so that is shown with one of the calls only. */
    if (*row % ROWS_OF(calls) != 0)
        scenario.without = WITHOUT_IGNORED;
    scenario_check_call(&scenario, call, NULL);
}

static const struct scenario poll_rows[] = {
    {
        .name = "POLLRDNORM, and only what was asked for",
        .transcript = "send 1500\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "poll 0 rdnorm -> 1 r=RDNORM\n"
                      "poll 0 in rdnorm -> 1 r=IN|RDNORM\n"
                      "poll 0 pri -> 0\n"
                      "poll 0 nothing -> 0\n"
                      "ppoll 0 nothing -> 0\n",
    },
    {
        .name = "a descriptor that is not open, one that is to be ignored",
        .transcript = "send 1500\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "poll 0 on=r,#900 -> 2 r=IN #900=NVAL\n"
                      "poll 0 on=-1,r -> 1 r=IN\n"
                      "poll 0 on=-1 -> 0\n",
    },
    {
        .name = "FIONREAD returns what is left",
        .transcript = "fionread r -> 0\n"
                      "send 2500\n"
                      "send 5\n"
                      "fionread r -> 2500\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "fionread r -> 1500\n"
                      "sys_fionread r -> 1500\n"
                      "recv 1 -> 1 m1[1000..1000]\n"
                      "fionread r -> 1499\n"
                      "recv 1500 -> 1499 m1[1001..2499]\n"
                      "fionread r -> 5\n"
                      "recv 1500 -> 5 m2[0..4]\n"
                      "fionread r -> 0\n",
    },
};

SCENARIOS(readiness, details, poll_rows, .kinds = KIND_UDP | KIND_UNIX, .modes = MODE_NOWAIT,
          .holds = HOLD_BOTH, .without = WITHOUT_DIFFERS)

/* With nothing held anywhere the calls are libc's own: results, errors and all. */
static const struct scenario same[] = {
    {
        .name = "nothing held",
        .transcript = "$C 0\n"
                      "$C 1\n"
                      "$C 0 in out\n"
                      "send 5\n"
                      "$C 0 in out\n"
                      "pipe p w\n"
                      "tcp4 t u\n"
                      "send 5 from=u\n"
                      "$C 0 on=r,p,t\n"
                      "shutdown u\n"
                      "recv 5 on=t\n"
                      "$C 0 on=r,p,t\n"
                      "close w\n"
                      "$C 0 on=p,r,t in out\n"
                      "raw_close r\n"
                      "$C 0 on=p,r,t\n",
    },
};

SCENARIOS_BY_CALL(readiness, same, same, calls, .kinds = KIND_FOUR, .modes = MODE_NOWAIT,
                  .holds = HOLD_BOTH, .without = WITHOUT_DECIDES)
