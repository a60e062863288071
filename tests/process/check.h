/* SPDX-License-Identifier: MIT */
/*
 * Runs a shell script in which programs are started with the library and, as a control, the same
 * script without it, and fails the running Criterion test where something else came out.
 */
#ifndef WSRX_TESTS_CHECK_H
#define WSRX_TESTS_CHECK_H

#include "rows.h"

/* What the script prints without the library. */
enum check_without {
    CHECK_DIFFERS = 0, /* something else: a test that could not fail is a defect */
    CHECK_SAME,        /* the same: the library must not be seen */
    CHECK_IGNORED,     /* not run */
};

struct check {
    const char *name;
    /*
     * For bash. `run PROGRAM…` starts a program with the library; `skip REASON` ends the test.
     * $victim: the programs of victim/; $library, empty in the control; $preload, the same behind
     * what must come before it; $dir: an empty directory, which is removed.
     */
    const char *script;
    const char *out; /* all of stdout */
    /* A word of the one line that the library says; NULL: it says nothing. */
    const char *told;
    enum check_without without;
    unsigned deadline_ms; /* 0: CHECK_DEADLINE_MS */
};

enum { CHECK_DEADLINE_MS = 60000 };

void check(const struct check *check);

/* A test for each of an array of them. */
#define CHECKS(suite, name, checks)    \
    ROWS(suite, name, ROWS_OF(checks)) \
    {                                  \
        check(&(checks)[*row]);        \
    }

#endif
