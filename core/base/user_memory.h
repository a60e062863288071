/* SPDX-License-Identifier: MIT
 *
 * The caller's memory, accessed as carefully as the kernel does.
 *
 * A bad pointer gives EFAULT from a system call. It must give EFAULT from us too, never SIGSEGV. A
 * page that the kernel has written to for this thread is a known page: it can be written to, and is
 * copied to directly. For any other page the kernel is queried first: by futex(2) and
 * rt_sigprocmask(2), which every filter for programs with threads allows, unlike
 * process_vm_writev(2). preload/ interposes the calls that change the memory map, to forget the
 * pages that they change. Memory that can go without such a call (base/revocable.h) is never known.
 *
 * This file must never dereference a caller's pointer to a page that is not known.
 */
#ifndef WSRX_BASE_USER_MEMORY_H
#define WSRX_BASE_USER_MEMORY_H

#include "base/compiler.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

/* Internal: the pages that this thread knows. Each change of the program's memory is a new
 * generation, in which no page is known until the thread has looked which ones are left: see
 * user_memory_catch_up(). */
enum {
    USER_MEMORY_SETS = 32,
    USER_MEMORY_READABLE = 8,
    USER_MEMORY_SHIFT = 12,
    USER_MEMORY_PAGE = 1 << USER_MEMORY_SHIFT,
};

struct user_memory {
    uintptr_t generation;
    /* The last stretch that was learnt: not of what is known, since others may have driven it out. */
    uintptr_t learnt, learnt_end;
    /* Page number + 1; 0: none. By page number, two-way: a buffer and the stack must not drive each
     * other out. */
    uintptr_t page[USER_MEMORY_SETS][2];
    uintptr_t readable[USER_MEMORY_READABLE]; /* direct-mapped; pages that may only be read */
    /* How often the memory around the page had changed when it was learnt. */
    unsigned page_changes[USER_MEMORY_SETS][2];
    unsigned readable_changes[USER_MEMORY_READABLE];
};

extern __thread struct user_memory user_memory;
extern atomic_uintptr_t user_memory_generation;

/* Where the thread's own is: found once, for several questions. */
static inline const struct user_memory *user_memory_own(void)
{
    const struct user_memory *own = &user_memory;

    __asm__("" : "+r"(own));
    return own;
}

/* Whether the kernel has written to the page of `at` for the thread that `known` belongs to. */
static inline bool user_memory_known_to(const struct user_memory *known, const void *at)
{
    uintptr_t page = (uintptr_t)at >> USER_MEMORY_SHIFT;
    const uintptr_t *set = known->page[page % USER_MEMORY_SETS];

    return LIKELY(set[0] == page + 1 || set[1] == page + 1) &&
           known->generation == atomic_load_explicit(&user_memory_generation, memory_order_relaxed);
}

/* The same for this thread. */
static inline bool user_memory_known(const void *at)
{
    /* Not by a pointer to it: gcc 12's UBSan then takes the offset in the thread for an address, and
     * finds it null. */
    uintptr_t page = (uintptr_t)at >> USER_MEMORY_SHIFT;
    const uintptr_t *set = user_memory.page[page % USER_MEMORY_SETS];

    return LIKELY(set[0] == page + 1 || set[1] == page + 1) &&
           user_memory.generation ==
               atomic_load_explicit(&user_memory_generation, memory_order_relaxed);
}

/* Internal: what user_memory_catch_up() does when there is something to do. */
void user_memory_look_again(void);

/* Drops the pages whose memory has changed since this thread looked last. The fast path does
 * without: no page is known to it then, and the slow path looks, once a receive.
 * Async-signal-safe. */
static inline void user_memory_catch_up(void)
{
    if (!LIKELY(user_memory.generation ==
                atomic_load_explicit(&user_memory_generation, memory_order_acquire)))
        user_memory_look_again();
}

/* Internal: the same for several pages. */
bool user_memory_still_all(const void *at, size_t size);

/* Whether all of `size` bytes at `at` are known, if the page of `at` is. */
static inline bool user_memory_still(const void *at, size_t size)
{
    return LIKELY(((uintptr_t)at & (USER_MEMORY_PAGE - 1)) + size <= USER_MEMORY_PAGE) ||
           (size <= USER_MEMORY_PAGE ? user_memory_known((const char *)at + size - 1)
                                     : user_memory_still_all(at, size));
}

/* Whether `size` bytes at `at` are in one page, and it is known: then they are just copied. */
static inline bool user_memory_direct(const void *at, size_t size)
{
    return LIKELY(((uintptr_t)at & (USER_MEMORY_PAGE - 1)) + size <= USER_MEMORY_PAGE) &&
           LIKELY(user_memory_known(at));
}

/* Internal: what user_memory_learn() does when there is something to learn. */
void user_memory_learn_anew(const void *at, size_t size);

/* The kernel has just written `size` bytes at `at`. Async-signal-safe. */
static inline void user_memory_learn(const void *at, size_t size)
{
    if (!user_memory_direct(at, size))
        user_memory_learn_anew(at, size);
}

/* The same for a receive that is one of many into the same buffer: in the nearest cache, after so long
 * a message, there is none of ours, and to look at all its pages takes longer than all else. */
static inline void user_memory_learn_once(const void *at, size_t size)
{
    if (!(LIKELY(user_memory_known(at)) && LIKELY((uintptr_t)at >= user_memory.learnt) &&
          LIKELY((uintptr_t)at + size <= user_memory.learnt_end)))
        user_memory_learn_anew(at, size);
}

/* The program is about to change what memory is there: in this range, or nobody knows where.
 * Nothing of it is known any more, in any thread. Async-signal-safe. */
void user_memory_forget(const void *at, size_t size);
void user_memory_forget_all(void);

/* Whether the kernel may be asked: not where a filter may kill for it. Then all memory is taken to be
 * good. */
void user_memory_may_ask(bool may);

/* Internal: a copy to or from pages of which some are not known. */
int user_memory_write_asking(void *to, const void *from, size_t size);
int user_memory_read_asking(void *to, const void *from, size_t size);

/* Copies `size` bytes to or from the caller's memory: 0, or -EFAULT as the kernel would say, and as
 * there the bytes before the bad page may have been copied. Async-signal-safe. */
static inline int user_memory_write(void *to, const void *from, size_t size)
{
    if (!LIKELY(user_memory_known(to)) || !user_memory_still(to, size))
        return user_memory_write_asking(to, from, size);
    memcpy(to, from, size);
    return 0;
}

static inline int user_memory_read(void *to, const void *from, size_t size)
{
    if (!user_memory_direct(from, size))
        return user_memory_read_asking(to, from, size);
    memcpy(to, from, size);
    return 0;
}

/* Whether the kernel would refuse these buffers before it looks for a message: their addresses are
 * outside the user's range. Async-signal-safe. */
bool user_memory_impossible(const struct iovec *iov, size_t iovlen);

/* Scatters `size` bytes over the caller's buffers (readv(2)'s order): 0, or -EFAULT. */
int user_memory_scatter(const struct iovec *iov, size_t iovlen, const void *from, size_t size);

#endif
