/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base/user_memory.h"

#include "base/compiler.h"
#include "base/sys.h"

#include <errno.h>
#include <string.h>

__thread struct user_memory user_memory;
FAST_PATH_DATA atomic_uint user_memory_generation = 1;

/* Pages that were learnt before the program changed its mappings are void. */
static void begin_to_learn(void)
{
    unsigned generation = atomic_load_explicit(&user_memory_generation, memory_order_relaxed);

    if (user_memory.generation == generation)
        return;
    memset(user_memory.page, 0, sizeof user_memory.page);
    memset(user_memory.readable, 0, sizeof user_memory.readable);
    user_memory.generation = generation;
}

void user_memory_learn(const void *at, size_t size)
{
    uintptr_t first = (uintptr_t)at >> USER_MEMORY_SHIFT;
    uintptr_t last = ((uintptr_t)at + size - 1) >> USER_MEMORY_SHIFT;

    if (size == 0)
        return;
    begin_to_learn();
    if (last - first >= USER_MEMORY_SETS)
        last = first + USER_MEMORY_SETS - 1;
    for (uintptr_t page = first; page <= last; page++) {
        uintptr_t *set = user_memory.page[page % USER_MEMORY_SETS];

        if (set[0] == page + 1 || set[1] == page + 1)
            continue;
        set[1] = set[0];
        set[0] = page + 1;
    }
}

static void learn_readable(const void *at)
{
    uintptr_t page = (uintptr_t)at >> USER_MEMORY_SHIFT;

    begin_to_learn();
    user_memory.readable[page % USER_MEMORY_READABLE] = page + 1;
}

static bool is_readable(const void *at)
{
    uintptr_t page = (uintptr_t)at >> USER_MEMORY_SHIFT;

    return user_memory_known(at) ||
           (user_memory.readable[page % USER_MEMORY_READABLE] == page + 1 &&
            user_memory.generation ==
                atomic_load_explicit(&user_memory_generation, memory_order_relaxed));
}

static bool all_pages(const void *at, size_t size, bool (*has)(const void *at))
{
    uintptr_t first = (uintptr_t)at, end = first + size;

    if (end < first)
        return false;
    for (uintptr_t page = first; page < end;
         page = (page & ~(uintptr_t)(USER_MEMORY_PAGE - 1)) + USER_MEMORY_PAGE)
        if (!has((const void *)page))
            return false;
    return true;
}

static bool is_known(const void *at)
{
    return user_memory_known(at);
}

/* Whether the checked copy could not be made: a sandbox forbids it, or the kernel has no memory for
 * it. Then the direct one is what is left. */
static bool is_unchecked(ssize_t copied)
{
    return copied < 0 && copied != -EFAULT;
}

int user_memory_write(void *to, const void *from, size_t size)
{
    struct iovec ours = {(void *)(uintptr_t)from, size};
    struct iovec theirs = {to, size};
    ssize_t copied;

    if (!all_pages(to, size, is_known)) {
        copied = sys_copy_to(&ours, 1, &theirs, 1);
        if (copied == (ssize_t)size) {
            user_memory_learn(to, size);
            return 0;
        }
        if (!is_unchecked(copied))
            return -EFAULT;
    }
    memcpy(to, from, size);
    return 0;
}

int user_memory_read(void *to, const void *from, size_t size)
{
    struct iovec ours = {to, size};
    struct iovec theirs = {(void *)(uintptr_t)from, size};
    ssize_t copied;

    if (!all_pages(from, size, is_readable)) {
        copied = sys_copy_from(&ours, 1, &theirs, 1);
        if (copied == (ssize_t)size) {
            learn_readable(from);
            return 0;
        }
        if (!is_unchecked(copied))
            return -EFAULT;
    }
    memcpy(to, from, size);
    return 0;
}

bool user_memory_impossible(const struct iovec *iov, size_t iovlen)
{
    /* It imports its own side's buffers as a receive does, and has nothing to copy to them. */
    return iovlen > 0 && !user_memory_known(iov->iov_base) &&
           sys_copy_from(iov, iovlen, NULL, 0) == -EFAULT;
}

int user_memory_scatter(const struct iovec *iov, size_t iovlen, const void *from, size_t size)
{
    const char *at = from;

    for (size_t i = 0; i < iovlen && size > 0; i++) {
        size_t piece = iov[i].iov_len < size ? iov[i].iov_len : size;
        int error = user_memory_write(iov[i].iov_base, at, piece);

        if (error)
            return error;
        at += piece;
        size -= piece;
    }
    return 0;
}
