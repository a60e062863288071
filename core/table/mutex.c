/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "table/mutex.h"

#include "base/strbuf.h"
#include "base/sys.h"
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>

/* Whoever releases the mutex wakes one waiter, but may be killed in between. So nobody sleeps
 * longer than this without another look. */
enum { NAP_MS = 5 };

/* How often a waiter tries before it sleeps. The mutex is held for less time than a system call
 * takes. */
enum { SPINS = 100 };

static __thread uint32_t owned_as; /* this thread's id, as long as it has a mutex */

/* --- this thread's id -------------------------------------------------------------------- */

/* gettid(2) once a thread, and once more in a child. An id that is wrong would be taken for a dead
 * owner's, so a child must be known however it was made: the number of the process that the ids
 * belong to is in a page which the kernel itself clears for a child with memory of its own
 * (MADV_WIPEONFORK, Linux 4.14). A child that shares its parent's memory is a vfork's. */
FAST_PATH_DATA static _Atomic uint32_t *_Atomic process_number; /* 0: this process has none yet */
FAST_PATH_DATA static atomic_uint last_number;

/* The page is made when it is worth it. A process without tails takes the mutex for its first fork
 * alone. */
enum { ENOUGH = 8 };
FAST_PATH_DATA static atomic_uint queries;
FAST_PATH_DATA static _Atomic uint32_t
    no_number; /* there is no such page: the id is asked for each time */

static __thread struct {
    uint32_t tid, process;
    pid_t pid;
} known_as;

static _Atomic uint32_t *map_number(void)
{
    _Atomic uint32_t *none = NULL, *at = sys_map_private(PAGE);

    if (at && sys_madvise(at, PAGE, MADV_WIPEONFORK) != 0) {
        sys_unmap(at, PAGE);
        at = NULL;
    }
    if (!atomic_compare_exchange_strong(&process_number, &none, at ? at : &no_number)) {
        if (at)
            sys_unmap(at, PAGE);
        return none;
    }
    return at ? at : &no_number;
}

static __attribute__((noinline)) uint32_t query_own_tid(_Atomic uint32_t *number)
{
    uint32_t tid = (uint32_t)sys_gettid(), process = 0, new;

    if (!state.sees_vfork || state_vfork_depth > 0)
        return tid;
    if (!number && atomic_fetch_add(&queries, 1) < ENOUGH)
        return tid;
    if (!number)
        number = map_number();
    if (number == &no_number)
        return tid;
    new = atomic_fetch_add(&last_number, 1) + 1;
    if (new != 0 && atomic_compare_exchange_strong(number, &process, new))
        process = new;
    known_as.tid = tid;
    known_as.pid = sys_getpid();
    known_as.process = process;
    return tid;
}

static inline bool is_known(const _Atomic uint32_t *number)
{
    return LIKELY(number) && LIKELY(known_as.process != 0) &&
           LIKELY(known_as.process == atomic_load_explicit(number, memory_order_relaxed)) &&
           LIKELY(state.sees_vfork) && LIKELY(state_vfork_depth == 0);
}

static inline uint32_t own_tid(void)
{
    _Atomic uint32_t *number = atomic_load_explicit(&process_number, memory_order_acquire);

    return is_known(number) ? known_as.tid : query_own_tid(number);
}

pid_t mutex_own_process(void)
{
    return is_known(atomic_load_explicit(&process_number, memory_order_acquire)) ? known_as.pid
                                                                                 : sys_getpid();
}

void mutex_after_fork_in_child(void)
{
    _Atomic uint32_t *number = atomic_load(&process_number);

    /* The kernel has done so, or an emulator has not. */
    if (number && number != &no_number)
        atomic_store(number, 0);
}

/* --- the mutex --------------------------------------------------------------------------- */

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
    uint32_t tid = own_tid(), owner = 0;
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
