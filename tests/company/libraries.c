/* SPDX-License-Identifier: MIT */
/* Other libraries that are preloaded, or built into the program, beside ours. */
#include "check.h"
#include "company.h"

#define SANITIZED(name)                                                               \
    COMPANY "[ -x $company/company-" name " ] || skip the whole build is sanitized\n" \
            "p=$company/company-" name "\n"

#define WRAPPER                                                               \
    ORDERS "library_of libsocket_wrapper.so; mkdir $dir/sw\n"                 \
           "export SOCKET_WRAPPER_DIR=$dir/sw SOCKET_WRAPPER_DEFAULT_IFACE=1\n"

#define TORSOCKS                                                               \
    ORDERS "f=$(find /usr/lib -path '*torsocks/libtorsocks.so' | head -n 1)\n" \
           "[ \"$f\" ] || skip no torsocks\nexport TORSOCKS_LOG_LEVEL=1\n"

#define BEFORE_AND_AFTER(what) "before $victim " what "; after $victim " what

static const struct check rows[] = {
    {
        .name = "libjemalloc",
        .script = ORDERS "library_of libjemalloc.so.2\n" BEFORE_AND_AFTER("usual-forked"),
        .out = "ok\nok\n",
    },
    {
        .name = "libtcmalloc",
        .script = ORDERS "library_of libtcmalloc_minimal.so.4\n" BEFORE_AND_AFTER("usual-forked"),
        .out = "ok\nok\n",
    },
    {
        .name = "a program built with ASan",
        .script =
            SANITIZED("address") "asan=$(ldd $p | sed -n 's/.*libasan.* => \\(.*\\) (.*/\\1/p')\n"
                                 "export ASAN_OPTIONS=detect_leaks=0\n"
                                 "LD_PRELOAD=\"$asan $library\" $p usual-forked\n"
                                 "export ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0\n"
                                 "LD_PRELOAD=$library $p usual-forked",
        .out = "ok\nok\n",
    },
    {
        .name = "a program built with ASan whose messages fit",
        .script =
            SANITIZED("address") "export ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0\n"
                                 "LD_PRELOAD=$library $p fitting; LD_PRELOAD=$library $p "
                                 "'closing'",
        .out = "ok\nok\n",
    },
    {
        /* Its runtime wants the addresses of its own choice: without randomisation. */
        .name = "a program built with TSan",
        .script = SANITIZED("thread") "setarch -R env LD_PRELOAD=$library $p usual",
        .out = "ok\n",
    },
    {
        .name = "a program built with TSan, with TSan's runtime before us",
        .script =
            SANITIZED("thread") "tsan=$(ldd $p | sed -n 's/.*libtsan.* => \\(.*\\) (.*/\\1/p')\n"
                                "setarch -R env LD_PRELOAD=\"$tsan $library\" $p usual",
        .out = "ok\n",
    },
    {
        .name = "a program built with TSan that forks",
        .script = SANITIZED("thread") "setarch -R env LD_PRELOAD=$library $p 'turns'",
        .out = "ok\n",
    },
    {
        .name = "libsocket-wrapper after us",
        .script = WRAPPER "for w in usual-small turns closing usual-forked; do\n"
                          "  after $victim $w\ndone",
        .out = "ok\nok\nok\nok\n",
    },
    {
        .name = "libsocket-wrapper after us, held in the kernel",
        .script = WRAPPER "export WSRX_HOLD=kernel\n"
                          "for w in usual-small turns usual-forked; do after $victim $w; done",
        .out = "ok\nok\nok\n",
    },
    {
        .name = "libsocket-wrapper after us: sockets that it leaves alone",
        .script = WRAPPER "after $victim usual-unix",
        .out = "ok\n",
    },
    {
        .name = "libsocket-wrapper: messages that fit",
        .script = WRAPPER BEFORE_AND_AFTER("fitting"),
        .out = "ok\nok\n",
        .without = CHECK_SAME,
    },
    {
        /* There it receives by libc itself, and nothing of ours is asked. */
        .name = "libsocket-wrapper before us: as on plain Linux",
        .script = WRAPPER "before $victim plain-linux",
        .out = "ok\n",
        .without = CHECK_SAME,
    },
    {
        /* No tor is running; torsocks lets no UDP out, and that must stay so. */
        .name = "torsocks: UDP is refused as before",
        .script = TORSOCKS "{ " BEFORE_AND_AFTER("fitting") "; } | grep -o 'errno .*'",
        .out = "errno 1)\nerrno 1)\n",
        .without = CHECK_SAME,
    },
    {
        .name = "torsocks: what it lets through is kept",
        .script = TORSOCKS BEFORE_AND_AFTER("usual-unix"),
        .out = "ok\nok\n",
    },
};

CHECKS(libraries, rows, rows)
