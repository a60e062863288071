/* SPDX-License-Identifier: MIT */
/*
 * The system calls that an operation of the victim with the option "mark" makes, as the kernel sees
 * them.
 */
#ifndef WSRX_TESTS_TRACE_H
#define WSRX_TESTS_TRACE_H

#include <stddef.h>

struct spawn_request;

enum { TRACE_CALLS = 256 };

struct trace {
    size_t count;
    long number[TRACE_CALLS];
    int exit_status; /* -1: it did not exit */
};

/* Returns 0, or a negative errno where the program cannot be traced. */
int trace_run(struct trace *trace, const struct spawn_request *request);

#endif
