/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "wait/epoll_hints.h"

#include "base/sys.h"
#include "fd/fd_class.h"
#include "state.h"
#include "wait/epoll_registry.h"

#include <stdatomic.h>

enum { WORD = 64, WORDS = 256, CHUNK = WORDS * WORD, COPIES = 64 };

/* One bit for each descriptor number: it was used as a set; the set belongs to this process
 * alone. */
struct chunk {
    _Atomic uint64_t used[WORDS], own[WORDS];
};
static struct chunk first_chunk;
/* The others are mapped when they are needed, and stay. */
static struct chunk *_Atomic chunks[REGISTRY_NUMBERS / CHUNK] = {&first_chunk};
static atomic_int highest_set = -1;
/* Duplicates of sets: their numbers plus 1; 0: free. */
static atomic_int copies[COPIES];

/* Registrations of message sockets. The key is the set's number plus 1 in the upper half, and the
 * socket's in the lower; 0: free. */
enum { REMEMBERED = 64 };
static struct {
    _Atomic uint64_t key, data;
    atomic_uint events;
} remembered[REMEMBERED];

/* --- the numbers of sets ----------------------------------------------------------------- */

enum bits { USED, OWN };

/* The word of `fd`, or NULL: none of its chunk is set. */
static _Atomic uint64_t *word(enum bits bits, int fd)
{
    struct chunk *chunk = registry_in_range(fd) ? atomic_load(&chunks[fd / CHUNK]) : NULL;

    return chunk ? &(bits == OWN ? chunk->own : chunk->used)[fd % CHUNK / WORD] : NULL;
}

static bool has_bit(enum bits bits, int fd)
{
    const _Atomic uint64_t *in = word(bits, fd);

    return in && (atomic_load_explicit(in, memory_order_relaxed) >> fd % WORD & 1);
}

static void need_chunk(int fd)
{
    struct chunk *none = NULL, *chunk;

    if (!registry_in_range(fd) || atomic_load(&chunks[fd / CHUNK]) || sys_is_sandboxed())
        return;
    chunk = sys_map_private(sizeof *chunk);
    if (!chunk)
        atomic_store(&registry_is_full, true);
    else if (!atomic_compare_exchange_strong(&chunks[fd / CHUNK], &none, chunk))
        sys_unmap(chunk, sizeof *chunk);
}

static void set_bit(enum bits bits, int fd)
{
    int seen = atomic_load_explicit(&highest_set, memory_order_relaxed);
    _Atomic uint64_t *in;

    need_chunk(fd);
    in = word(bits, fd);
    if (!in || has_bit(bits, fd))
        return;
    while (seen < fd && !atomic_compare_exchange_weak(&highest_set, &seen, fd))
        continue;
    atomic_fetch_or(in, UINT64_C(1) << fd % WORD);
}

static void clear_bit(enum bits bits, int fd)
{
    if (has_bit(bits, fd))
        atomic_fetch_and(word(bits, fd), ~(UINT64_C(1) << fd % WORD));
}

bool hints_may_be_set(int fd)
{
    return has_bit(OWN, fd) || has_bit(USED, fd);
}

int hints_highest(void)
{
    return atomic_load_explicit(&highest_set, memory_order_relaxed);
}

/* Forks begun, in the upper half, and under way. */
static _Atomic uint64_t forks;

enum { FORKS_BEGUN = 32 };

uint64_t hints_forks(void)
{
    return atomic_load(&forks);
}

static bool none_since(uint64_t before)
{
    return (uint32_t)before == 0 && atomic_load(&forks) == before;
}

/* A set that is made during a fork may be the child's, too. */
bool hints_is_own(int epfd)
{
    return (uint32_t)atomic_load(&forks) == 0 && has_bit(OWN, epfd);
}

void hints_set_made(int epfd, uint64_t forks_before)
{
    set_bit(USED, epfd);
    set_bit(OWN, epfd);
    if (!none_since(forks_before))
        clear_bit(OWN, epfd);
}

static void forget_copy(int fd)
{
    for (int i = 0; i < COPIES; i++) {
        int expected = fd + 1;

        atomic_compare_exchange_strong(&copies[i], &expected, 0);
    }
}

void hints_set_received(int fd)
{
    set_bit(USED, fd);
    for (int i = 0; i < COPIES; i++) {
        int expected = 0;

        if (atomic_compare_exchange_strong(&copies[i], &expected, fd + 1))
            return;
    }
}

void hints_set_duplicated(int old, int new)
{
    if (!hints_may_be_set(old))
        return;
    if (has_bit(OWN, old))
        set_bit(OWN, new);
    if (!has_bit(OWN, old)) /* by a fork meanwhile */
        clear_bit(OWN, new);
    hints_set_received(new); /* the other number may be closed before the sets are looked at */
}

void hints_set_sent(int fd)
{
    clear_bit(OWN, fd);
}

static void forget_remembered(uint64_t key, uint64_t mask)
{
    for (int i = 0; i < REMEMBERED; i++) {
        uint64_t found = atomic_load_explicit(&remembered[i].key, memory_order_relaxed);

        if (found && (found & mask) == key)
            atomic_compare_exchange_strong(&remembered[i].key, &found, 0);
    }
}

static void forget_number(int fd)
{
    forget_remembered((uint64_t)(fd + 1) << 32, ~(uint64_t)UINT32_MAX);
    clear_bit(OWN, fd);
    clear_bit(USED, fd);
    forget_copy(fd);
}

void hints_number_closed(int fd)
{
    if (!state_is_own_as_seen())
        return;
    if (fd_kind(fd_class_cached(fd)) >= FD_SOCKET)
        forget_remembered((unsigned)fd, UINT32_MAX);
    if (hints_may_be_set(fd))
        forget_number(fd);
}

void hints_range_closed(unsigned first, unsigned last)
{
    int highest = atomic_load(&highest_set);

    if (highest < 0 || first > (unsigned)highest || !state_is_own_as_seen())
        return;
    for (unsigned fd = first; fd <= last && fd <= (unsigned)highest; fd++)
        if (hints_may_be_set((int)fd))
            forget_number((int)fd);
}

/* Needs no lock: if two threads change one registration at the same time, either result is
 * right. */
void hints_remember(int epfd, int operation, int fd, const struct epoll_event *event)
{
    uint64_t key = (uint64_t)((unsigned)epfd + 1) << 32 | (unsigned)fd, none = 0;
    int at = 0;

    if (fd_kind(fd_class_cached(fd)) < FD_SOCKET || !state_is_own_as_seen())
        return;
    if (operation == EPOLL_CTL_DEL) {
        forget_remembered(key, UINT64_MAX);
        return;
    }
    while (at < REMEMBERED && atomic_load(&remembered[at].key) != key)
        at++;
    for (int i = 0; at == REMEMBERED && i < REMEMBERED; i++, none = 0)
        if (atomic_compare_exchange_strong(&remembered[i].key, &none, key))
            at = i;
    if (at == REMEMBERED)
        return;
    atomic_store_explicit(&remembered[at].data, event->data.u64, memory_order_relaxed);
    atomic_store_explicit(&remembered[at].events, event->events, memory_order_relaxed);
}

/* --- what is known ----------------------------------------------------------------------- */

void hints_note_set(int epfd)
{
    if (!has_bit(USED, epfd))
        set_bit(USED, epfd);
}

int hints_next_set(int after)
{
    int highest = hints_highest();

    for (int fd = after + 1; fd <= highest; fd++) {
        const _Atomic uint64_t *in = word(USED, fd);

        if (!in || !atomic_load_explicit(in, memory_order_relaxed))
            fd |= WORD - 1;
        else if (has_bit(USED, fd))
            return fd;
    }
    return -1;
}

int hints_next_copy(int *at)
{
    while (*at < COPIES) {
        int copy = atomic_load_explicit(&copies[(*at)++], memory_order_relaxed);

        if (copy > 0)
            return copy - 1;
    }
    return -1;
}

bool hints_next_remembered(int *at, int epfd, struct fdinfo_entry *ret_entry)
{
    while (*at < REMEMBERED) {
        int i = (*at)++;
        uint64_t key = atomic_load(&remembered[i].key);

        if (key >> 32 != (unsigned)epfd + 1)
            continue;
        *ret_entry = (struct fdinfo_entry){.fd = (int)(uint32_t)key,
                                           .events = atomic_load(&remembered[i].events),
                                           .data = atomic_load(&remembered[i].data)};
        return true;
    }
    return false;
}

void hints_fork_begins(void)
{
    atomic_fetch_add(&forks, (UINT64_C(1) << FORKS_BEGUN) + 1);
}

void hints_fork_ends(void)
{
    atomic_fetch_sub(&forks, 1);
}

void hints_fork_ends_in_child(void)
{
    atomic_store(&forks, 0);
}

void hints_forked(void)
{
    int highest = hints_highest();

    for (int at = 0; at <= highest; at += WORD) {
        _Atomic uint64_t *in = word(OWN, at);

        if (in && atomic_load_explicit(in, memory_order_relaxed))
            atomic_store_explicit(in, 0, memory_order_relaxed);
    }
}
