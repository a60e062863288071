/* SPDX-License-Identifier: MIT */
/*
 * Bad arguments get what the kernel gives: every row is played without and with the library, and
 * must come out the same, byte for byte. A wait is no answer here, so the sockets do not block.
 */
#include "rows.h"
#include "scenario.h"

static const char *const buffer_calls[] = {
    "recv",
    "recvfrom noname",
    "read",
    "readv",
    "preadv2",
    "recvmsg noname",
    "__recv_chk",
    "__read_chk",
    "__read",
    "sys_read",
    "sys_recvfrom noname",
    "sys_readv",
    "__recvfrom_chk noname",
    "sys_recvmsg noname",
};

/* With $C as the receive. */
static const struct scenario buffer_rows[] = {
    {
        .name = "bad addresses, nothing queued",
        .transcript = "$C 10 buf=null\n"
                      "$C 10 buf=one\n"
                      "$C 10 buf=noncanonical\n"
                      "$C 0 buf=null\n"
                      "$C 0 buf=one\n",
    },
    {
        .name = "a NULL buffer",
        .transcript = "send 10\n"
                      "send 5\n"
                      "$C 10 buf=null\n"
                      "$C 10\n"
                      "$C 10\n",
    },
    {
        .name = "an address that is none",
        .transcript = "send 10\n"
                      "send 5\n"
                      "$C 10 buf=one\n"
                      "$C 10\n"
                      "send 5\n"
                      "$C 10 buf=noncanonical\n"
                      "$C 10\n"
                      "$C 10\n",
    },
    {
        .name = "a buffer that is too short to be true",
        .transcript = "send 100\n"
                      "send 100\n"
                      "send 5\n"
                      "send 5\n"
                      "$C 1000 buf=edge:50\n"
                      "$C 1000 buf=edge:100\n"
                      "$C 1000 buf=edge:5\n"
                      "$C 1000 buf=edge:4\n"
                      "$C 10\n",
    },
    {
        .name = "a buffer that is read-only",
        .transcript = "map x 8192\n"
                      "protect x read\n"
                      "send 10\n"
                      "send 5\n"
                      "$C 10 buf=x\n"
                      "$C 10\n"
                      "$C 10\n",
    },
    {
        .name = "a buffer that was good, and is read-only now",
        .transcript = "map x 8192\n"
                      "send 10\n"
                      "send 11\n"
                      "$C 100 buf=x\n"
                      "$C 100 buf=x\n"
                      "protect x read\n"
                      "send 12\n"
                      "send 13\n"
                      "$C 100 buf=x\n"
                      "protect x\n"
                      "$C 100 buf=x\n"
                      "$C 100 buf=x\n",
    },
    {
        .name = "a buffer that was good, and is PROT_NONE now",
        .transcript = "map x 8192\n"
                      "send 10\n"
                      "send 11\n"
                      "$C 100 buf=x\n"
                      "$C 100 buf=x\n"
                      "protect x none\n"
                      "send 12\n"
                      "send 13\n"
                      "$C 100 buf=x\n"
                      "protect x\n"
                      "$C 100 buf=x\n",
    },
    {
        .name = "a buffer that was good, and is not mapped now",
        .transcript = "map x 8192\n"
                      "send 10\n"
                      "send 11\n"
                      "$C 100 buf=x\n"
                      "$C 100 buf=x\n"
                      "unmap x\n"
                      "send 12\n"
                      "send 13\n"
                      "$C 100 buf=x\n"
                      "$C 100\n"
                      "$C 100\n",
    },
    {
        .name = "a buffer that another thread's receive has found good, unmapped",
        .transcript = "map x 65536\n"
                      "send 10\n"
                      "send 11\n"
                      "send 12\n"
                      "send 13\n"
                      "send 14\n"
                      "$C 40000 buf=x in=thread\n"
                      "$C 40000 buf=x in=thread\n"
                      "$C 40000 buf=x\n"
                      "unmap x\n"
                      "$C 40000 buf=x\n"
                      "$C 100\n"
                      "$C 100\n",
    },
    {
        .name = "bad descriptors",
        .transcript = "$C 10 on=#900\n"
                      "$C 10 on=-1\n"
                      "$C 10 on=#2147483647\n"
                      "$C 0 on=#900\n"
                      "$C 10 on=#900 buf=null\n"
                      "close s\n"
                      "$C 10 on=s\n",
    },
};

SCENARIOS_BY_CALL(bad_input, buffers, buffer_rows, buffer_calls,
                  .kinds = KIND_UDP4 | KIND_UNIX | KIND_SEQPACKET, .modes = MODE_NONBLOCK,
                  .holds = HOLD_BOTH, .without = WITHOUT_DECIDES)

static const struct scenario rows[] = {
    {
        .name = "lengths that no memory has",
        .transcript = "send 10\n"
                      "send 11\n"
                      "send 12\n"
                      "send 13\n"
                      "send 14\n"
                      "read huge\n"
                      "recv huge\n"
                      "recvfrom huge\n"
                      "readv huge\n"
                      "recvmsg huge\n"
                      "recv 2147483647\n"
                      "read 2147483647\n"
                      "recv 4294967296\n"
                      "recv 9223372036854775807\n"
                      "read 9223372036854775807\n"
                      "recv 18446744073709547520\n"
                      "recv 10\n",
    },
    {
        .name = "iovecs: too many, none, NULL, bad",
        .transcript = "send 10\n"
                      "send 11\n"
                      "send 12\n"
                      "readv 10 veclen=0\n"
                      "readv 10 veclen=1025\n"
                      "readv 10 veclen=2147483647\n"
                      "readv 10 veclen=-1\n"
                      "readv 10 vec=null\n"
                      "readv 10 vec=one\n"
                      "readv 10 vec=noncanonical\n"
                      "preadv2 10 veclen=0\n"
                      "preadv2 10 veclen=1025\n"
                      "preadv2 10 vec=one\n"
                      "sys_readv 10 veclen=1025\n"
                      "sys_readv 10 veclen=18446744073709551615\n"
                      "readv 1024 parts=1000 veclen=1024\n"
                      "recv 100\n"
                      "recv 100\n",
    },
    {
        .name = "recvmsg: iovecs",
        .transcript = "send 10\n"
                      "send 11\n"
                      "send 12\n"
                      "recvmsg 10 veclen=0\n"
                      "recvmsg 10 veclen=1025\n"
                      "recvmsg 10 veclen=18446744073709551615\n"
                      "recvmsg 10 vec=null\n"
                      "recvmsg 10 vec=one\n"
                      "recvmsg 10 vec=null veclen=0\n"
                      "recvmsg 1024 parts=1000 veclen=1024\n"
                      "recv 100\n",
    },
    {
        .name = "recvmsg: message headers",
        .transcript = "send 10\n"
                      "send 11\n"
                      "recvmsg 10 msg=null\n"
                      "recvmsg 10 msg=one\n"
                      "recvmsg 10 msg=noncanonical\n"
                      "recvmsg 10 msg=edge:20\n"
                      "sys_recvmsg 10 msg=null\n"
                      "recvmmsg 10 n=2 msg=null\n"
                      "recvmmsg 10 n=2 msg=one\n"
                      "recvmmsg 10 n=0 msg=null\n"
                      "recvmsg 10\n"
                      "recvmsg 20\n",
    },
    {
        .name = "recvmsg: names and control buffers",
        .transcript = "send 10\n"
                      "send 11\n"
                      "send 12\n"
                      "send 13\n"
                      "recvmsg 10 namelen=-1\n"
                      "recvmsg 10 name=one\n"
                      "recvmsg 100 control=100 controlbuf=one\n"
                      "recvmsg 100 control=8\n"
                      "recvmsg 100\n",
    },
    {
        .name = "recvmsg: a message header that cannot be written to",
        .transcript = "map x 8192\n"
                      "protect x read\n"
                      "send 10\n"
                      "send 11\n"
                      "recvmsg 10 msg=x\n"
                      "recvmsg 100\n"
                      "recvmsg 100\n",
    },
    {
        .name = "recvmsg: a control buffer that cannot be written to, and one to write",
        .transcript = "set timestamp\n"
                      "map x 8192\n"
                      "protect x read\n"
                      "send 10\n"
                      "send 11\n"
                      "recvmsg 100 noname control=100 controlbuf=x\n"
                      "recvmsg 100 noname control=100\n",
    },
    {
        .name = "recvfrom: names",
        .transcript = "send 10\n"
                      "send 11\n"
                      "send 12\n"
                      "send 13\n"
                      "send 14\n"
                      "send 15\n"
                      "send 16\n"
                      "recvfrom 10 namelen=-1\n"
                      "recvfrom 20 namelen=-2147483648\n"
                      "recvfrom 20 name=one\n"
                      "recvfrom 20 lenptr=one\n"
                      "recvfrom 20 lenptr=null\n"
                      "recvfrom 20 name=null\n"
                      "recvfrom 20 name=null lenptr=one\n"
                      "recvfrom 20\n",
    },
    {
        .name = "flags that mean something else, or nothing",
        .transcript = "send 10\n"
                      "send 11\n"
                      "send 12\n"
                      "send 13\n"
                      "send 14\n"
                      "send 15\n"
                      "recv 100 oob dontwait\n"
                      "recv 100 errqueue dontwait\n"
                      "recvmsg 100 oob dontwait\n"
                      "recvmsg 100 errqueue dontwait\n"
                      "recv 100 flags=0x00800000 dontwait\n"
                      "recv 100 flags=0x80000000 dontwait\n"
                      "recvmsg 100 flags=0x80000000 dontwait\n"
                      "recvfrom 100 flags=0x7fffbf1c dontwait\n"
                      "recv 100 dontwait\n"
                      "recv 100 dontwait\n"
                      "recv 100 dontwait\n"
                      "recv 100 dontwait\n",
    },
    {
        .name = "preadv2: offsets and flags that sockets do not have",
        .transcript = "send 10\n"
                      "send 11\n"
                      "preadv2 10 offset=0\n"
                      "preadv2 10 offset=100\n"
                      "preadv2 10 offset=-2\n"
                      "preadv64v2 10 offset=0\n"
                      "sys_preadv2 10 offset=5\n"
                      "preadv2 10 flags=0x40000000\n"
                      "preadv2 10 flags=1\n"
                      "preadv2 10 flags=2\n"
                      "preadv2 10 flags=0x10\n"
                      "preadv2 10 flags=0x20\n"
                      "recv 100\n"
                      "recv 100\n",
    },
    {
        .name = "recvmmsg: bad numbers and timeouts",
        .transcript = "send 10\n"
                      "send 11\n"
                      "send 12\n"
                      "recvmmsg 10 n=1 timeout=-1\n"
                      "recvmmsg 10 n=1 timeout=0\n"
                      "recvmmsg 20 n=4 timeout=1\n"
                      "recvmmsg 20 n=4 dontwait errqueue\n"
                      "recvmmsg 20 n=4 on=#900\n"
                      "recv 20\n",
    },
    {
        .name = "recvmmsg: the second slot is bad",
        .transcript = "send 10\n"
                      "send 100\n"
                      "send 12\n"
                      "recvmmsg 60 n=3 buf=edge:130\n"
                      "recv 20\n"
                      "recv 20\n",
    },
    {
        .name = "MSG_PEEK with bad buffers consumes nothing",
        .transcript = "send 10\n"
                      "recv 10 peek buf=null\n"
                      "recv 10 peek buf=edge:5\n"
                      "recvmsg 10 peek buf=one\n"
                      "recv 10\n",
    },
    {
        .name = "the sender's end: shut down or gone",
        .transcript = "send 10\n"
                      "shutdown s\n"
                      "close s\n"
                      "recv 20\n"
                      "recv 20\n"
                      "read 20\n"
                      "recvmsg 20\n",
    },
};

SCENARIOS(bad_input, rows, rows, .kinds = KIND_ALL, .modes = MODE_NONBLOCK, .holds = HOLD_BOTH,
          .without = WITHOUT_DECIDES)

/* As many buffers as a call can have leave no room for one of ours, and a negative length of the name is
 * refused: whatever the settings. */
#define LIMITS                                     \
    "send 10\n"                                    \
    "send 11\n"                                    \
    "send 12\n"                                    \
    "send 13\n"                                    \
    "readv 1024 parts=1000 veclen=1024\n"          \
    "recvmsg 1024 noname parts=1000 veclen=1024\n" \
    "recvmsg 100 namelen=-1\n"                     \
    "recvmmsg 100 n=1 namelen=-1\n"                \
    "recv 100\n"                                   \
    "recv 100\n"
#define ALL "WSRX_CALLS=all"

static const struct scenario limit_rows[] = {
    {.name = "observe", .environment = {"WSRX_MODE=observe"}, .transcript = LIMITS},
    {.name = "discard", .environment = {"WSRX_MODE=discard", ALL}, .transcript = LIMITS},
    {.name = "error", .environment = {"WSRX_MODE=error", ALL}, .transcript = LIMITS},
    {.name = "all calls", .environment = {ALL}, .transcript = LIMITS},
    {.name = "a trace",
     .environment = {"WSRX_TRACE=text", "WSRX_TRACE_FILE=/dev/null"},
     .transcript = LIMITS},
};

SCENARIOS(bad_input, limits, limit_rows, .kinds = KIND_UDP4 | KIND_UNIX, .modes = MODE_NONBLOCK,
          .holds = HOLD_BOTH, .without = WITHOUT_DECIDES)

/* A fortified call that sees its buffer overflow ends the program, whatever the socket. */
static const struct scenario overflows[] = {
    {.name = "__recv_chk", .transcript = "send 10\n__recv_chk 20 size=20\n__recv_chk 20 size=19\n"},
    {.name = "__read_chk", .transcript = "send 10\n__read_chk 20 size=20\n__read_chk 20 size=19\n"},
    {
        .name = "__recvfrom_chk",
        .transcript = "send 10\n__recvfrom_chk 20 size=20\n__recvfrom_chk 20 size=19\n",
    },
};

SCENARIOS(bad_input, overflows, overflows, .kinds = KIND_UDP4, .without = WITHOUT_DECIDES)

/* On a tail: EFAULT as the kernel gives it, and no crash. */
static const struct scenario tail_rows[] = {
    {
        .name = "a bad buffer at a tail",
        .transcript = "send 3000\n"
                      "send 5\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "$C 1000 buf=null -> -1 EFAULT\n",
    },
    {
        .name = "a buffer that ends before the part does",
        .transcript = "send 3000\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "$C 1000 buf=edge:999 -> -1 EFAULT\n",
    },
    {
        .name = "a buffer that ends after the last part does",
        .transcript = "send 1100\n"
                      "send 5\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "$C 1000 buf=edge:100 -> 100 m1[1000..1099]\n"
                      "$C 1000 -> 5 m2[0..4]\n",
    },
    {
        .name = "a first part into a buffer that ends where it must",
        .transcript = "send 1100\n"
                      "$C 1000 buf=edge:1000 -> 1000 m1[0..999]\n"
                      "$C 1000 buf=edge:1000 -> 100 m1[1000..1099]\n",
    },
    {
        .name = "a first part into a buffer that ends before",
        .transcript = "send 1100\n"
                      "$C 1000 buf=edge:999 -> -1 EFAULT\n",
    },
    {
        .name = "a part into memory that was good, and is not mapped now",
        .transcript = "map x 8192\n"
                      "send 3000\n"
                      "$C 1000 buf=x -> 1000 m1[0..999]\n"
                      "$C 1000 buf=x -> 1000 m1[1000..1999]\n"
                      "unmap x\n"
                      "$C 500 buf=x -> -1 EFAULT\n",
    },
};

static const char *const tail_calls[] = {
    "recv", "read", "readv parts=2", "__recv_chk", "recvfrom noname", "sys_read"};

SCENARIOS_BY_CALL(bad_input, tails, tail_rows, tail_calls, .kinds = KIND_FOUR, .modes = MODE_NOWAIT,
                  .holds = HOLD_BOTH)

static const struct scenario any_tail_rows[] = {
    {
        .name = "lengths that no memory has",
        .transcript = "send 3000\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "read huge -> -1 EFAULT\n"
                      "readv huge -> -1 EINVAL\n"
                      "recv 2147483647 -> 2000 m1[1000..2999]\n",
    },
    {
        .name = "a peek into a bad buffer consumes nothing of a tail",
        .transcript = "send 3000\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "recv 1000 peek buf=null -> -1 EFAULT\n"
                      "recvmsg 1000 peek buf=one -> -1 EFAULT\n"
                      "recvmsg 1000 msg=one -> -1 EFAULT\n"
                      "readv 1000 vec=one -> -1 EFAULT\n"
                      "readv 1000 veclen=1025 -> -1 EINVAL\n"
                      "recv 1000 -> 1000 m1[1000..1999]\n"
                      "recv 1000 -> 1000 m1[2000..2999]\n",
    },
};

SCENARIOS(bad_input, any_tail, any_tail_rows, .kinds = KIND_FOUR, .modes = MODE_NONBLOCK,
          .holds = HOLD_BOTH)
