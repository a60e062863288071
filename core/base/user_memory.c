/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base/user_memory.h"

#include "base/compiler.h"
#include "base/revocable.h"
#include "base/sys.h"

#include <errno.h>
#include <string.h>

__thread struct user_memory user_memory;
FAST_PATH_DATA atomic_uintptr_t user_memory_generation = 1;

/* How often the memory of a part of the address space has changed; many parts share one. */
enum { PART_SHIFT = USER_MEMORY_SHIFT + 6, PARTS = 256 }; /* parts of 256 KiB */
static atomic_uint changes[PARTS];

static uintptr_t page_of(const void *at)
{
    return (uintptr_t)at >> USER_MEMORY_SHIFT;
}

static unsigned changes_of(uintptr_t page)
{
    return atomic_load_explicit(&changes[(page >> (PART_SHIFT - USER_MEMORY_SHIFT)) % PARTS],
                                memory_order_relaxed);
}

static void keep_unchanged(uintptr_t *page, const unsigned *page_changes, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (page[i] != 0 && page_changes[i] != changes_of(page[i] - 1))
            page[i] = 0;
}

void user_memory_look_again(void)
{
    /* The parts first: user_memory_forget() counts in the other order. */
    uintptr_t now = atomic_load_explicit(&user_memory_generation, memory_order_acquire);

    keep_unchanged(&user_memory.page[0][0], &user_memory.page_changes[0][0], 2 * USER_MEMORY_SETS);
    keep_unchanged(user_memory.readable, user_memory.readable_changes, USER_MEMORY_READABLE);
    user_memory.learnt_end = 0;
    user_memory.generation = now;
}

bool user_memory_still_all(const void *at, size_t size)
{
    uintptr_t last = page_of((const char *)at + size - 1);

    /* More than the sets hold cannot be known. */
    if (size > (size_t)USER_MEMORY_SETS * USER_MEMORY_PAGE)
        return false;
    for (uintptr_t page = page_of(at) + 1; page <= last; page++) {
        const uintptr_t *set = user_memory.page[page % USER_MEMORY_SETS];

        if (set[0] != page + 1 && set[1] != page + 1)
            return false;
    }
    return user_memory.generation ==
           atomic_load_explicit(&user_memory_generation, memory_order_relaxed);
}

/* A block that malloc(3) has mapped for itself begins so in its first page, and free(3) unmaps it
 * by a call that nobody sees. Receive buffers that begin such a block are not rare; so this address
 * is not learnt, but where it is on the stack. */
static bool begins_a_block(const void *at)
{
    enum { HEAD = 2 * sizeof(size_t), STACK = 8 << 20 };
    uintptr_t here = (uintptr_t)__builtin_frame_address(0), there = (uintptr_t)at;

    return (there & (USER_MEMORY_PAGE - 1)) == HEAD && (there < here || there - here > STACK) &&
           (uint64_t)there >> 40 == (uint64_t)(uintptr_t)&user_memory_generation >> 40;
}

static void learn_page(uintptr_t page)
{
    uintptr_t *set = user_memory.page[page % USER_MEMORY_SETS];
    unsigned *set_changes = user_memory.page_changes[page % USER_MEMORY_SETS];

    if (set[0] == page + 1 || set[1] == page + 1)
        return;
    set[1] = 0; /* a signal handler must not find the one with the other's changes */
    atomic_signal_fence(memory_order_seq_cst);
    set_changes[1] = set_changes[0];
    atomic_signal_fence(memory_order_seq_cst);
    set[1] = set[0];
    set[0] = 0;
    atomic_signal_fence(memory_order_seq_cst);
    set_changes[0] = changes_of(page);
    atomic_signal_fence(memory_order_seq_cst);
    set[0] = page + 1;
}

void user_memory_learn_anew(const void *at, size_t size)
{
    uintptr_t first = page_of(at), last = page_of((const char *)at + size - 1);

    if (size == 0 || begins_a_block(at) || revocable_has(at, size))
        return;
    if (last - first >= USER_MEMORY_SETS)
        last = first + USER_MEMORY_SETS - 1;
    user_memory_catch_up();
    for (uintptr_t page = first; page <= last; page++)
        learn_page(page);
    user_memory.learnt = (uintptr_t)at;
    user_memory.learnt_end = (uintptr_t)at + size;
}

void user_memory_forget(const void *at, size_t size)
{
    uintptr_t start = (uintptr_t)at, end = start + size - 1; /* the last byte */
    uintptr_t first = start >> PART_SHIFT, last;

    if (size == 0)
        return;
    if (end < start) /* round the end of the address space */
        end = UINTPTR_MAX;
    last = end >> PART_SHIFT;
    if (last - first >= PARTS)
        last = first + PARTS - 1;
    for (uintptr_t part = first; part <= last; part++)
        atomic_fetch_add_explicit(&changes[part % PARTS], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&user_memory_generation, 1, memory_order_release);
}

void user_memory_forget_all(void)
{
    user_memory_forget(NULL, SIZE_MAX);
}

/* --- copies ------------------------------------------------------------------------------ */

static atomic_bool asks_nothing;

void user_memory_may_ask(bool may)
{
    atomic_store_explicit(&asks_nothing, !may, memory_order_relaxed);
}

static bool is_not_asked(void)
{
    return atomic_load_explicit(&asks_nothing, memory_order_relaxed);
}

/* Bytes that are looked at, aligned. */
enum { WRITE_SIZE = 4, READ_SIZE = 8 };

/* Both look at one word of the page. Where a filter refuses even that, the direct copy is what is
 * left. */
static bool is_writable(const void *at, size_t size)
{
    if (user_memory_known(at) || is_not_asked())
        return true;
    /* Where the program itself provides its memory (userfaultfd(2)) only a read waits for that. */
    if (revocable_has(at, size))
        sys_probe_read((void *)((uintptr_t)at & ~(uintptr_t)(READ_SIZE - 1)));
    if (sys_probe_write((void *)((uintptr_t)at & ~(uintptr_t)(WRITE_SIZE - 1))) == -EFAULT)
        return false;
    user_memory_learn_anew(at, size);
    return true;
}

static bool is_readable(const void *at, size_t size)
{
    uintptr_t page = page_of(at);
    unsigned index = page % USER_MEMORY_READABLE;

    if (user_memory.readable[index] == page + 1 || user_memory_known(at) ||
        page == page_of(__builtin_frame_address(0)) || is_not_asked())
        return true;
    if (page == 0 ||
        sys_probe_read((void *)((uintptr_t)at & ~(uintptr_t)(READ_SIZE - 1))) == -EFAULT)
        return false;
    if (!revocable_has(at, size)) {
        user_memory.readable[index] = 0;
        atomic_signal_fence(memory_order_seq_cst);
        user_memory.readable_changes[index] = changes_of(page);
        atomic_signal_fence(memory_order_seq_cst);
        user_memory.readable[index] = page + 1;
    }
    return true;
}

/* Page by page, each asked for right before it is copied. `caller` is the side that is asked for. */
static int copy(char *to, const char *from, size_t size, const char *caller,
                bool (*may)(const void *at, size_t size))
{
    if ((uintptr_t)caller + size < (uintptr_t)caller)
        return -EFAULT;
    user_memory_catch_up();
    while (size > 0) {
        size_t piece = USER_MEMORY_PAGE - ((uintptr_t)caller & (USER_MEMORY_PAGE - 1));

        if (piece > size)
            piece = size;
        if (!may(caller, piece))
            return -EFAULT;
        memcpy(to, from, compiler_hide_size(piece)); /* a function, not its loop in our own code */
        to += piece;
        from += piece;
        caller += piece;
        size -= piece;
    }
    return 0;
}

/* What may go between a question and a copy is copied by the kernel, through a pipe. 0, -EFAULT, or
 * another negative errno where there is no pipe to be had. */
static int copy_by_kernel(char *to, const char *from, size_t size)
{
    int ends[2], error = sys_pipe(ends);

    if (error)
        return error;
    while (size > 0 && !error) {
        ssize_t put = sys_write(ends[1], from, size);
        ssize_t got = put > 0 ? sys_read(ends[0], to, (size_t)put) : put;

        if (got <= 0) {
            error = got < 0 ? (int)got : -EIO;
        } else if (got < put) { /* up to the page that is not there */
            error = -EFAULT;
        } else {
            to += got;
            from += got;
            size -= (size_t)got;
        }
    }
    sys_close(ends[0]);
    sys_close(ends[1]);
    return error;
}

static int copy_checked(void *to, const void *from, size_t size, const void *caller,
                        bool (*may)(const void *at, size_t size))
{
    if (revocable_has(caller, size) && !is_not_asked()) {
        int error = copy_by_kernel(to, from, size);

        if (error == 0 || error == -EFAULT)
            return error;
    }
    return copy(to, from, size, caller, may);
}

int user_memory_write_asking(void *to, const void *from, size_t size)
{
    return copy_checked(to, from, size, to, is_writable);
}

int user_memory_read_asking(void *to, const void *from, size_t size)
{
    return copy_checked(to, from, size, from, is_readable);
}

bool user_memory_impossible(const struct iovec *iov, size_t iovlen)
{
    uintptr_t possible = (uintptr_t)__builtin_frame_address(0);

    for (size_t i = 0; i < iovlen; i++) {
        uintptr_t first = (uintptr_t)iov[i].iov_base, end = first + iov[i].iov_len;

        if (end < first)
            return true;
        /* What is possible is so up to an address, and the stack has one of the highest. */
        if (end <= possible || user_memory_known(iov[i].iov_base) || is_not_asked())
            continue;
        if (sys_probe_address((void *)((end > first ? end - 1 : end) & ~(uintptr_t)3)) == -EFAULT)
            return true;
        possible = end;
    }
    return false;
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
