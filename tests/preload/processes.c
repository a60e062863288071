/* SPDX-License-Identifier: MIT */
/* Parent and child share a socket's queue, and so its tail: each part once, whoever asks. */
#include "rows.h"
#include "scenario.h"

static const char *const forks[] = {"fork", "_Fork"};

static const struct scenario rows[] = {
    {
        .name = "a tail from before the fork, in turns",
        .modes = MODE_NOWAIT,
        .transcript = "send 3000\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "$C c\n"
                      "recv 500 in=c -> 500 m1[1000..1499]\n"
                      "recv 500 -> 500 m1[1500..1999]\n"
                      "recv 500 in=c -> 500 m1[2000..2499]\n"
                      "recv 500 -> 500 m1[2500..2999]\n"
                      "recv 500 dontwait in=c -> -1 EAGAIN\n",
    },
    {
        .name = "a first part taken by the child",
        .modes = MODE_NOWAIT,
        .transcript = "$C c\n"
                      "send 3000\n"
                      "send 5\n"
                      "recv 1000 in=c -> 1000 m1[0..999]\n"
                      "read 1000 -> 1000 m1[1000..1999]\n"
                      "recvmsg 1000 noname in=c -> 1000 m1[2000..2999]\n"
                      "recv 1000 -> 5 m2[0..4]\n",
    },
    {
        .name = "two children and a child of one tail after another",
        .modes = MODE_NOWAIT,
        .transcript = "$C c\n"
                      "$C d\n"
                      "send 1500\n"
                      "send 1500\n"
                      "recv 500 in=c -> 500 m1[0..499]\n"
                      "recv 500 in=d -> 500 m1[500..999]\n"
                      "recv 500 -> 500 m1[1000..1499]\n"
                      "recv 500 in=d -> 500 m2[0..499]\n"
                      "recv 1000 in=c -> 1000 m2[500..1499]\n",
    },
    {
        .name = "the child drops the tail: it is gone for all",
        .modes = MODE_NOWAIT,
        .transcript = "send 3000\n"
                      "send 5\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "$C c\n"
                      "recv 0 in=c -> 0\n"
                      "recv 1000 -> 5 m2[0..4]\n",
    },
    {
        .name = "the child peeks and sizes, the parent receives",
        .modes = MODE_NOWAIT,
        .transcript = "send 3000\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "$C c\n"
                      "recv 0 peek trunc in=c -> 2000\n"
                      "recv 500 peek in=c -> 500 m1[1000..1499]\n"
                      "recv 500 -> 500 m1[1000..1499]\n"
                      "recv 9999 peek in=c -> 1500 m1[1500..2999]\n"
                      "recv 1500 -> 1500 m1[1500..2999]\n",
    },
    {
        .name = "the child is killed: the parent goes on",
        .modes = MODE_NOWAIT,
        .transcript = "$C c\n"
                      "send 3000\n"
                      "recv 1000 in=c -> 1000 m1[0..999]\n"
                      "kill c\n"
                      "recv 1000 -> 1000 m1[1000..1999]\n"
                      "recv 1000 -> 1000 m1[2000..2999]\n",
    },
    {
        .name = "the child closes its descriptor: the parent's tail stays",
        .modes = MODE_NOWAIT,
        .transcript = "send 3000\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "$C c\n"
                      "close r in=c\n"
                      "recv 1000 -> 1000 m1[1000..1999]\n"
                      "recv 1000 -> 1000 m1[2000..2999]\n",
    },
    {
        .name = "the parent closes its descriptor: the child's tail stays",
        .modes = MODE_NOWAIT,
        .transcript = "send 3000\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "$C c\n"
                      "close r\n"
                      "recv 1000 in=c -> 1000 m1[1000..1999]\n"
                      "recv 1000 in=c -> 1000 m1[2000..2999]\n",
    },
    {
        .name = "the parent closes before the child has received anything",
        .modes = MODE_NOWAIT,
        .transcript = "$C c\n"
                      "send 3000\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "close r\n"
                      "recv 1000 in=c -> 1000 m1[1000..1999]\n"
                      "recv 1000 in=c -> 1000 m1[2000..2999]\n",
    },
    {
        .name = "one number, two sockets: each process has its own",
        .modes = MODE_NOWAIT,
        .transcript = "send 3000\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "$C c\n"
                      "close r in=c\n"
                      "udp4 r t at=r in=c\n"
                      "nonblock r in=c\n"
                      "recv 1000 in=c -> -1 EAGAIN\n"
                      "recv 1000 -> 1000 m1[1000..1999]\n"
                      "send 1500 from=t in=c\n"
                      "recv 1000 in=c -> 1000 m2[0..999]\n"
                      "recv 1000 -> 1000 m1[2000..2999]\n"
                      "recv 1000 in=c -> 500 m2[1000..1499]\n",
    },
    {
        .name = "one number, two sockets, behind the library's back",
        .modes = MODE_NOWAIT,
        .transcript = "send 3000\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "$C c\n"
                      "udp4 r t at=r in=c\n"
                      "nonblock r in=c\n"
                      "recv 1000 in=c -> -1 EAGAIN\n"
                      "send 1500 from=t in=c\n"
                      "recv 1000 in=c -> 1000 m2[0..999]\n"
                      "recv 1000 -> 1000 m1[1000..1999]\n"
                      "recv 1000 in=c -> 500 m2[1000..1499]\n"
                      "recv 1000 -> 1000 m1[2000..2999]\n",
    },
    {
        .name = "the child's copy of the descriptor",
        .modes = MODE_NOWAIT,
        .transcript = "$C c\n"
                      "send 3000\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "dup r x in=c\n"
                      "close r in=c\n"
                      "recv 1000 on=x in=c -> 1000 m1[1000..1999]\n"
                      "recv 1000 -> 1000 m1[2000..2999]\n",
    },
    {
        .name = "a wait in the child holds nobody up",
        .transcript = "udp4 q t\n"
                      "$C c\n"
                      "start c recv 1000 on=q\n"
                      "send 3000\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "recv 1000 -> 1000 m1[1000..1999]\n"
                      "send 1500 from=t taken\n"
                      "join c -> 1000 m2[0..999]\n"
                      "recv 1000 on=q -> 500 m2[1000..1499]\n"
                      "recv 1000 -> 1000 m1[2000..2999]\n",
    },
    {
        .name = "a wait in the child is ended by the message",
        .transcript = "$C c\n"
                      "start c recv 1000\n"
                      "send 3000 taken\n"
                      "join c -> 1000 m1[0..999]\n"
                      "recv 1000 -> 1000 m1[1000..1999]\n"
                      "recv 1000 in=c -> 1000 m1[2000..2999]\n",
    },
};

SCENARIOS_BY_CALL(processes, rows, rows, forks, .kinds = KIND_FOUR, .holds = HOLD_BOTH)

/* A fork by libc's syscall(): atfork handlers do not run, but the call is one that we see. */
static const char *const fork_by_syscall[] = {"sysfork"};

SCENARIOS_BY_CALL(processes, fork_by_syscall, rows, fork_by_syscall, .kinds = KIND_UDP4,
                  .holds = HOLD_BOTH)

static const struct scenario thread_rows[] = {
    {
        .name = "a wait in a thread holds nobody up",
        .transcript = "udp4 q t\n"
                      "start w recv 1000 on=q\n"
                      "send 3000\n"
                      "recv 1000 -> 1000 m1[0..999]\n"
                      "recv 1000 in=thread -> 1000 m1[1000..1999]\n"
                      "send 1500 from=t taken\n"
                      "join w -> 1000 m2[0..999]\n"
                      "recv 1000 on=q -> 500 m2[1000..1499]\n"
                      "recv 1000 -> 1000 m1[2000..2999]\n",
    },
    {
        .name = "a wait in a thread is ended by the message",
        .transcript = "start w recv 1000\n"
                      "send 3000 taken\n"
                      "join w -> 1000 m1[0..999]\n"
                      "recv 1000 -> 1000 m1[1000..1999]\n"
                      "recv 1000 in=thread -> 1000 m1[2000..2999]\n",
    },
    {
        .name = "two waits on one socket: the tail comes before the next message",
        .transcript = "start v recv 1000\n"
                      "start w recv 1000\n"
                      "send 3000 taken\n"
                      "join v -> 1000 m1[0..999]\n"
                      "send 500 taken\n"
                      "join w -> 1000 m1[1000..1999]\n"
                      "nonblock r\n"
                      "recv 1000 -> 1000 m1[2000..2999]\n"
                      "recv 1000 -> 500 m2[0..499]\n"
                      "recv 1000 -> -1 EAGAIN\n",
    },
    {
        .name = "a signal ends a wait: EINTR",
        .transcript = "recv 10 alarm -> -1 EINTR\n"
                      "read 10 alarm -> -1 EINTR\n"
                      "recvmsg 10 alarm -> -1 EINTR\n"
                      "recvmmsg 10 n=2 alarm -> -1 EINTR\n"
                      "send 3000\n"
                      "recv 1000 alarm -> 1000 m1[0..999]\n"
                      "recv 2000 alarm -> 2000 m1[1000..2999]\n"
                      "recv 10 alarm -> -1 EINTR\n",
    },
};

SCENARIOS(processes, threads, thread_rows, .kinds = KIND_FOUR, .holds = HOLD_BOTH)
