/* SPDX-License-Identifier: MIT
 *
 * The interposed calls that change the program's memory. What is known of the pages is forgotten,
 * and mappings that others can take away are entered in base/revocable.h.
 *
 * If the call says which pages it changes, they are forgotten before it. If the kernel chooses
 * them, afterwards: nobody can use them earlier.
 */
#define _GNU_SOURCE
#include "base/revocable.h"
#include "base/user_memory.h"
#include "real.h"

#include <stdarg.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/uio.h>
#include <unistd.h>

enum { GUARD_INSTALL = 102 }; /* MADV_GUARD_INSTALL, Linux 6.13 */

/* --- mappings ---------------------------------------------------------------------------- */

static bool is_file(int protection, int flags)
{
    /* A private one that cannot be written to is usually the code or data of a library. */
    return !(flags & MAP_ANONYMOUS) && ((protection & PROT_WRITE) || !(flags & MAP_PRIVATE));
}

/* Before a mapping that may replace others. */
static bool is_over(const void *at, size_t length, int flags)
{
    if (!(flags & MAP_FIXED))
        return false;
    user_memory_forget(at, length);
    return revocable_remove(at, length);
}

static void *mapped(void *at, size_t length, int protection, int flags, void *requested,
                    bool was_file)
{
    bool failed = at == MAP_FAILED, file = is_file(protection, flags);

    if (failed && was_file) {
        revocable_add(requested, length);
        user_memory_forget(requested, length);
    }
    if (failed)
        return at;
    if (file)
        revocable_add(at, length);
    else if (!(flags & MAP_ANONYMOUS))
        revocable_add_unwritable(at, length);
    /* malloc may have unmapped what was there before, by a call that we do not see. */
    if (file || !(protection & PROT_WRITE))
        user_memory_forget(at, length);
    return at;
}

INTERPOSED void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset)
{
    bool was_file = is_over(at, length, flags);

    return mapped(REAL(mmap)(at, length, protection, flags, fd, offset), length, protection, flags,
                  at, was_file);
}

INTERPOSED void *mmap64(void *at, size_t length, int protection, int flags, int fd, off64_t offset)
{
    bool was_file = is_over(at, length, flags);

    return mapped(REAL(mmap64)(at, length, protection, flags, fd, offset), length, protection,
                  flags, at, was_file);
}

INTERPOSED int munmap(void *at, size_t length)
{
    bool was_file = revocable_remove(at, length);
    int result;

    user_memory_forget(at, length);
    result = REAL(munmap)(at, length);
    if (result != 0 && was_file) {
        revocable_add(at, length);
        user_memory_forget(at, length);
    }
    return result;
}

INTERPOSED void *mremap(void *at, size_t length, size_t new_length, int flags, ...)
{
    bool is_fixed = flags & MREMAP_FIXED;
    /* Of length 0: another mapping of the same file, beside the one that is there. */
    bool was_file = revocable_may(at, length > 0 ? length : 1);
    void *to = NULL, *now;
    va_list list;

    if (is_fixed) {
        va_start(list, flags);
        to = va_arg(list, void *);
        va_end(list);
        user_memory_forget(to, new_length);
    }
    user_memory_forget(at, length);
    if (was_file)
        revocable_remove(at, length);
    now = REAL(mremap)(at, length, new_length, flags, to);
    if (now != MAP_FAILED && is_fixed)
        revocable_remove(to, new_length);
    if (was_file) {
        bool stays = now == MAP_FAILED;

        revocable_add(stays ? at : now, stays ? length : new_length);
        user_memory_forget(at, length); /* what became known meanwhile */
        if (!stays)
            user_memory_forget(now, new_length);
    }
    return now;
}

/* Deprecated: replaces pages by other pages of the file. */
INTERPOSED int remap_file_pages(void *at, size_t length, int protection, size_t offset, int flags)
{
    user_memory_forget(at, length);
    return REAL(remap_file_pages)(at, length, protection, offset, flags);
}

/* --- protection and advice --------------------------------------------------------------- */

INTERPOSED int mprotect(void *at, size_t length, int protection)
{
    if (protection & PROT_WRITE)
        revocable_writable(at, length);
    user_memory_forget(at, length);
    return REAL(mprotect)(at, length, protection);
}

/* With a key, access is given and taken away by an instruction: see pkeys(7). */
INTERPOSED int pkey_mprotect(void *at, size_t length, int protection, int key)
{
    if (key > 0)
        revocable_add(at, length);
    else if (protection & PROT_WRITE)
        revocable_writable(at, length);
    user_memory_forget(at, length);
    return REAL(pkey_mprotect)(at, length, protection, key);
}

INTERPOSED int madvise(void *at, size_t length, int advice)
{
    switch (advice) {
    case MADV_DONTFORK: /* a child does not have it */
        revocable_add(at, length);
        user_memory_forget(at, length);
        break;
    case MADV_REMOVE:
    case MADV_HWPOISON:
    case GUARD_INSTALL:
        user_memory_forget(at, length);
        break;
    default: /* the memory stays, though its content may not */
        break;
    }
    return REAL(madvise)(at, length, advice);
}

/* Its ranges lie in a vector; that is not read here, since it may be a bad one. */
INTERPOSED ssize_t process_madvise(int process, const struct iovec *ranges, size_t count,
                                   int advice, unsigned flags)
{
    user_memory_forget_all();
    return REAL(process_madvise)(process, ranges, count, advice, flags);
}

/* --- System V ---------------------------------------------------------------------------- */

INTERPOSED void *shmat(int id, const void *at, int flags)
{
    void *now;

    if (flags & SHM_REMAP) /* replaces mappings, for the length of the segment */
        user_memory_forget_all();
    now = REAL(shmat)(id, at, flags);
    if (now != MAP_FAILED && (flags & SHM_RDONLY))
        user_memory_forget_all();
    return now;
}

INTERPOSED int shmdt(const void *at)
{
    user_memory_forget_all();
    return REAL(shmdt)(at);
}

/* --- the heap ---------------------------------------------------------------------------- */

/* Each name goes on to its own next definition: an allocator that interposes sbrk() itself calls
 * __sbrk(). */

INTERPOSED int brk(void *end)
{
    user_memory_forget_all();
    return REAL(brk)(end);
}

INTERPOSED void *sbrk(intptr_t increment)
{
    if (increment < 0)
        user_memory_forget_all();
    return REAL(sbrk)(increment);
}

INTERPOSED void *__sbrk(intptr_t increment)
{
    if (increment < 0)
        user_memory_forget_all();
    return REAL(__sbrk)(increment);
}
