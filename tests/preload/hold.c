/* SPDX-License-Identifier: MIT */
/*
 * Where a tail is held: in the process or in the kernel, by WSRX_HOLD and WSRX_HOLD_MAX. What the
 * kernel has is seen by system calls that go round the library.
 */
#include "rows.h"
#include "scenario.h"

static const struct scenario rows[] = {
    {
        .name = "process: the kernel has handed the message over",
        .environment = {"WSRX_HOLD=process"},
        .transcript = "send 3000\n"
                      "wsrx_hold r -> none 0\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "raw_recvfrom 3000 noname peek dontwait -> -1 EAGAIN\n"
                      "wsrx_hold r -> process 2000\n"
                      "recv 1500 -> 1500 m1[1000..2499]\n"
                      "wsrx_hold r -> process 500\n"
                      "recv 1500 -> 500 m1[2500..2999]\n"
                      "wsrx_hold r -> none 0\n",
    },
    {
        .name = "auto: in the process, for a native program",
        .environment = {"WSRX_HOLD=auto"},
        .transcript = "send 3000\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "raw_recvfrom 3000 noname peek dontwait -> -1 EAGAIN\n"
                      "wsrx_hold r -> process 2000\n",
    },
    {
        .name = "nothing said: in the process, for a native program",
        .transcript = "send 3000\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "raw_recvfrom 3000 noname peek dontwait -> -1 EAGAIN\n"
                      "wsrx_hold r -> process 2000\n",
    },
    {
        .name = "kernel: the message stays queued until its last part is taken",
        .environment = {"WSRX_HOLD=kernel"},
        .transcript = "send 3000\n"
                      "send 5\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "raw_recvfrom 3000 noname peek dontwait -> 3000 m1[0..2999]\n"
                      "wsrx_hold r -> kernel 2000\n"
                      "read 1000 -> 1000 m1[1000..1999]\n"
                      "raw_recvfrom 3000 noname peek dontwait -> 3000 m1[0..2999]\n"
                      "wsrx_hold r -> kernel 1000\n"
                      "recvmsg 1000 noname -> 1000 m1[2000..2999]\n"
                      "wsrx_hold r -> none 0\n"
                      "raw_recvfrom 3000 noname peek dontwait -> 5 m2[0..4]\n"
                      "recv 5 -> 5 m2[0..4]\n"
                      "raw_recvfrom 3000 noname peek dontwait -> -1 EAGAIN\n",
    },
    {
        .name = "kernel: dropping a tail takes the message off the queue",
        .environment = {"WSRX_HOLD=kernel"},
        .transcript = "send 3000\n"
                      "send 3000\n"
                      "send 5\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "recv 0 -> 0\n"
                      "recv 1000 -> 1000 m2[0..999]\n"
                      "recv 10 trunc -> 2000 m2[1000..1009]\n"
                      "raw_recvfrom 3000 noname peek dontwait -> 5 m3[0..4]\n"
                      "recv 10 -> 5 m3[0..4]\n",
    },
    {
        .name = "kernel: a message that fits is taken at once",
        .environment = {"WSRX_HOLD=kernel"},
        .transcript = "send 1000\n"
                      "send 0\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "raw_recvfrom 3000 noname peek dontwait -> 0\n"
                      "read 10 -> 0\n"
                      "raw_recvfrom 3000 noname peek dontwait -> -1 EAGAIN\n",
    },
};

SCENARIOS(hold, places, rows, .kinds = KIND_ALL, .modes = MODE_NOWAIT)

/* Memory is bounded. What comes past the bound is held in the kernel, and nothing is lost. */
static const struct scenario bounds[] = {
    {
        .name = "no memory at all",
        .environment = {"WSRX_HOLD_MAX=0"},
        .transcript = "send 3000\n"
                      "send 5\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "wsrx_hold r -> kernel 2000\n"
                      "recv 1000 -> 1000 m1[1000..1999]\n"
                      "recv 1000 -> 1000 m1[2000..2999]\n"
                      "recv 1000 -> 5 m2[0..4]\n",
    },
    {
        .name = "no memory at all, and the tail is dropped: the caller hears of it",
        .environment = {"WSRX_HOLD_MAX=0", "WSRX_MODE=discard"},
        .transcript = "send 3000\n"
                      "send 5\n"
                      "recv 1000 -> -1 EMSGSIZE filled m1[0..999]\n"
                      "recv 1000 -> 5 m2[0..4]\n"
                      "wsrx_counters -> held 0 parts 0 saved 0 lost 1/2000 now 0\n",
    },
    {
        .name = "past the bound, in the kernel; below it again, in the process",
        .environment = {"WSRX_HOLD_MAX=64K"},
        .transcript = "rcvbuf r\n"
                      "udp4 a b\n"
                      "unix c d\n"
                      "send 50000\n"
                      "send 50000 from=b\n"
                      "send 50000 from=d\n"
                      "send 50000\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "wsrx_hold r -> process 49000\n"
                      "recv 1000 on=a -> 1000 m2[0..999]\n"
                      "recv 1000 on=c -> 1000 m3[0..999]\n"
                      "wsrx_hold c -> kernel 49000\n"
                      "recv 50000 on=c -> 49000 m3[1000..49999]\n"
                      "recv 50000 on=a -> 49000 m2[1000..49999]\n"
                      "recv 50000 -> 49000 m1[1000..49999]\n"
                      "recv 1000 -> 1000 m4[0..999]\n"
                      "wsrx_hold r -> process 49000\n"
                      "recv 50000 -> 49000 m4[1000..49999]\n",
    },
    {
        .name = "a bound that is smaller than one message",
        .environment = {"WSRX_HOLD_MAX=1K"},
        .transcript = "rcvbuf r\n"
                      "udp4 a b\n"
                      "send 50000\n"
                      "send 50000 from=b\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "recv 1000 on=a -> 1000 m2[0..999]\n"
                      "wsrx_hold a -> kernel 49000\n"
                      "readv 9000 parts=3 -> 9000 m1[1000..9999]\n"
                      "readv 9000 parts=3 on=a -> 9000 m2[1000..9999]\n"
                      "recv 40001 -> 40000 m1[10000..49999]\n"
                      "recv 40001 on=a -> 40000 m2[10000..49999]\n",
    },
    {
        .name = "descriptors that come with a message come once, past the bound too",
        .environment = {"WSRX_HOLD_MAX=0", "WSRX_CALLS=all"},
        .transcript =
            "unix a b\n"
            "send 2500 fds=1 from=b\n"
            "fds\n"
            "recvmsg 1000 noname on=a control=100 -> 1000 m1[0..999] flags TRUNC rights 1\n"
            "recvmsg 1000 noname on=a control=100 -> 1000 m1[1000..1999] flags TRUNC\n"
            "recvmsg 1000 noname on=a control=100 -> 500 m1[2000..2499]\n"
            "fds -> +1\n",
    },
};

SCENARIOS(hold, bounds, bounds, .kinds = KIND_FOUR, .modes = MODE_NONBLOCK)

/*
 * A port unreachable that comes back while a tail is held may be reported after the tail, and must
 * neither end it nor leave the message queued. Linux reports it before anything else.
 */
static const struct scenario errors[] = {
    {
        .name = "a pending error does not end a tail",
        .transcript = "send 2500\n"
                      "connect r s\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "close s\n"
                      "send 1 from=r\n"
                      "recv 1000 -> 1000 m1[1000..1999]\n"
                      "recv 1000 -> 500 m1[2000..2499]\n"
                      "recv 1000 -> -1 ECONNREFUSED\n"
                      "recv 1000 -> -1 EAGAIN\n",
    },
    {
        .name = "a pending error at the last part leaves nothing behind",
        .transcript = "send 1500\n"
                      "send 5\n"
                      "connect r s\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "close s\n"
                      "send 1 from=r\n"
                      "recv 1000 -> 500 m1[1000..1499]\n"
                      "recv 1000 -> -1 ECONNREFUSED\n"
                      "recv 1000 -> 5 m2[0..4]\n"
                      "recv 1000 -> -1 EAGAIN\n",
    },
    {
        .name = "a pending error that a peek meets",
        .environment = {NULL},
        .transcript = "send 2500\n"
                      "connect r s\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "close s\n"
                      "send 1 from=r\n"
                      "recv 0 peek trunc -> 1500\n"
                      "recv 1000 peek -> 1000 m1[1000..1999]\n"
                      "recv 1000 buf=one -> -1 EFAULT\n"
                      "recv 1000 -> 1000 m1[1000..1999]\n"
                      "recv 1000 -> 500 m1[2000..2499]\n"
                      "recv 1000 -> -1 ECONNREFUSED\n"
                      "recv 1000 -> -1 EAGAIN\n",
    },
    {
        .name = "a pending error is no message, and hides none",
        .environment = {NULL},
        .transcript = "send 1500\n"
                      "send 700\n"
                      "connect r s\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "close s\n"
                      "send 1 from=r\n"
                      "recv 1000 -> 500 m1[1000..1499]\n"
                      "fionread r -> 700\n"
                      "recv 1000 -> -1 ECONNREFUSED\n"
                      "fionread r -> 700\n"
                      "recv 1000 -> 700 m2[0..699]\n",
    },
};

SCENARIOS(hold, errors, errors, .kinds = KIND_UDP, .modes = MODE_NOWAIT, .holds = HOLD_BOTH)

/* The program's own peeks move on in the socket (SO_PEEK_OFF), and our peeks must not move them. */
static const struct scenario peek_offsets[] = {
    {
        .name = "messages that fit",
        .transcript = "set peekoff 0\n"
                      "send 10\n"
                      "send 5\n"
                      "recv 3 peek\n"
                      "recv 100\n"
                      "recv 100\n"
                      "recv 100\n",
    },
    {
        .name = "peeks that go on, and past the last message",
        .transcript = "set peekoff 0\n"
                      "send 10\n"
                      "recv 3 peek\n"
                      "recv 3 peek\n"
                      "recv 100 peek\n"
                      "recv 100\n"
                      "send 20\n"
                      "recv 100 peek\n"
                      "recv 100\n"
                      "recv 100\n",
    },
};

SCENARIOS(hold, the_programs_peek_offset, peek_offsets, .kinds = KIND_UDP | KIND_UNIX,
          .modes = MODE_NONBLOCK, .holds = HOLD_BOTH, .without = WITHOUT_DECIDES)

static const struct scenario peek_offset_parts[] = {
    {
        .name = "a message that does not fit",
        .transcript = "set peekoff 0\n"
                      "send 2500\n"
                      "send 5\n"
                      "recv 3 peek -> 3 m1[0..2]\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "recv 1000 -> 1000 m1[1000..1999]\n"
                      "recv 1000 -> 500 m1[2000..2499]\n"
                      "recv 1000 -> 5 m2[0..4]\n",
    },
};

SCENARIOS(hold, parts_with_a_peek_offset, peek_offset_parts, .kinds = KIND_UDP | KIND_UNIX,
          .modes = MODE_NONBLOCK, .holds = HOLD_BOTH, .without = WITHOUT_DIFFERS)
