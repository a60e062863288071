/* SPDX-License-Identifier: MIT
 *
 * The registry: the epoll sets of this process, their descriptor numbers, and the registrations in
 * them, which are found by number, by data and by socket.
 *
 * It only keeps books: it makes no system call but to map its memory, and does not look at tails.
 * It is empty while no tail concerns an epoll set (epoll_learn.h).
 *
 * The lock protects everything here but the atomics. In a process of one thread, what is read
 * without it can be changed by a signal handler only, and then the word of the registration shows it
 * (registration_try_state). The lock is private to the process, and is taken
 * with signals blocked and cancellation off. epoll_ctl(2), eventfd(2), close(2), reads of /proc and
 * a ppoll(2) that does not block are called under it, so that changes are entered in the order in
 * which they were made. The table's mutex may be taken under it, and no other lock. A fork takes it
 * while the registry is filled. A child begins with an empty registry and a free lock, whatever its
 * parent's other threads were doing.
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
    REGISTRY_NUMBERS = 1 << 20, /* descriptors: fs.nr_open's default */
    REGISTRY_CHUNK = 512,       /* of them whose entries are mapped together: a page */
};

/* The lists of a set's registrations, and the chains by descriptor and by hash. */
enum registration_list { REGISTRATION_ALL, REGISTRATION_ACTIVE, REGISTRATION_LISTS };
enum registration_chain { CHAIN_FD, CHAIN_DATA, CHAIN_COOKIE, REGISTRATION_CHAINS };

/* An epoll set, which may have several descriptor numbers. Others refer to it by its index; 0:
 * none. */
struct set {
    atomic_uint watched;       /* active registrations; 0: a wait is the program's own call */
    atomic_uint pending_count; /* registrations in TAIL_PENDING and TAIL_UNSURE */
    uint32_t self;             /* its index */
    int epfd;                  /* one of its numbers */
    unsigned numbers;          /* how many it has; 0: free */
    unsigned sockets;          /* message sockets registered */
    atomic_bool inherited;     /* made before a fork: other processes may have it */
    atomic_bool exposed;   /* others than its own waits may look at it: by poll, by an outer set */
    atomic_uint looked_at; /* what others had muted when nothing was left so (epoll_scan.c) */
    unsigned lingered;     /* 0: a tail was seen last; else waits that saw none, and one more */
    uint32_t first[REGISTRATION_LISTS];
    uint32_t next_free;
};

/* How a held tail is reported: see epoll_proxy.h. */
enum tail_state {
    TAIL_IDLE,    /* there is none, or it has been reported */
    TAIL_UNSURE,  /* one shot: pending, unless it was fired before; the next wait looks */
    TAIL_PENDING, /* the wait adds the event */
    TAIL_SHOWN,   /* a proxy is in the set */
    TAIL_SPENT,   /* one shot: reported, and the program has not asked anew */
    TAIL_LOOSE,   /* the same, but in the kernel the shot is still armed */
};

/* Beside the state stands how often it has changed: a compare-and-swap that finds the word as it
 * was proves that nothing of the registration has changed. */
enum { TAIL_BITS = 3 };

static inline enum tail_state tail_state_of(uint32_t word)
{
    return (enum tail_state)(word & ((1 << TAIL_BITS) - 1));
}

/* A registration of a descriptor in a set. Others refer to it by its index; 0: none. */
struct registration {
    uint32_t self; /* its index */
    uint32_t set;
    int fd;
    uint32_t events; /* as the program gave them */
    epoll_data_t data;
    uint64_t cookie;                       /* of a message socket; 0: anything else */
    uint32_t chained[REGISTRATION_CHAINS]; /* the next one in each chain; free: in the first */
    struct {
        uint32_t next, previous;
    } listed[REGISTRATION_LISTS];

    _Atomic uint32_t state; /* enum tail_state, and how often it has changed */
    bool muted;             /* one shot: switched off in the kernel while its proxy is in the set */
    int proxy;              /* the eventfd, or -1 */
    int flare;       /* in an inherited set: the number by which the socket is in it too, or -1 */
    size_t reported; /* what was left of the tail when the wait last reported it */
    unsigned wait_serial; /* the last wait that reported an event of it, */
    int event_index;      /* and which event that was */
};

/* For each descriptor number: the set that it is, and its first registration. Read without the
 * lock. */
struct registry_number {
    _Atomic uint32_t set, first;
};
extern struct registry_number *_Atomic registry_numbers[REGISTRY_NUMBERS / REGISTRY_CHUNK];

/* The highest number of which anything is known. */
extern atomic_int registry_highest;
/* The sum of all sets' `watched`, and one more if other processes may leave tails. */
extern atomic_uint registry_watched;
/* Message sockets registered, in all sets. */
extern atomic_uint registry_sockets;
/* There was no memory for a set or a registration: the registry is not complete. */
extern atomic_bool registry_is_full;

void registry_enter(struct critical_section *section);
void registry_leave(const struct critical_section *section);

static inline bool registry_in_range(int fd)
{
    return (unsigned)fd < REGISTRY_NUMBERS;
}

/* NULL: nothing is known of the number. */
static inline struct registry_number *registry_number(int fd)
{
    struct registry_number *chunk =
        registry_in_range(fd)
            ? atomic_load_explicit(&registry_numbers[fd / REGISTRY_CHUNK], memory_order_acquire)
            : NULL;

    return chunk ? &chunk[fd % REGISTRY_CHUNK] : NULL;
}

struct set *set_at(uint32_t at);

static inline uint32_t registration_word(const struct registration *registration)
{
    return atomic_load_explicit(&registration->state, memory_order_relaxed);
}

static inline enum tail_state registration_state(const struct registration *registration)
{
    return tail_state_of(registration_word(registration));
}

/* The set of a number, or NULL. Without the lock it may become another set at any moment, but its
 * memory stays. */
static inline struct set *set_of(int epfd)
{
    struct registry_number *number = registry_number(epfd);
    uint32_t at = number ? atomic_load_explicit(&number->set, memory_order_relaxed) : 0;

    return at ? set_at(at) : NULL;
}

/* The first registration of a number, or 0; likewise. */
static inline uint32_t registry_first_of(int fd)
{
    struct registry_number *number = registry_number(fd);

    return number ? atomic_load_explicit(&number->first, memory_order_relaxed) : 0;
}

/* --- all below: with the lock held --- */

/* Forgets everything. */
void registry_clear(void);
/* The same in the child of a fork, where the lock may belong to a thread of the parent. The proxies
 * must be closed first. */
void registry_clear_in_child(void);
/* The most registrations that there were at a time. */
unsigned registry_size(void);
/* The next one after `registration` (NULL: the first) that has a proxy. For a child, in which a
 * list may be half changed. */
struct registration *registry_next_proxy(const struct registration *registration);

/* A new one; NULL: there is no room. */
struct set *set_make(int epfd);
/* A further number for a set. */
void set_add_number(struct set *set, int epfd);
/* The number is closed. true: it was the last one, so the caller ends the registrations and calls
 * set_free(). */
bool set_drop_number(struct set *set, int epfd);
void set_free(struct set *set);
/* The next one after `set` (NULL: the first); NULL: no more. */
struct set *set_next(const struct set *set);

/* The first registration in a list of the set, and the next; NULL: no more. The active ones are
 * those that are not idle. */
struct registration *registration_first(const struct set *set, enum registration_list list);
struct registration *registration_next(const struct registration *registration,
                                       enum registration_list list);
/* Does this to each active one; what is done may end it. */
void registration_each_active(const struct set *set, void (*act)(struct registration *));
/* The first registration by this number in any set; NULL: there is none. */
struct registration *registration_of_fd(int fd);
struct set *registration_set(const struct registration *registration);
struct registration *registration_find(const struct set *set, int fd);
/* Of this socket: the first, and the next. */
struct registration *registration_of_cookie(uint64_t cookie);
struct registration *registration_next_of_cookie(const struct registration *registration);
/* With this data in the set: likewise. */
struct registration *registration_of_data(const struct set *set, uint64_t data);
struct registration *registration_next_of_data(const struct registration *registration);
/* Whether no other one in the set has its data. */
bool registration_is_alone(const struct registration *registration);

/* A new one; NULL: there is no room. */
struct registration *registration_make(struct set *set, int fd, const struct epoll_event *event);
void registration_change(struct registration *registration, const struct epoll_event *event);
/* What its descriptor is: a message socket's cookie, or 0. */
void registration_set_socket(struct registration *registration, uint64_t cookie);
void registration_set_state(struct registration *registration, enum tail_state state);
/* Needs no lock: from `seen`, as it was read, to another state. Both are not idle. false: it has
 * changed meanwhile. */
bool registration_try_state(struct registration *registration, uint32_t seen,
                            enum tail_state state);
void registration_free(struct registration *registration);

#endif
