/* SPDX-License-Identifier: MIT
 *
 * The caller's memory, touched as carefully as the kernel touches it.
 *
 * A bad pointer gives EFAULT from a system call, so it must from us, never SIGSEGV. A page that
 * the kernel has written to for this thread is known to be writable and is then copied to
 * directly; any other is copied to by process_vm_writev(2), which checks as it copies.
 * The library interposes munmap, mprotect and mremap to forget what they change.
 *
 * This file must never dereference a caller's pointer that is not known.
 */
#ifndef WSRX_BASE_USER_MEMORY_H
#define WSRX_BASE_USER_MEMORY_H

#include "base/compiler.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* Internal: what this thread knows. One generation for the process: a changed one voids it all. */
enum {
    USER_MEMORY_SETS = 64,
    USER_MEMORY_READABLE = 8,
    USER_MEMORY_SHIFT = 12,
    USER_MEMORY_PAGE = 1 << USER_MEMORY_SHIFT,
};

struct user_memory {
    unsigned generation;
    uintptr_t page[USER_MEMORY_SETS][2];      /* page number + 1; 0: none. By page number, two-way:
                                          * a buffer and the stack must not drive each other out */
    uintptr_t readable[USER_MEMORY_READABLE]; /* direct-mapped; pages that may only be read */
};

extern __thread struct user_memory user_memory;
extern atomic_uint user_memory_generation;

/* Whether the kernel has written to the page of `at` for this thread. */
static inline bool user_memory_known(const void *at)
{
    const struct user_memory *known = &user_memory;
    uintptr_t page = (uintptr_t)at >> USER_MEMORY_SHIFT;
    const uintptr_t *set = known->page[page % USER_MEMORY_SETS];

    return LIKELY(set[0] == page + 1 || set[1] == page + 1) &&
           known->generation == atomic_load_explicit(&user_memory_generation, memory_order_relaxed);
}

/* Whether all of `size` bytes at `at`, the page of which is known, are so: for a page at most. */
static inline bool user_memory_still(const void *at, size_t size)
{
    return LIKELY(((uintptr_t)at & (USER_MEMORY_PAGE - 1)) + size <= USER_MEMORY_PAGE) ||
           (size <= USER_MEMORY_PAGE && user_memory_known((const char *)at + size - 1));
}

/* The kernel has just written `size` bytes at `at`. Async-signal-safe. */
void user_memory_learn(const void *at, size_t size);

/* The program changes its mappings: nothing is known any more, in any thread. */
static inline void user_memory_forget(void)
{
    atomic_fetch_add_explicit(&user_memory_generation, 1, memory_order_relaxed);
}

/* Copies `size` bytes to or from the caller's memory: 0, or -EFAULT as the kernel would say.
 * Async-signal-safe. */
int user_memory_write(void *to, const void *from, size_t size);
int user_memory_read(void *to, const void *from, size_t size);

/* Whether the kernel would refuse these buffers before it looked for a message: addresses that no
 * memory can have. Async-signal-safe. */
bool user_memory_impossible(const struct iovec *iov, size_t iovlen);

/* Scatters `size` bytes over the caller's buffers (readv(2)'s order): 0, or -EFAULT. */
int user_memory_scatter(const struct iovec *iov, size_t iovlen, const void *from, size_t size);

#endif
