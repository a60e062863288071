/* SPDX-License-Identifier: MIT */
/* What the library needs is forbidden after its start: it does with less, and says so once. */
#include "rows.h"

#include "check.h"
#include "company.h"

#define SANDBOX COMPANY "run $company/company-sandbox "
#define EVENTFD \
    "no eventfd for epoll: Operation not permitted; from now on tails are held in the kernel"

/* Held in the kernel: peeked, and taken with the last part; as a native program, and as Wine. */
#define REFUSED COMPANY "WSRX_HOLD=kernel WSRX_CALLS=all run $company/company-refused "
#define REFUSED_WINE COMPANY "ln -s $company/company-refused $dir/wine; run $dir/wine "
#define REFUSED_OUT "1000 from 0\nEACCES\nEACCES\n2000 from 1000\n700 from 0\nEAGAIN\n"

static const struct check rows[] = {
    {.name = "eventfd2",
     .script = SANDBOX "fresh eventfd2",
     .out = "kept\nkept\n",
     .told = EVENTFD},
    {.name = "eventfd2, later",
     .script = SANDBOX "used eventfd2",
     .out = "kept\nkept\n",
     .told = EVENTFD},
    {.name = "eventfd2, a thread",
     .script = SANDBOX "thread eventfd2",
     .out = "kept\nkept\n",
     .told = EVENTFD},
    {.name = "epoll_ctl",
     .script = SANDBOX "fresh epoll_ctl",
     .out = "kept\nkept\n",
     .told = "no eventfd for epoll"},
    {.name = "epoll_ctl, later",
     .script = SANDBOX "used epoll_ctl",
     .out = "kept\nkept\n",
     .told = "no eventfd for epoll"},
    {.name = "mmap",
     .script = SANDBOX "fresh mmap",
     .out = "lost\nlost\n",
     .told = "no memory for a spill area; receives are as without the library",
     .without = CHECK_SAME},
    {.name = "mmap, later", .script = SANDBOX "used mmap", .out = "kept\nkept\n"},
    {.name = "mmap, a thread",
     .script = SANDBOX "thread mmap",
     .out = "lost\nlost\n",
     .told = "no memory for a spill area; receives are as without the library",
     .without = CHECK_SAME},
    {.name = "process_vm_writev",
     .script = SANDBOX "fresh process_vm_writev",
     .out = "kept\nkept\n"},
    {.name = "process_vm_writev, later",
     .script = SANDBOX "used process_vm_writev",
     .out = "kept\nkept\n"},
    {.name = "process_vm_writev, a thread",
     .script = SANDBOX "thread process_vm_writev",
     .out = "kept\nkept\n"},
    {.name = "all but mmap",
     .script = SANDBOX "fresh eventfd2 epoll_ctl process_vm_writev",
     .out = "kept\nkept\n",
     .told = EVENTFD},
    {.name = "all",
     .script = SANDBOX "fresh eventfd2 epoll_ctl mmap process_vm_writev",
     .out = "lost\nlost\n",
     .told = "no memory for a spill area; receives are as without the library",
     .without = CHECK_SAME},
    {.name = "all, later",
     .script = SANDBOX "used eventfd2 epoll_ctl mmap process_vm_writev",
     .out = "kept\nkept\n",
     .told = EVENTFD},
    {.name = "no descriptor left",
     .script = SANDBOX "fresh descriptors",
     .out = "kept\nkept\n",
     .told = "no eventfd for epoll: Too many open files"},
    {.name = "no descriptor left, later",
     .script = SANDBOX "used descriptors",
     .out = "kept\nkept\n",
     .told = "no eventfd for epoll: Too many open files"},
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
        .name = "an address space too small: told once, and plain Linux",
        .script = "ulimit -v 100000; run $victim plain-linux",
        .out = "ok\n",
        .told = "cannot start: Cannot allocate memory; receives are as without the library",
        .without = CHECK_SAME,
    },
    /* An error that comes again and again is told, and nothing is lost by it. */
    {.name = "each look at a held message", .script = REFUSED "peek", .out = REFUSED_OUT},
    {.name = "each take of a held message", .script = REFUSED, .out = REFUSED_OUT},
    {.name = "each look, Wine", .script = REFUSED_WINE "peek trunc", .out = REFUSED_OUT},
    {.name = "each take, Wine", .script = REFUSED_WINE "trunc", .out = REFUSED_OUT},
    {
        .name = "few descriptors from the start",
        .script = "ulimit -n 9; run $victim usual-small",
        .out = "ok\n",
    },
};

ROWS(sandboxes, rows, ROWS_OF(rows))
{
    check(&rows[*row]);
}
