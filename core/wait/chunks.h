/* SPDX-License-Identifier: MIT */
/*
 * Numbered entries in chunks, each chunk twice as long as the one before: a few pointers are enough
 * to find them. As many pointers as there may be chunks of one length would be memory that is promised
 * to each process, whether it has an epoll set or not (vm.overcommit_memory=2).
 */
#ifndef WSRX_WAIT_CHUNKS_H
#define WSRX_WAIT_CHUNKS_H

#include <stdint.h>

enum { CHUNKS_FIRST = 64 }; /* entries of the first chunk */

/* The chunk of entry `at`. */
static inline unsigned chunk_of(uint32_t at)
{
    return 31 - (unsigned)__builtin_clz(at / CHUNKS_FIRST + 1);
}

/* The first entry of a chunk. */
static inline uint32_t chunk_begin(unsigned chunk)
{
    return ((1U << chunk) - 1) * CHUNKS_FIRST;
}

#endif
