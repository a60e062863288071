/* SPDX-License-Identifier: MIT
 *
 * What a filter of system calls (seccomp(2)) does with calls that the library would make.
 */
#ifndef WSRX_BASE_FILTER_H
#define WSRX_BASE_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>

/* Whether the filter allows a call with this number, whatever its arguments are. false: it does not,
 * or the answer depends on them. */
bool filter_allows(const struct sock_filter *code, unsigned length, unsigned number);

/* Whether it allows all that writing a line takes. `program`: the caller's, which may be anything.
 * Makes system calls, so it comes before the filter. */
bool filter_allows_lines(const struct sock_fprog *program);

#endif
