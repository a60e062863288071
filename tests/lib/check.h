/* SPDX-License-Identifier: MIT */
/*
 * Runs a shell script twice: once with the library, and once without it as a control. The running
 * Criterion test fails if the output is not the expected one.
 */
#ifndef WSRX_TESTS_CHECK_H
#define WSRX_TESTS_CHECK_H

#include "rows.h"

/* What the script prints without the library. */
enum check_without {
    CHECK_DIFFERS = 0, /* something else: otherwise the test could not fail */
    CHECK_SAME,        /* the same: the library must change nothing */
    CHECK_IGNORED,     /* the script is not run without the library */
};

struct check {
    const char *name;
    /*
     * For bash. Variables:
     *   $victim   tests/process/victim
     *   $company  the folder of the programs built from tests/company/victim
     *   $library  libwsrx.so; empty in the control
     *   $preload  the same, after a sanitizer's runtime ($first) if the build needs one
     *   $dir      an empty directory, removed at the end
     * Functions:
     *   run PROGRAM…           runs a program with the library
     *   skip REASON            skips the test
     *   need PROGRAM           skips the test if the program is not installed
     *   find_library NAME      sets $other to a system library, or skips the test
     *   other_first PROGRAM…   runs a program with $other preloaded before the library
     *   other_last PROGRAM…    … after the library
     *   both_orders PROGRAM…   the former, then the latter
     */
    const char *script;
    const char *out; /* all of stdout */
    /* Part of the one line that the library reports; NULL: it must report nothing. */
    const char *report;
    enum check_without without;
    unsigned deadline_ms; /* 0: CHECK_DEADLINE_MS */
};

enum { CHECK_DEADLINE_MS = 60000 };

void check(const struct check *check);

/* One test per element of an array. */
#define CHECKS(suite, name, checks)    \
    ROWS(suite, name, ROWS_OF(checks)) \
    {                                  \
        check(&(checks)[*row]);        \
    }

#endif
