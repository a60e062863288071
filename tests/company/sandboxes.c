/* SPDX-License-Identifier: MIT */
/* A system call is forbidden: the library does without it, and reports that once. */
#include "check.h"

/* What the victim does without, and what comes of it: each tail is kept, or it is as on Linux. */
#define SANDBOX(without, each) \
    .name = without, .script = "run $company/company-sandbox " without, .out = each "\n" each "\n"
#define EVENTFD \
    "no eventfd for epoll: Operation not permitted; from now on tails are held in the kernel"
#define NO_BOUNCE                                                                   \
    .report = "no memory for a bounce buffer; receives are as without the library", \
    .without = CHECK_SAME

#define RECVMSG "recvmsg is forbidden: Operation not permitted; receives are as without the library"

#define SEEN .report = "or a thread had unshared its descriptors: 2", .without = CHECK_SAME

#define ASLEEP(call, hold) "WSRX_HOLD=" hold " run $company/company-asleep " call

/* Held in the kernel: peeked, and taken with the last part; as a native program, and as Wine. */
#define REFUSED      "WSRX_HOLD=kernel WSRX_CALLS=all run $company/company-refused "
#define REFUSED_WINE "ln -s $company/company-refused $dir/wine; run $dir/wine "
#define REFUSED_OUT  "1000 from 0\nEACCES\nEACCES\n2000 from 1000\n700 from 0\nEAGAIN\n"

static const struct check rows[] = {
    {SANDBOX("fresh eventfd2", "kept"), .report = EVENTFD},
    {SANDBOX("used eventfd2", "kept"), .report = EVENTFD},
    {SANDBOX("thread eventfd2", "kept"), .report = EVENTFD},
    {SANDBOX("fresh epoll_ctl", "kept"), .report = "no eventfd for epoll"},
    {SANDBOX("used epoll_ctl", "kept"), .report = "no eventfd for epoll"},
    {SANDBOX("fresh mmap", "lost"), NO_BOUNCE},
    {SANDBOX("used mmap", "kept")},
    {SANDBOX("thread mmap", "lost"), NO_BOUNCE},
    {SANDBOX("fresh recvmsg", "lost"), .report = RECVMSG, .without = CHECK_SAME},
    {SANDBOX("used recvmsg", "kept"), .report = RECVMSG},
    {SANDBOX("thread recvmsg", "lost"), .report = RECVMSG, .without = CHECK_SAME},
    {SANDBOX("fresh futex", "kept")},
    {SANDBOX("used futex", "kept")},
    {SANDBOX("fresh eventfd2 epoll_ctl futex", "kept"), .report = EVENTFD},
    {SANDBOX("fresh eventfd2 epoll_ctl mmap futex", "lost"), NO_BOUNCE},
    {SANDBOX("used eventfd2 epoll_ctl mmap futex", "kept"), .report = EVENTFD},
    /* Where it sees the filter coming, the program is as it is on Linux alone. */
    {SANDBOX("seen eventfd2", "lost"), SEEN},
    {SANDBOX("seen mmap", "lost"), SEEN},
    {SANDBOX("seen futex", "lost"), SEEN},
    /* A device for the statistics cannot be made ready as a file is; that is no fault. */
    {.name = "seen, with statistics to /dev/null",
     .script = "WSRX_STATS=/dev/null run $company/company-sandbox seen futex",
     .out = "lost\nlost\n",
     SEEN},
    {SANDBOX("fresh descriptors", "kept"),
     .report = "cannot know who waits in epoll sets: Too many open files"},
    {SANDBOX("used descriptors", "kept"), .report = "no eventfd for epoll: Too many open files"},
    {
        /* Every size from what the program alone needs to plenty: it works or says why not. */
        .name = "a small address space",
        .script = "for size in 6 8 10 12 16 20 30 40 60 80 100 120 150 200 250 300 350 400 450 500 "
                  "550 600 700; do\n"
                  "  (ulimit -v $((size * 1024)); $victim fitting) >$dir/alone 2>&1 || continue\n"
                  "  (ulimit -v $((size * 1024)); run $victim fitting) >$dir/out 2>$dir/err\n"
                  "  [ \"$(cat $dir/out)\" = ok ] && [ $(grep -c . $dir/err) -le 1 ] || "
                  "grep -q 'failed to map\\|cannot allocate\\|cannot map' $dir/err || "
                  "echo \"$size: $(cat $dir/out $dir/err)\"\n"
                  "done; (ulimit -v 1000000; run $victim usual-forked)",
        .out = "ok\n",
    },
    {
        .name = "an address space of 64 MiB: each tail is kept",
        .script = "ulimit -v 65536; run $victim usual-small",
        .out = "ok\n",
    },
    {
        .name = "an address space of 64 MiB, and children: each tail is kept",
        .script = "ulimit -v 65536; run $victim usual-forked",
        .out = "ok\n",
    },
    /* Nothing can be asked for there, so that a message is cut as on Linux. */
    {.name = "system calls by libc's code alone",
     .script = "run $company/company-dispatched",
     .out = "5 5 5 5 5 5 3 -1\n",
     .without = CHECK_SAME},
    /* An error that comes again and again is reported, and loses nothing. */
    {.name = "each look at a held message", .script = REFUSED "peek", .out = REFUSED_OUT},
    {.name = "each take of a held message", .script = REFUSED, .out = REFUSED_OUT},
    {.name = "each look, Wine", .script = REFUSED_WINE "peek trunc", .out = REFUSED_OUT},
    {.name = "each take, Wine", .script = REFUSED_WINE "trunc", .out = REFUSED_OUT},
    /* Another thread's filter is there when it wakes: each receive is the program's own call. */
    {.name = "asleep in recv",
     .script = ASLEEP("recv", "process"),
     .out = "right\n",
     .without = CHECK_SAME},
    {.name = "asleep in read",
     .script = ASLEEP("read", "process"),
     .out = "right\n",
     .without = CHECK_SAME},
    {.name = "asleep in recv, held in the kernel",
     .script = ASLEEP("recv", "kernel"),
     .out = "right\n",
     .without = CHECK_SAME},
    {.name = "asleep in read, held in the kernel",
     .script = ASLEEP("read", "kernel"),
     .out = "right\n",
     .without = CHECK_SAME},
    {.name = "asleep in recvfrom, held in the kernel",
     .script = ASLEEP("recvfrom", "kernel"),
     .out = "right\n",
     .without = CHECK_SAME},
    {
        .name = "few descriptors from the start",
        .script = "ulimit -n 9; run $victim usual-small",
        .out = "ok\n",
    },
};

CHECKS(sandboxes, rows, rows)
