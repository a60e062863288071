/* SPDX-License-Identifier: MIT */
#ifndef WSRX_HOMES_MUSL_LIBC_VERSION_H
#define WSRX_HOMES_MUSL_LIBC_VERSION_H

/* What the programs ask it for: whether fork(2) blocks all signals, as musl's does. */
static inline const char *gnu_get_libc_version(void)
{
    return "2.41";
}

#endif
