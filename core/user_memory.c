/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "user_memory.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

__thread struct user_memory user_memory;
atomic_uint user_memory_generation = 1;

void user_memory_learn(const void *at, size_t size)
{
    unsigned generation = atomic_load_explicit(&user_memory_generation, memory_order_relaxed);
    uintptr_t first = (uintptr_t)at >> USER_MEMORY_SHIFT;
    uintptr_t last = ((uintptr_t)at + size - 1) >> USER_MEMORY_SHIFT;

    if (size == 0)
        return;
    if (user_memory.generation != generation) {
        memset(user_memory.page, 0, sizeof user_memory.page);
        user_memory.generation = generation;
    }
    if (last - first >= USER_MEMORY_PAGES)
        last = first + USER_MEMORY_PAGES - 1;
    for (uintptr_t page = first; page <= last; page++)
        user_memory.page[page % USER_MEMORY_PAGES] = page + 1;
}

static bool known(const void *at, size_t size)
{
    const char *end = (const char *)at + size;

    for (const char *page = at; page < end;
         page = (const char *)(((uintptr_t)page & ~(uintptr_t)(USER_MEMORY_PAGE - 1)) + USER_MEMORY_PAGE))
        if (!user_memory_known(page))
            return false;
    return true;
}

/* Where a sandbox forbids the checked copy, the direct one is what is left. */
static bool checked_copy_is_forbidden(void)
{
    return errno == ENOSYS || errno == EPERM;
}

int user_memory_write(void *to, const void *from, size_t size)
{
    struct iovec ours = {(void *)(uintptr_t)from, size};
    struct iovec theirs = {to, size};
    ssize_t copied;

    if (!known(to, size)) {
        copied = process_vm_writev(getpid(), &ours, 1, &theirs, 1, 0);
        if (copied == (ssize_t)size) {
            user_memory_learn(to, size);
            return 0;
        }
        if (copied >= 0 || !checked_copy_is_forbidden())
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

    if (!known(from, size)) {
        copied = process_vm_readv(getpid(), &ours, 1, &theirs, 1, 0);
        if (copied == (ssize_t)size)
            return 0;
        if (copied >= 0 || !checked_copy_is_forbidden())
            return -EFAULT;
    }
    memcpy(to, from, size);
    return 0;
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
