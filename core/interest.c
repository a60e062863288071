/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "interest.h"

#include "engine.h"
#include "stand_in.h"

#include <errno.h>

static __thread struct guard guard_of_fork;

int interest_start(void)
{
    return registrations_start();
}

static bool is_shared(void)
{
    return atomic_load_explicit(&engine.table->shared, memory_order_relaxed);
}

static bool any_sockets(void)
{
    return atomic_load_explicit(&registrations_sockets, memory_order_acquire) != 0;
}

/* --- what is held ------------------------------------------------------------------------ */

void interest_update(uint64_t cookie)
{
    struct guard guard;
    bool held;

    if (!any_sockets())
        return;
    registrations_enter(&guard);
    held = stand_in_is_held(cookie);
    for (struct registration *each = registration_of_cookie(cookie); each;
         each = registration_next_of_cookie(each))
        stand_in_update(each, held, false);
    registrations_leave(&guard);
}

int interest_highest(int other)
{
    int highest = atomic_load_explicit(&registrations_highest, memory_order_relaxed);

    return highest > other ? highest : other;
}

void interest_watch(int fd)
{
    struct guard guard;
    struct set *set = set_of(fd);

    if (!set || atomic_load_explicit(&set->watched, memory_order_relaxed))
        return;
    registrations_enter(&guard);
    if ((set = set_of(fd)))
        stand_in_watch(set);
    registrations_leave(&guard);
}

/* --- epoll_ctl --------------------------------------------------------------------------- */

static void registration_end(struct registration *registration, bool closing)
{
    struct set *set = registration_set(registration);

    stand_in_end(registration, closing);
    registration_free(registration);
    set_update_cares(set, is_shared());
}

/* The program asked for `event`: for the first time, or anew. */
static void ask(struct registration *registration, bool is_new)
{
    uint64_t cookie = registration->cookie;
    socket_belief belief;

    /* Where the kernel knows the registration, it is the same socket still; where it is new, the
     * number may have been closed and used again behind our back. */
    if (is_new || cookie == 0) {
        belief = is_new ? socket_ask(registration->fd) : socket_know(registration->fd);
        cookie = socket_is_message(belief) ? socket_cookie(belief) : 0;
        registration_set_socket(registration, cookie);
        set_update_cares(registration_set(registration), is_shared());
    }
    if (cookie)
        stand_in_update(registration, stand_in_is_held(cookie), true);
}

static void control_locked(int epfd, int operation, int fd, const struct epoll_event *event)
{
    struct registration *registration;
    struct set *set = set_of(epfd), *inner = set_of(fd);

    if (!set && (set = set_make(epfd)))
        set->watched = true; /* not made by a call that we saw */
    if (!set)
        return;
    registration = registration_find(set, fd);
    if (registration && operation != EPOLL_CTL_MOD) {
        registration_end(registration, operation == EPOLL_CTL_ADD);
        registration = NULL;
    }
    if (operation == EPOLL_CTL_DEL)
        return;
    if (inner)
        stand_in_watch(inner);
    if (registration) {
        /* What is there to tell of it has the old data, or has been told. */
        registration->silenced = false;
        stand_in_end(registration, false);
        registration_change(registration, event);
        ask(registration, false);
    } else if ((registration = registration_make(set, fd, event))) {
        ask(registration, true);
    }
    /* One of several with one data is told by the kernel. */
    if (registration && !registration_is_alone(registration))
        for (struct registration *each = registration_of_data(set, event->data.u64); each;
             each = registration_next_of_data(each))
            if (each->due)
                stand_in_expose(each);
}

int interest_control(int epfd, int operation, int fd, struct epoll_event *event)
{
    struct guard guard;
    int error;

    registrations_enter(&guard);
    error = engine.system.epoll_ctl(epfd, operation, fd, event) == 0 ? 0 : -errno;
    if (!error && registrations_in_range(epfd) && registrations_in_range(fd))
        control_locked(epfd, operation, fd, event);
    registrations_leave(&guard);
    return error;
}

/* --- descriptors ------------------------------------------------------------------------- */

bool interest_is_ours(int fd)
{
    return socket_kind(socket_believe(fd)) == SOCKET_OURS;
}

static void forget_set_number(int fd)
{
    struct set *set = set_of(fd);

    if (!set || !set_drop_number(set, fd))
        return;
    while (set->first)
        registration_end(registration_at(set->first), true);
    set_free(set);
}

/* Whether a descriptor's number means nothing to us: without the lock. */
static bool is_unknown(int fd)
{
    return !registrations_in_range(fd) ||
           (atomic_load_explicit(&registrations_set_of[fd], memory_order_relaxed) == 0 &&
            atomic_load_explicit(&registrations_first_of[fd], memory_order_relaxed) == 0);
}

static void forget_locked(int fd, bool gone)
{
    uint32_t at;

    forget_set_number(fd);
    /* The kernel keeps the registration while a dup is open. */
    while (gone &&
           (at = atomic_load_explicit(&registrations_first_of[fd], memory_order_relaxed)))
        registration_end(registration_at(at), true);
}

void interest_forget(int fd, bool gone)
{
    struct guard guard;

    if (is_unknown(fd) || !engine_is_own())
        return;
    registrations_enter(&guard);
    forget_locked(fd, gone);
    registrations_leave(&guard);
}

void interest_forget_socket(uint64_t cookie)
{
    struct guard guard;
    struct registration *registration;

    if (!any_sockets() || !engine_is_own())
        return;
    registrations_enter(&guard);
    while ((registration = registration_of_cookie(cookie)))
        registration_end(registration, true);
    registrations_leave(&guard);
}

/* Of a stand-in whose number the program takes. */
static void forget_stand_ins(unsigned first, unsigned last)
{
    for (struct set *set = set_next(NULL); set; set = set_next(set))
        for (struct registration *each = registration_at(set->first_active), *next; each;
             each = next) {
            next = registration_at(each->next_active);
            if (each->stand_in >= 0 && (unsigned)each->stand_in >= first &&
                (unsigned)each->stand_in <= last)
                stand_in_end(each, false);
        }
}

void interest_forget_range(unsigned first, unsigned last)
{
    struct guard guard;
    int highest = atomic_load_explicit(&registrations_highest, memory_order_relaxed);

    if (highest < 0 || !engine_is_own())
        return;
    registrations_enter(&guard);
    for (unsigned fd = first; fd <= last && fd <= (unsigned)highest; fd++)
        if (!is_unknown((int)fd))
            forget_locked((int)fd, true);
    forget_stand_ins(first, last);
    registrations_leave(&guard);
}

void interest_refresh(void)
{
    struct guard guard;

    if (!any_sockets() || !engine_is_own())
        return;
    registrations_enter(&guard);
    for (struct set *set = set_next(NULL); set; set = set_next(set))
        stand_in_scan(set);
    registrations_leave(&guard);
}

void interest_made(int epfd)
{
    struct guard guard;

    if (!registrations_in_range(epfd) || !engine_is_own())
        return;
    registrations_enter(&guard);
    forget_set_number(epfd); /* one that was closed behind our back */
    set_make(epfd);
    registrations_leave(&guard);
}

void interest_duplicated(int old, int new)
{
    struct guard guard;
    struct set *set;

    if (!registrations_in_range(new) || !set_of(old))
        return;
    registrations_enter(&guard);
    if ((set = set_of(old)) && set_of(new) != set) {
        forget_set_number(new);
        set_add_number(set, new);
    }
    registrations_leave(&guard);
}

/* --- fork -------------------------------------------------------------------------------- */

void interest_forks_now(void)
{
    struct guard guard;

    atomic_fetch_add(&registrations_forks, 1);
    registrations_enter(&guard);
    for (struct set *set = set_next(NULL); set; set = set_next(set))
        set_update_cares(set, true);
    registrations_leave(&guard);
}

void interest_before_fork(void)
{
    registrations_enter(&guard_of_fork);
    stand_in_before_fork();
}

void interest_after_fork(void)
{
    stand_in_after_fork();
    registrations_leave(&guard_of_fork);
}
