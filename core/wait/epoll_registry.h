/* SPDX-License-Identifier: MIT
 *
 * What is registered where: the epoll sets of this process, the numbers that lead to them, and the
 * registrations in them, by number, by data and by socket.
 *
 * Plain bookkeeping: it makes no system call but to map its memory, and knows nothing of tails.
 *
 * The lock. It protects all that is here but the few atomics that are named so; it is private to
 * the process, and is taken with signals blocked and cancellation off. epoll_ctl(2), eventfd(2),
 * close(2) and a ppoll(2) that does not block are called under it, so that what is known follows
 * the order of what happened. The table's mutex may be taken under it; no other lock.
 * fork: taken around it (epoll_ctl_before_fork and after), so a child finds it free.
 */
#ifndef WSRX_WAIT_EPOLL_REGISTRY_H
#define WSRX_WAIT_EPOLL_REGISTRY_H

#include "base/critical_section.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

enum {
    REGISTRY_NUMBERS = 1 << 20, /* descriptors: as many as there are beliefs (socket.c) */
    REGISTRY_BUCKETS = 1 << 14,
};

/* An epoll set, by whatever numbers this process knows it. Named by index; 0 is none. */
struct set {
    /* What a wait has to care for; 0: it is the program's own call. Atomic, read without the lock.
     * The active registrations, and SET_SHARED. */
    atomic_uint watched;
    atomic_uint pending_count; /* of the active ones, how many the wait tells of itself; likewise */
    int epfd;                  /* one of its numbers */
    unsigned numbers;          /* how many it has; 0: free */
    atomic_uint forks;         /* registry_forks, when it was made; atomic, likewise */
    unsigned sockets;          /* message sockets registered */
    /* Others than its waits may look at it: nested, polled, of before us. Atomic, likewise. */
    atomic_bool exposed;
    uint32_t first; /* registration */
    uint32_t first_active;
    uint32_t next_free;
};

/* In `cares`: it has message sockets, and other processes may leave tails on them. */
#define SET_SHARED (1u << 31)

/* One registration of a descriptor in a set. Named by index; 0 is none. */
struct registration {
    uint32_t set;
    int fd;
    uint32_t events; /* as the program asked */
    epoll_data_t data;
    uint64_t cookie; /* of a message socket, whose numbers may come and go; 0: anything else */
    uint32_t next_of_fd;
    uint32_t next_of_data; /* by set and data; in the free list: the next free one */
    uint32_t next_of_cookie;
    uint32_t next_in_set, previous_in_set;
    uint32_t next_active, previous_active;

    /* How a held tail is told: see stand_in.h. Active: in any way. */
    bool active;
    bool pending;         /* by the wait itself */
    bool muted;           /* one shot: its own registration waits while the stand-in is armed */
    int proxy;            /* by the kernel: the eventfd, or -1 */
    size_t reported;      /* what was left of the tail when the wait last told of it */
    unsigned wait_serial; /* by which wait, */
    int event_index;      /* and where in its events */
};

/* Descriptor numbers from here on are not known of; 0 before the start. */
extern unsigned registry_count;
/* By descriptor number, for reads without the lock: the set, and the first registration. */
extern _Atomic uint32_t *registry_set_of;
extern _Atomic uint32_t *registry_first_of;
extern struct set *registry_sets;
/* The highest number of which anything is known. */
extern atomic_int registry_highest;
/* How often this process, and those from which it forked, have forked. */
extern atomic_uint registry_forks;
/* The `cares` of all sets. */
extern atomic_uint registry_watched;
/* Message sockets registered, in all sets. */
extern atomic_uint registry_sockets;

/* 0, or a negative errno. */
int registry_start(void);

void registry_enter(struct critical_section *section);
void registry_leave(const struct critical_section *section);

static inline bool registry_in_range(int fd)
{
    return (unsigned)fd < registry_count;
}

/* The set that a number leads to, or NULL. Without the lock it may be another's at once; but its
 * memory stays. */
static inline struct set *set_of(int epfd)
{
    uint32_t at = registry_in_range(epfd)
                      ? atomic_load_explicit(&registry_set_of[epfd], memory_order_relaxed)
                      : 0;

    return at ? &registry_sets[at] : NULL;
}

/* --- all below: with the lock held --- */

/* A new one; NULL: there is no room. */
struct set *set_make(int epfd);
/* A further number for a set. */
void set_add_number(struct set *set, int epfd);
/* The number is closed. True: it was the last; the registrations must go, then set_free(). */
bool set_drop_number(struct set *set, int epfd);
void set_free(struct set *set);
/* Whether other processes may share the set: it was there before a fork. */
bool set_is_inherited(const struct set *set);
/* `shared`: other processes may leave tails. */
void set_update_watched(struct set *set, bool shared);
/* The next one after `set` (NULL: the first); NULL: no more. */
struct set *set_next(const struct set *set);

struct registration *registration_at(uint32_t at); /* NULL for 0 */
struct set *registration_set(const struct registration *registration);
struct registration *registration_find(const struct set *set, int fd);
/* Of this socket: the first, and the next. */
struct registration *registration_of_cookie(uint64_t cookie);
struct registration *registration_next_of_cookie(const struct registration *registration);
/* With this data in the set: likewise. */
struct registration *registration_of_data(const struct set *set, uint64_t data);
struct registration *registration_next_of_data(const struct registration *registration);
/* Whether no other in the set has its data. */
bool registration_is_alone(const struct registration *registration);

/* A new one; NULL: there is no room. */
struct registration *registration_make(struct set *set, int fd, const struct epoll_event *event);
void registration_change(struct registration *registration, const struct epoll_event *event);
/* What its descriptor is: a message socket's cookie, or 0. */
void registration_set_socket(struct registration *registration, uint64_t cookie);
void registration_set_active(struct registration *registration, bool active);
void registration_free(struct registration *registration);

#endif
