/* SPDX-License-Identifier: MIT
 *
 * A 32-bit program that is built with _TIME_BITS=64 calls functions of other names, which take
 * times of 64 bits. They are interposed wherever glibc has them: the rows CALL_TIME64 of calls.def.
 *
 * Where a tail is concerned they do what the functions of the usual names do; else each is libc's
 * own function of its name, which converts times, and timestamps beside a message, for kernels and
 * programs of both kinds.
 */
#ifndef WSRX_BASE_TIME64_H
#define WSRX_BASE_TIME64_H

#include <features.h>
#include <stdint.h>

#if defined(__GLIBC__) && defined(__TIMESIZE)
#if __TIMESIZE == 32 && __GLIBC_PREREQ(2, 34)
#define WSRX_HAVE_TIME64 1
#endif
#endif
#ifdef WSRX_HAVE_TIME64
#define CALL_TIME64 CALL
#else
#define WSRX_HAVE_TIME64 0
#define CALL_TIME64(type, name, parameters)
#endif

/* struct timespec and struct timeval as such a program has them. Nobody looks at the gap. */
struct timespec64 {
    int64_t tv_sec;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    int32_t gap;
    int32_t tv_nsec;
#else
    int32_t tv_nsec;
    int32_t gap;
#endif
};

struct timeval64 {
    int64_t tv_sec, tv_usec;
};

#endif
