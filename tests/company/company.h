/* SPDX-License-Identifier: MIT */
/* What the scripts of these tests share. */
#ifndef WSRX_TESTS_COMPANY_H
#define WSRX_TESTS_COMPANY_H

/* $company: the folder of this directory's programs, beside that of $victim. */
#define COMPANY "company=$(dirname $victim)/../../company/victim\n"

/* with FILE PROGRAM…: FILE preloaded before ours, and after it. */
#define ORDERS                                                                            \
    COMPANY "library_of() { f=$(ldconfig -p | sed -n \"s/.* => \\(.*\\/$1\\)$/\\1/p\" | " \
            "head -n 1); [ \"$f\" ] || skip \"no $1\"; }\n"                               \
            "before() { env LD_PRELOAD=\"$first $f $library\" \"$@\"; }\n"                \
            "after() { env LD_PRELOAD=\"$first $library $f\" \"$@\"; }\n"

#endif
