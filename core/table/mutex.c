/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "table/mutex.h"

#include "base/sys.h"

#include <errno.h>
#include <time.h>

/* Not of the kind that checks for errors: a child of clone(2) that knows nothing of fork has its
 * parent's thread number, and must wait for its parent all the same. */
int mutex_make(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attributes;
    int error = pthread_mutexattr_init(&attributes);

    if (error)
        return -error;
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    error = pthread_mutex_init(mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return -error;
}

/* Whether the mutex says that this thread has it, which never asks for it then. It was a child made
 * by a raw clone(2), which has its parent's thread id in its memory, and nobody to tell of its
 * death. (glibc's mutex and the kernel's FUTEX_TID_MASK.) */
static bool is_in_our_name(const pthread_mutex_t *mutex)
{
    enum { TID = 0x3fffffff };

    return (__atomic_load_n(&mutex->__data.__lock, __ATOMIC_RELAXED) & TID) == sys_gettid();
}

/* Who releases the mutex wakes one of those who wait for it. Where it is killed in between, and a
 * third one, who knows of nobody that waits, takes the mutex, the wake-up is lost (the kernel wakes
 * in its stead only while the mutex is free). So nobody sleeps for long without another look; a
 * mutex that stands in our name without a change for many looks is made anew. */
static int lock(struct inside *inside)
{
    enum { NAP = 20000000, SECOND = 1000000000, NAPS = 25 }; /* nanoseconds */
    int error = pthread_mutex_trylock(&inside->mutex);
    uint64_t version = 0;
    unsigned naps = 0;

    while (error == EBUSY || error == ETIMEDOUT) {
        struct timespec limit;

        if (atomic_load(&inside->version) != version) {
            version = atomic_load(&inside->version);
            naps = 0;
        } else if (naps++ >= NAPS && is_in_our_name(&inside->mutex)) {
            mutex_make(&inside->mutex);
        }
        clock_gettime(CLOCK_REALTIME, &limit);
        limit.tv_nsec += NAP;
        limit.tv_sec += limit.tv_nsec / SECOND;
        limit.tv_nsec %= SECOND;
        error = pthread_mutex_timedlock(&inside->mutex, &limit); /* the one that TSan knows */
    }
    return error;
}

void mutex_lock(struct inside *inside)
{
    if (lock(inside) == EOWNERDEAD)
        pthread_mutex_consistent(&inside->mutex);
}

bool mutex_lock_soon(struct inside *inside, unsigned patience)
{
    struct timespec limit;
    int error;

    clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_sec += (time_t)patience / 1000;
    error = pthread_mutex_clocklock(&inside->mutex, CLOCK_MONOTONIC, &limit);
    if (error == EOWNERDEAD)
        error = pthread_mutex_consistent(&inside->mutex);
    return error == 0;
}

void mutex_unlock(struct inside *inside)
{
    pthread_mutex_unlock(&inside->mutex);
}
