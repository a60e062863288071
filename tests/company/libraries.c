/* SPDX-License-Identifier: MIT */
/* Other libraries that are preloaded or linked into the program beside ours. */
#include "check.h"

/* $p: the victim, built with a sanitizer. */
#define SANITIZED(name)                                \
    "p=$company/company-" name "\n"                    \
    "[ -x $p ] || skip the whole build is sanitized\n" \
    "runtime=$(ldd $p | sed -n 's/.*lib[at]san.* => \\(.*\\) (.*/\\1/p')\n"

#define WRAPPER                                          \
    "find_library libsocket_wrapper.so; mkdir $dir/sw\n" \
    "export SOCKET_WRAPPER_DIR=$dir/sw SOCKET_WRAPPER_DEFAULT_IFACE=1\n"

#define TORSOCKS                                                            \
    "other=$(find /usr/lib -path '*torsocks/libtorsocks.so' | head -n 1)\n" \
    "[ \"$other\" ] || skip no torsocks\nexport TORSOCKS_LOG_LEVEL=1\n"

static const struct check rows[] = {
    {
        .name = "libjemalloc",
        .script = "find_library libjemalloc.so.2; both_orders $victim usual-forked",
        .out = "ok\nok\n",
    },
    {
        .name = "libtcmalloc",
        .script = "find_library libtcmalloc_minimal.so.4; both_orders $victim usual-forked",
        .out = "ok\nok\n",
    },
    {
        .name = "a program built with ASan",
        .script = SANITIZED("address") "export ASAN_OPTIONS=detect_leaks=0\n"
                                       "LD_PRELOAD=\"$runtime $library\" $p usual-forked\n"
                                       "ASAN_OPTIONS=$ASAN_OPTIONS:verify_asan_link_order=0\n"
                                       "LD_PRELOAD=$library $p usual-forked",
        .out = "ok\nok\n",
    },
    {
        .name = "a program built with ASan whose messages fit",
        .script = SANITIZED("address") "export ASAN_OPTIONS=detect_leaks=0:"
                                       "verify_asan_link_order=0 LD_PRELOAD=$library\n"
                                       "$p fitting; $p closing",
        .out = "ok\nok\n",
    },
    {
        /* TSan's runtime needs fixed addresses: no randomisation. */
        .name = "a program built with TSan",
        .script = SANITIZED("thread") "setarch -R env LD_PRELOAD=$library $p usual",
        .out = "ok\n",
    },
    {
        .name = "a program built with TSan, with TSan's runtime before us",
        .script = SANITIZED("thread") "setarch -R env LD_PRELOAD=\"$runtime $library\" $p usual",
        .out = "ok\n",
    },
    {
        .name = "a program built with TSan that forks",
        .script = SANITIZED("thread") "setarch -R env LD_PRELOAD=$library $p turns",
        .out = "ok\n",
    },
    {
        .name = "libsocket-wrapper after us",
        .script = WRAPPER "for w in usual-small turns closing usual-forked; do\n"
                          "  other_last $victim $w\ndone",
        .out = "ok\nok\nok\nok\n",
    },
    {
        .name = "libsocket-wrapper after us, held in the kernel",
        .script = WRAPPER "export WSRX_HOLD=kernel\n"
                          "for w in usual-small turns usual-forked; do other_last $victim $w; done",
        .out = "ok\nok\nok\n",
    },
    {
        .name = "libsocket-wrapper after us: sockets that it leaves alone",
        .script = WRAPPER "other_last $victim usual-unix",
        .out = "ok\n",
    },
    {
        .name = "libsocket-wrapper: messages that fit",
        .script = WRAPPER "both_orders $victim fitting",
        .out = "ok\nok\n",
        .without = CHECK_SAME,
    },
    {
        /* There it receives by libc itself, and nothing of ours is asked. */
        .name = "libsocket-wrapper before us: as on plain Linux",
        .script = WRAPPER "other_first $victim plain-linux",
        .out = "ok\n",
        .without = CHECK_SAME,
    },
    {
        /* No tor is running; torsocks lets no UDP out, and that must stay so. */
        .name = "torsocks: UDP is refused as before",
        .script = TORSOCKS "both_orders $victim fitting | grep -o 'errno .*'",
        .out = "errno 1)\nerrno 1)\n",
        .without = CHECK_SAME,
    },
    {
        .name = "torsocks: what it lets through is kept",
        .script = TORSOCKS "both_orders $victim usual-unix",
        .out = "ok\nok\n",
    },
};

CHECKS(libraries, rows, rows)
