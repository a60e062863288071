/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "wait/epoll_hints.h"

#include "fd/fd_class.h"
#include "state.h"
#include "wait/epoll_registry.h"

#include <stdatomic.h>

enum { WORD = 64, WORDS = REGISTRY_NUMBERS / WORD, COPIES = 64 };

/* One bit for each descriptor number: it was used as a set; the set belongs to this process alone.
 * The kernel gives these pages memory when they are first written to. */
static _Atomic uint64_t used_as_set[WORDS], own_set[WORDS];
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

static bool has_bit(const _Atomic uint64_t *bits, int fd)
{
    return registry_in_range(fd) &&
           (atomic_load_explicit(&bits[fd / WORD], memory_order_relaxed) >> fd % WORD & 1);
}

static void set_bit(_Atomic uint64_t *bits, int fd)
{
    int seen = atomic_load_explicit(&highest_set, memory_order_relaxed);

    if (!registry_in_range(fd) || has_bit(bits, fd))
        return;
    while (seen < fd && !atomic_compare_exchange_weak(&highest_set, &seen, fd))
        continue;
    atomic_fetch_or(&bits[fd / WORD], UINT64_C(1) << fd % WORD);
}

static void clear_bit(_Atomic uint64_t *bits, int fd)
{
    if (has_bit(bits, fd))
        atomic_fetch_and(&bits[fd / WORD], ~(UINT64_C(1) << fd % WORD));
}

bool hints_may_be_set(int fd)
{
    return has_bit(own_set, fd) || has_bit(used_as_set, fd);
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
    return (uint32_t)atomic_load(&forks) == 0 && has_bit(own_set, epfd);
}

void hints_set_made(int epfd, uint64_t forks_before)
{
    set_bit(used_as_set, epfd);
    set_bit(own_set, epfd);
    if (!none_since(forks_before))
        clear_bit(own_set, epfd);
}

static void forget_copy(int fd)
{
    for (int i = 0; i < COPIES; i++) {
        int expected = fd + 1;

        atomic_compare_exchange_strong(&copies[i], &expected, 0);
    }
}

void hints_set_duplicated(int old, int new)
{
    if (!hints_may_be_set(old))
        return;
    if (has_bit(own_set, old))
        set_bit(own_set, new);
    if (!has_bit(own_set, old)) /* by a fork meanwhile */
        clear_bit(own_set, new);
    for (int i = 0; i < COPIES; i++) {
        int expected = 0;

        if (atomic_compare_exchange_strong(&copies[i], &expected, new + 1))
            return;
    }
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
    clear_bit(own_set, fd);
    clear_bit(used_as_set, fd);
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
    atomic_store(&remembered[at].data, event->data.u64);
    atomic_store(&remembered[at].events, event->events);
}

/* --- what is known ----------------------------------------------------------------------- */

void hints_note_set(int epfd)
{
    set_bit(used_as_set, epfd);
}

int hints_next_set(int after)
{
    int highest = hints_highest();

    for (int fd = after + 1; fd <= highest; fd++) {
        if (!atomic_load_explicit(&used_as_set[fd / WORD], memory_order_relaxed))
            fd |= WORD - 1;
        else if (has_bit(used_as_set, fd))
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

    for (int at = 0; at <= highest; at += WORD)
        if (atomic_load_explicit(&own_set[at / WORD], memory_order_relaxed))
            atomic_store_explicit(&own_set[at / WORD], 0, memory_order_relaxed);
}
