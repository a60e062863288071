/* SPDX-License-Identifier: MIT */
/* Programs that inspect others in which the library is loaded, and programs that cannot load it. */
#include "check.h"

#define MEMCHECK(rest)                                                                           \
    .deadline_ms = 120000, .script =                                                             \
                               "need valgrind; memcheck() { run valgrind -q --error-exitcode=9 " \
                               "--log-file=$dir/log.%p \"$@\"; echo $?; "                        \
                               "cat $dir/log.*; }\n" rest

static const struct check rows[] = {
    {
        .name = "valgrind: memcheck has nothing to report",
        MEMCHECK("memcheck $victim usual-unix; memcheck $victim usual-small"),
        .out = "ok\n0\nok\n0\n",
    },
    {
        .name = "valgrind: nor of messages that fit",
        MEMCHECK("memcheck $victim fitting"),
        .out = "ok\n0\n",
        .without = CHECK_SAME,
    },
    {
        .name = "valgrind: nor in processes",
        MEMCHECK("memcheck $victim turns; memcheck $victim closing"),
        .out = "ok\n0\nok\n0\n",
    },
    {
        .name = "valgrind: nor of programs that receive nothing",
        MEMCHECK("memcheck cat /dev/null; memcheck ls -d /; memcheck true"),
        .out = "0\n/\n0\n0\n",
        .without = CHECK_SAME,
    },
    {
        .name = "valgrind: with a table in a file",
        MEMCHECK("export WSRX_TABLE=$dir/table; memcheck $victim usual-small"),
        .out = "ok\n0\n",
    },
    {
        .name = "gdb: run, stop at a receive, look about, go on",
        .script = "need gdb; gdb -q -nx -batch -iex 'set debuginfod enabled off' "
                  "-ex 'set startup-with-shell off' "
                  "-ex \"set environment LD_PRELOAD $preload\" "
                  "-ex 'break expect_tail' -ex run -ex 'backtrace 1' -ex delete "
                  "-ex 'stepi 2000' -ex continue --args $victim usual-small "
                  "2>$dir/err | grep -E '^ok|exited' | sed 's/.*exited/exited/'",
        .out = "ok\nexited normally]\n",
    },
    {
        .name = "gdb attached to a program that holds a tail",
        .script =
            "need gdb; env LD_PRELOAD=\"$preload\" $victim wait-with-tail >$dir/out & pid=$!\n"
            "until grep -q ready $dir/out; do\n"
            "  kill -0 $pid 2>/dev/null || break; done\n"
            "gdb -q -nx -batch -iex 'set debuginfod enabled off' -p $pid "
            "-ex 'info threads' >/dev/null 2>&1\n"
            "kill -USR1 $pid; wait $pid; cat $dir/out",
        .out = "ready\nok\n",
    },
    {
        .name = "a static program is as it was",
        .script = "run $company/company-static plain-linux",
        .out = "ok\n",
        .without = CHECK_SAME,
    },
    {
        /* The loader preloads nothing into it; linked with us, it has us all the same. */
        .name = "a setuid program: the library is off, and silent",
        .script = "[ $(id -u) = 0 ] || skip only root can make a setuid program\n"
                  "chmod 755 $dir; cp $company/company-linked $dir/secure; chmod 4755 $dir/secure\n"
                  "export WSRX_MODE=nonsense WSRX_STRICT=1 WSRX_TABLE=$dir/table WSRX_HELP=1 "
                  "WSRX_TRACE_FILE=$dir/trace\n"
                  "setpriv --reuid 65534 --clear-groups $dir/secure plain-linux >/dev/null 2>&1; "
                  "[ $? -lt 126 ] || skip nobody cannot start it\n"
                  "setpriv --reuid 65534 --clear-groups $dir/secure plain-linux; ls $dir",
        .out = "ok\nsecure\n",
        .without = CHECK_IGNORED,
    },
    {
        .name = "the same program not setuid",
        .script = "$company/company-linked usual; $company/company-linked plain-linux | "
                  "grep -c poll",
        .out = "ok\n1\n",
        .without = CHECK_IGNORED,
    },
};

CHECKS(tools, rows, rows)
