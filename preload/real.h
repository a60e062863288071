/* SPDX-License-Identifier: MIT
 *
 * The calls beneath us: the next definition of each interposed call after ours.
 *
 * Each is looked up when it is first called. This needs no lock and no memory, for the receives and
 * close() must stay async-signal-safe, and it leaves the error alone that the program may ask
 * dlerror(3) for: dlsym(3) does neither. Only before the constructor (in a malloc library that reads
 * its settings), and where an object has no hash table to look into, it is dlsym(3), which allocates
 * nothing if it finds its symbol; in the second case all are looked up in the constructor.
 */
#ifndef WSRX_REAL_H
#define WSRX_REAL_H

#include "base/libc.h"
#include "base/time64.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

struct real {
#define CALL(type, name, parameters) type(*name) parameters;
#include "calls.def"
#undef CALL
};

extern struct real real;

/* The wrappers, for our own calls: not every libc declares all of them. */
#define CALL(type, name, parameters) type name parameters;
#include "calls.def"
#undef CALL

/* Finds out where to look. */
void real_start(void);

/* Looks up one function. */
void real_find(void **ret_call, const char *name);

/* In the place of a function that libc lacks: its system call. NULL: it has none, and only functions
 * of libc's call it. The program reaches it by syscall(2) alone. */
void *real_by_number(const char *name);

/* Whether the function beneath is libc's own, and not that of a library in between. */
bool real_is_libc(const void *call);

/* Whether a program that calls vfork() gets the one of an object before us. */
bool real_vfork_is_before_us(void);

/* A function that has been looked up, or NULL. Another thread may be about to look it up. */
#define REAL_IF_FOUND(name) __atomic_load_n(&real.name, __ATOMIC_RELAXED)

#define REAL(name)                                                                            \
    (__builtin_expect(REAL_IF_FOUND(name) == NULL, 0) ? real_find((void **)&real.name, #name) \
                                                      : (void)0,                              \
     REAL_IF_FOUND(name))

/* Marks an interposed call; -fvisibility=hidden hides all else. */
#define INTERPOSED __attribute__((visibility("default")))

/* A negative errno of the core, as libc returns it. */
static inline int real_failure(ssize_t result)
{
    errno = (int)-result;
    return -1;
}

/* The result of the core, which is a negative errno where it failed, as libc gives it. Errno is
 * that from before, for a success. */
static inline ssize_t real_result(ssize_t result)
{
    return __builtin_expect(result >= 0, 1) ? result : real_failure(result);
}

/* The same, where the core may have changed errno. */
static inline ssize_t real_answer(ssize_t result, int saved)
{
    errno = saved;
    return real_result(result);
}

#endif
