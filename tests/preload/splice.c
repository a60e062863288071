/* SPDX-License-Identifier: MIT */
/*
 * From a socket into a pipe: bytes in order. Linux before 6.5 splices from streams only; there the
 * rows are skipped.
 */
#include "rows.h"
#include "scenario.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const calls[] = {"splice", "sendfile", "sys_splice", "sys_sendfile"};

/* Whether the kernel can do it at all. */
static void need_splice(void)
{
    int sockets[2], ends[2];
    ssize_t moved = -1;

    if (pipe(ends) == 0 && socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets) == 0 &&
        send(sockets[1], "a", 1, 0) == 1)
        moved = splice(sockets[0], NULL, ends[1], NULL, 1, SPLICE_F_NONBLOCK);
    if (moved != 1)
        cr_skip_test("this kernel splices from no datagram socket");
}

TestSuite(splice, .init = need_splice);

static const struct scenario rows[] = {
    {
        .name = "the tail first, then the next message",
        .transcript = "send 2500\n"
                      "send 5\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "$C 5000 -> 1500 m1[1000..2499]\n"
                      "$C 5000 -> 5 m2[0..4]\n",
    },
    {
        .name = "a piece of the tail, and then a receive",
        .transcript = "send 2500\n"
                      "send 5\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "$C 700 -> 700 m1[1000..1699]\n"
                      "recv 0 peek trunc -> 800\n"
                      "$C 300 -> 300 m1[1700..1999]\n"
                      "recv 1000 -> 500 m1[2000..2499]\n"
                      "recv 1000 -> 5 m2[0..4]\n",
    },
    {
        .name = "another socket's tail is another's",
        .transcript = "udp4 a as\n"
                      "send 2500\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "send 5 from=as\n"
                      "$C 5000 on=a -> 5 m2[0..4]\n"
                      "$C 5000 -> 1500 m1[1000..2499]\n",
    },
    {
        .name = "lengths of nothing",
        .transcript = "send 2500\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "$C 0 -> 0\n"
                      "$C 5000 -> 1500 m1[1000..2499]\n",
    },
};

SCENARIOS_BY_CALL(splice, rows, rows, calls, .kinds = KIND_UDP4 | KIND_UNIX, .modes = MODE_NONBLOCK,
                  .holds = HOLD_BOTH, .without = WITHOUT_DIFFERS)

static const struct scenario same_rows[] = {
    {
        .name = "nothing held",
        .transcript = "send 2500\n"
                      "send 5\n"
                      "$C 5000\n"
                      "$C 5000\n",
    },
};

SCENARIOS_BY_CALL(splice, same, same_rows, calls, .kinds = KIND_UDP4 | KIND_UNIX,
                  .modes = MODE_NONBLOCK, .holds = HOLD_BOTH, .without = WITHOUT_DECIDES)
