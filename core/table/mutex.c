/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "table/mutex.h"

#include "base/strbuf.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>

/* Whoever releases the mutex wakes one waiter, but may be killed in between. So nobody sleeps
 * longer than this without another look. */
enum { NAP_MS = 5 };

/* How often a waiter tries before it sleeps. The mutex is held for less time than a system call
 * takes. */
enum { SPINS = 100 };

static __thread uint32_t owned_as; /* this thread's id, as long as it has a mutex */

static bool try_lock(struct inside *inside, uint32_t tid)
{
    uint32_t free = 0;

    return atomic_compare_exchange_strong(&inside->lock, &free, tid);
}

/* Whether the thread no longer exists. FUTEX_TRYLOCK_PI says so, also for a child that has ended
 * and has not been waited for. It is called on a word of our own: a word with ordinary waiters
 * would be refused. If the thread is the caller itself, it does not really have the mutex: the word
 * is damaged, or it was taken by a child of a raw clone(2), which took itself for its parent and
 * has died. */
static bool is_dead(uint32_t tid)
{
    uint32_t word = tid;
    int error = sys_futex(&word, FUTEX_TRYLOCK_PI, 0, 0);

    if (error == -ENOSYS)
        error = sys_signal_thread((pid_t)tid, 0);
    return error == -ESRCH || error == -EPERM || error == -EDEADLK;
}

bool mutex_lock(struct inside *inside, unsigned patience)
{
    uint32_t tid = (uint32_t)sys_gettid(), owner = 0;
    uint64_t version = 0;
    unsigned waited = 0;
    bool locked = try_lock(inside, tid);

    for (unsigned spins = 0; !locked && spins < SPINS; spins++)
        locked =
            atomic_load_explicit(&inside->lock, memory_order_relaxed) == 0 && try_lock(inside, tid);
    while (!locked) {
        uint32_t seen = atomic_load(&inside->lock);

        /* With FUTEX_WAITERS, since others may wait, too. */
        if ((seen & FUTEX_TID_MASK) == 0) {
            locked = atomic_compare_exchange_strong(&inside->lock, &seen, tid | FUTEX_WAITERS);
            continue;
        }
        if (seen != owner || atomic_load(&inside->version) != version) {
            owner = seen | FUTEX_WAITERS;
            version = atomic_load(&inside->version);
            waited = 0;
            if (seen != owner && !atomic_compare_exchange_strong(&inside->lock, &seen, owner))
                continue;
        } else if (is_dead(owner & FUTEX_TID_MASK)) {
            locked = atomic_compare_exchange_strong(&inside->lock, &seen, tid | FUTEX_WAITERS);
            continue;
        } else if (waited >= patience) {
            return false;
        }
        if (sys_futex((uint32_t *)&inside->lock, FUTEX_WAIT, owner, NAP_MS * 1000000) == -ETIMEDOUT)
            waited += NAP_MS;
    }
    owned_as = tid;
    return true;
}

void mutex_unlock(struct inside *inside)
{
    uint32_t seen = atomic_load_explicit(&inside->lock, memory_order_relaxed);

    while ((seen & FUTEX_TID_MASK) == owned_as)
        if (atomic_compare_exchange_weak(&inside->lock, &seen, 0)) {
            if (seen & FUTEX_WAITERS)
                sys_futex((uint32_t *)&inside->lock, FUTEX_WAKE, 1, 0);
            return;
        }
}

bool change_begin(struct inside *inside)
{
    uint64_t version = atomic_load_explicit(&inside->version, memory_order_relaxed);

    atomic_store_explicit(&inside->version, version | 1, memory_order_relaxed);
    return version & 1;
}

void change_end(struct inside *inside)
{
    uint64_t version = atomic_load_explicit(&inside->version, memory_order_relaxed);

    atomic_store_explicit(&inside->version, version + 1, memory_order_release);
}

/* From /proc, as "123 (name) T 1 ...", where the name may have any bytes in it. */
bool mutex_owner_is_stopped(const struct inside *inside)
{
    uint32_t tid = atomic_load(&inside->lock) & FUTEX_TID_MASK;
    char path[sizeof "/proc/" + STRBUF_NUMBER + sizeof "/stat"], line[128], run_state = 0;
    ssize_t got;
    int fd;

    *PUT(put_number(PUT(path, "/proc/"), tid), "/stat") = '\0';
    fd = sys_open(path, O_RDONLY, 0);
    if (fd < 0)
        return false;
    got = sys_read(fd, line, sizeof line);
    sys_close(fd);
    for (ssize_t i = 0; i + 2 < got; i++)
        if (line[i] == ')')
            run_state = line[i + 2];
    return run_state == 'T' || run_state == 't';
}
