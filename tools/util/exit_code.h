/* SPDX-License-Identifier: MIT */
#ifndef WSRX_UTIL_EXIT_CODE_H
#define WSRX_UTIL_EXIT_CODE_H

/* Exit codes of the command itself, the same as those of env(1); else it is the program's. */
enum {
    EXIT_TROUBLE = 1,      /* what was asked for could not be done */
    EXIT_OURS = 125,       /* wsrx itself failed, or was called wrongly */
    EXIT_CANNOT_RUN = 126, /* the program was found but cannot be run */
    EXIT_NOT_FOUND = 127,
};

#endif
