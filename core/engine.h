/* SPDX-License-Identifier: MIT
 *
 * The engine's start, its shared state, and the life of descriptors.
 */
#ifndef WSRX_ENGINE_H
#define WSRX_ENGINE_H

#include "hot.h"
#include "settings.h"
#include "socket.h"
#include "system.h"
#include "table.h"

/* Written once at start-up, before `active` is set; but for the atomics read-only after. First what
 * every receive looks at. */
struct engine {
    _Alignas(64) struct table *table;
    atomic_bool active;
    atomic_bool bounces; /* active, and plain receives may take a message whole out of the kernel */
    atomic_bool peeks;   /* messages are peeked, to be taken later: see engine_peeks() */
    atomic_bool direct;  /* system.direct, and no thread has been cancelled: see engine_direct() */
    pid_t pid; /* of the process that this memory belongs to; a vfork child only borrows it */
    struct system_calls system;
    struct settings settings;
    bool without_file; /* WSRX_TABLE cannot be used, which has been told */
    atomic_int hold; /* enum hold, never HOLD_AUTO; may become HOLD_KERNEL later */
    bool under_wine; /* recvmsg() is made by Wine, for a program that may ask (queued.h) */
    atomic_uint closes; /* counted under Wine only: see ask.h */
};

extern struct engine engine;

/* The program's name, as records tell it. Wine writes over its arguments, and so over libc's idea
 * of the name; but it tells the kernel. `room`: where that may be put. Async-signal-safe. */
enum { ENGINE_PROGRAM = 16 };
const char *engine_program(char room[ENGINE_PROGRAM]);

/* Starts the engine: maps the table, decides where tails are held. 0, or a negative errno: it is
 * not active then, and every receive passes. Not thread-safe: for start-up. */
int engine_start(const struct settings *settings, const struct system_calls *system,
                 bool under_wine);

/* From now on tails are held in the kernel. */
void engine_hold_in_kernel(void);

/* A cooperating program asks for parts, which it gets in any mode. */
void engine_cooperates(void);

/* Whether a message may be in a socket's queue although a part of it has been handed out, or is
 * just being handed out. Then none is taken without the table's mutex. */
static inline bool engine_peeks(void)
{
    return atomic_load_explicit(&engine.peeks, memory_order_acquire) ||
           atomic_load_explicit(&engine.table->full, memory_order_relaxed);
}

/* Whether a plain receive may take a message whole out of the kernel. */
static inline bool engine_bounces(void)
{
    return LIKELY(atomic_load_explicit(&engine.bounces, memory_order_acquire)) &&
           LIKELY(!atomic_load_explicit(&engine.table->full, memory_order_relaxed));
}

/* Whether libc would make the system call and nothing else (core/system.h). */
static inline bool engine_direct(void)
{
    return SYSTEM_HAS_DIRECT && LIKELY(system_is_single_threaded()) &&
           LIKELY(atomic_load_explicit(&engine.direct, memory_order_relaxed));
}

/* A thread is about to be cancelled, maybe by itself: from now on libc must look. */
static inline void engine_cancels(void)
{
    atomic_store(&engine.direct, false);
}

/* recvfrom(2) beneath us. A length, or a negative errno; errno is as it was. */
ssize_t engine_recvfrom_by_libc(int fd, void *buf, size_t len, int flags, struct sockaddr *name,
                                socklen_t *namelen);

static inline ssize_t engine_recvfrom(int fd, void *buf, size_t len, int flags,
                                      struct sockaddr *name, socklen_t *namelen)
{
    if (LIKELY(engine_direct()))
        return system_direct(SYSTEM_RECVFROM, fd, (long)buf, (long)len, flags, (long)name,
                             (long)namelen);
    return engine_recvfrom_by_libc(fd, buf, len, flags, name, namelen);
}

/* Whether nothing is held on any socket: one atomic read. */
static inline bool engine_idle(void)
{
    return !atomic_load_explicit(&engine.active, memory_order_acquire) ||
           table_idle(engine.table);
}

/* The same, and nothing is being peeked: a receive that the mode leaves alone concerns nobody. */
static inline bool engine_rests(void)
{
    return !atomic_load_explicit(&engine.active, memory_order_acquire) ||
           (table_idle(engine.table) && !engine_peeks());
}

/* A descriptor is about to be closed: forgets it, and returns what it was for engine_closed(),
 * after a close that succeeded. Async-signal-safe; may change errno. */
socket_belief engine_closing(int fd);
void engine_closed(int fd, socket_belief belief);

/* The same for every descriptor of a range. */
void engine_closing_range(unsigned first, unsigned last);

/* The program is about to exec: where that ends tails that nobody else can ask for, one line says
 * so. Async-signal-safe; may change errno. */
void engine_execs(void);

/* The program ends: what is held for sockets that nobody else can have has a record of its loss.
 * Async-signal-safe; may change errno. */
void engine_ends(void);

/* The program is about to fork: from now on others may ask for what is held. */
void engine_forks(void);

/* The program has forked, and this is the child. */
void engine_forked(void);

/* Whether the memory is this process's own. A vfork child, which closes and duplicates descriptors
 * of its own before it execs, must not change what its parent knows. */
bool engine_is_own(void);

#endif
