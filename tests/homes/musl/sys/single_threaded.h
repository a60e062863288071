/* SPDX-License-Identifier: MIT */
#ifndef WSRX_HOMES_MUSL_SINGLE_THREADED_H
#define WSRX_HOMES_MUSL_SINGLE_THREADED_H

/* For a program that asks only before it starts a thread. */
static const char __libc_single_threaded = 1;

#endif
