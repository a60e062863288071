/* SPDX-License-Identifier: MIT */
#ifndef WSRX_PROGRAM_RUN_PROGRAM_H
#define WSRX_PROGRAM_RUN_PROGRAM_H

/* What `wsrx run` does when its options have been taken: becomes the program. `words` may be NULL.
 * Returns only if that failed: reported, and our exit code. */
int run_program(const char **words);

#endif
