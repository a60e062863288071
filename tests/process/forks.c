/* SPDX-License-Identifier: MIT */
/* Every way to a new process: parent and child share a tail, and each part goes out once. */
#include "check.h"

#define OURS(scenario) "run $victim " scenario

/* The library says that from then on no new tails are held. */
#define OWN(number) "run $victim own-descriptors " number " 2>/dev/null"

static const struct check rows[] = {
    {.name = "fork: parent and child, in turns", .script = OURS("turns 0"), .out = "ok\n"},
    {.name = "_Fork: parent and child, in turns", .script = OURS("turns 1"), .out = "ok\n"},
    {.name = "syscall(SYS_clone): in turns", .script = OURS("turns 2"), .out = "ok\n"},
    {.name = "a raw clone: in turns", .script = OURS("turns 3"), .out = "ok\n"},
    {.name = "fork: the child closes its copy", .script = OURS("closing 0"), .out = "ok\n"},
    {.name = "_Fork: the child closes its copy", .script = OURS("closing 1"), .out = "ok\n"},
    {.name = "syscall(SYS_clone): the child closes", .script = OURS("closing 2"), .out = "ok\n"},
    {.name = "a raw clone: the child closes its copy", .script = OURS("closing 3"), .out = "ok\n"},
    {.name = "fork: the parent closes", .script = OURS("parent-closes 0"), .out = "ok\n"},
    {.name = "_Fork: the parent closes", .script = OURS("parent-closes 1"), .out = "ok\n"},
    {.name = "syscall(SYS_clone): the parent closes",
     .script = OURS("parent-closes 2"),
     .out = "ok\n"},
    /* Not "a raw clone: the parent closes": a process that the library does not see made cannot be
     * known to share the socket (docs/limits.md). */
    {.name = "fork: another number", .script = OURS("redirect 0"), .out = "ok\n"},
    {.name = "_Fork: another number", .script = OURS("redirect 1"), .out = "ok\n"},
    {.name = "syscall(SYS_clone): another number", .script = OURS("redirect 2"), .out = "ok\n"},
    {.name = "a raw clone: another number", .script = OURS("redirect 3"), .out = "ok\n"},
    {.name = "vfork and exec", .script = OURS("vfork"), .out = "ok\n"},
    {.name = "vfork, and the child closes before it execs",
     .script = OURS("vfork-closing"),
     .out = "ok\n"},
    {.name = "vfork, and the child closes what the parent's epoll watches",
     .script = OURS("vfork-watched"),
     .out = "ok\n"},
    {.name = "posix_spawn, pidfd_spawn and system", .script = OURS("posix-spawn"), .out = "ok\n"},
    {.name = "clone, with and without the parent's memory", .script = OURS("clone"), .out = "ok\n"},
    {.name = "a child killed inside the lock", .script = OURS("killed 0"), .out = "ok\n"},
    {.name = "a child of _Fork killed inside the lock", .script = OURS("killed 1"), .out = "ok\n"},
    {.name = "a child of syscall(SYS_clone) killed inside the lock",
     .script = OURS("killed 2"),
     .out = "ok\n"},
    {.name = "a child of a raw clone killed inside the lock",
     .script = OURS("killed 3"),
     .out = "ok\n"},
    {.name = "more tails than a fork's table has pages",
     .script = OURS("many-small-tails"),
     .out = "ok\n"},
    {.name = "children that have left more tails than it has room for",
     .script = OURS("dead-tails"),
     .out = "ok\n"},
    {.name = "a tail of a megabyte in a fork's table", .script = OURS("long-tail"), .out = "ok\n"},
    {.name = "a child, where there is no memory for a table",
     .script = OURS("no-memory"),
     .out = "ok\n",
     .report = "no memory for the fragment table"},
    {
        /* It closes all descriptors in a child that shares its memory. */
        .name = "python's subprocess",
        .script = "run /usr/bin/python3 -c '\n"
                  "import socket, subprocess\n"
                  "r, s = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
                  "s.send(bytes(range(200)))\n"
                  "got = r.recv(50)\n"
                  "subprocess.run([\"/bin/true\"], close_fds=True)\n"
                  "subprocess.run([\"/bin/true\"], close_fds=True, pass_fds=[s.fileno()])\n"
                  "subprocess.run(\"true\", shell=True, close_fds=True)\n"
                  "r.settimeout(2)\n"
                  "try:\n"
                  "    while len(got) < 200: got += r.recv(50)\n"
                  "except TimeoutError: pass\n"
                  "print(\"ok\" if got == bytes(range(200)) else got)'",
        .out = "ok\n",
    },
    {.name = "a thread's own descriptors: close", .script = OWN("0"), .out = "ok\n"},
    {.name = "a thread's own descriptors: close_range", .script = OWN("1"), .out = "ok\n"},
    {.name = "a thread's own descriptors: dup2", .script = OWN("2"), .out = "ok\n"},
    {.name = "close_range(CLOSE_RANGE_UNSHARE)", .script = OWN("3"), .out = "ok\n"},
    {.name = "CLOSE_RANGE_UNSHARE, CLOSE_RANGE_CLOEXEC", .script = OWN("4"), .out = "ok\n"},
    {.name = "syscall(close_range, CLOSE_RANGE_UNSHARE)", .script = OWN("5"), .out = "ok\n"},
    {.name = "a child goes its own way: not at all", .script = OURS("leaves 0"), .out = "ok\n"},
    {.name = "a child goes its own way: setuid", .script = OURS("leaves 1"), .out = "ok\n"},
    {.name = "a child goes its own way: setfsuid", .script = OURS("leaves 2"), .out = "ok\n"},
    {.name = "a child goes its own way: setfsgid", .script = OURS("leaves 3"), .out = "ok\n"},
    {.name = "a child goes its own way: setns", .script = OURS("leaves 4"), .out = "ok\n"},
    {.name = "a child goes its own way: syscall(pivot_root)",
     .script = OURS("leaves 5"),
     .out = "ok\n"},
    {.name = "a child goes its own way: syscall(setfsuid)",
     .script = OURS("leaves 6"),
     .out = "ok\n"},
    {.name = "a child goes its own way: PR_CAPBSET_DROP",
     .script = OURS("leaves 8"),
     .out = "ok\n"},
    {.name = "a child goes its own way: PR_SET_SECUREBITS",
     .script = OURS("leaves 9"),
     .out = "ok\n"},
    {.name = "a child goes its own way: PR_CAP_AMBIENT",
     .script = OURS("leaves 10"),
     .out = "ok\n"},
    {.name = "a child goes its own way: syscall(prctl, PR_SET_DUMPABLE)",
     .script = OURS("leaves 11"),
     .out = "ok\n"},
    {.name = "a child goes its own way: PR_SET_MDWE", .script = OURS("leaves 12"), .out = "ok\n"},
    {.name = "a child goes its own way: Landlock", .script = OURS("leaves 7"), .out = "ok\n"},
};

CHECKS(forks, rows, rows)
