/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "wait/epoll_ctl.h"

#include "base/sys.h"
#include "fd/fd_class.h"
#include "table/held.h"
#include "wait/epoll_proxy.h"

#include <errno.h>

static __thread struct critical_section section_of_fork;

int epoll_ctl_start(void)
{
    return registry_start();
}

static bool is_shared(void)
{
    return atomic_load_explicit(&state.forked, memory_order_relaxed);
}

static bool any_sockets(void)
{
    return atomic_load_explicit(&registry_sockets, memory_order_acquire) != 0;
}

/* --- what is held ------------------------------------------------------------------------ */

void epoll_ctl_tail_changed(uint64_t cookie)
{
    struct critical_section section;
    bool held;

    if (!any_sockets())
        return;
    registry_enter(&section);
    held = proxy_is_held(cookie);
    for (struct registration *each = registration_of_cookie(cookie); each;
         each = registration_next_of_cookie(each))
        proxy_update(each, held, false);
    registry_leave(&section);
}

int epoll_ctl_highest(int other)
{
    int highest = atomic_load_explicit(&registry_highest, memory_order_relaxed);

    return highest > other ? highest : other;
}

void epoll_ctl_expose(int fd)
{
    struct critical_section section;
    struct set *set = set_of(fd);

    if (!set || atomic_load_explicit(&set->exposed, memory_order_relaxed))
        return;
    registry_enter(&section);
    if ((set = set_of(fd)))
        proxy_watch(set);
    registry_leave(&section);
}

/* --- epoll_ctl --------------------------------------------------------------------------- */

static void registration_end(struct registration *registration, bool closing)
{
    struct set *set = registration_set(registration);

    proxy_end(registration, closing);
    registration_free(registration);
    set_update_watched(set, is_shared());
}

/* The program asked for `event`: for the first time, or anew. */
static void ask(struct registration *registration, bool is_new)
{
    uint64_t cookie = registration->cookie;

    /* Where the kernel knows the registration, it is the same socket still; where it is new, the
     * number may have been closed and used again behind our back. */
    if (is_new || cookie == 0) {
        bool socket = fd_kind(fd_class_cached(registration->fd)) >= FD_SOCKET;

        if (socket && is_new)
            fd_class_query(registration->fd);
        cookie = socket ? fd_cookie(registration->fd) : 0;
        registration_set_socket(registration, cookie);
        set_update_watched(registration_set(registration), is_shared());
    }
    if (cookie)
        proxy_update(registration, proxy_is_held(cookie), true);
}

static void control_locked(int epfd, int operation, int fd, const struct epoll_event *event)
{
    struct registration *registration;
    struct set *set = set_of(epfd), *inner = set_of(fd);

    if (!set && (set = set_make(epfd)))
        set->exposed = true; /* not made by a call that we saw */
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
        proxy_watch(inner);
    if (registration) {
        /* What is there to tell of it has the old data, or has been told. */
        registration->muted = false;
        proxy_end(registration, false);
        registration_change(registration, event);
        ask(registration, false);
    } else if ((registration = registration_make(set, fd, event))) {
        ask(registration, true);
    }
    /* One of several with one data is told by the kernel. */
    if (registration && !registration_is_alone(registration))
        for (struct registration *each = registration_of_data(set, event->data.u64); each;
             each = registration_next_of_data(each))
            if (each->pending)
                proxy_expose(each);
}

int epoll_ctl_follow(int epfd, int operation, int fd, struct epoll_event *event)
{
    struct critical_section section;
    int error;

    registry_enter(&section);
    error = next_calls.epoll_ctl(epfd, operation, fd, event) == 0 ? 0 : -errno;
    if (!error && registry_in_range(epfd) && registry_in_range(fd))
        control_locked(epfd, operation, fd, event);
    registry_leave(&section);
    return error;
}

/* --- descriptors ------------------------------------------------------------------------- */

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
    return !registry_in_range(fd) ||
           (atomic_load_explicit(&registry_set_of[fd], memory_order_relaxed) == 0 &&
            atomic_load_explicit(&registry_first_of[fd], memory_order_relaxed) == 0);
}

static void forget_locked(int fd, bool gone)
{
    uint32_t at;

    forget_set_number(fd);
    /* The kernel keeps the registration while a dup is open. */
    while (gone && (at = atomic_load_explicit(&registry_first_of[fd], memory_order_relaxed)))
        registration_end(registration_at(at), true);
}

void epoll_ctl_forget(int fd, bool gone)
{
    struct critical_section section;

    if (is_unknown(fd) || !state_is_own())
        return;
    registry_enter(&section);
    forget_locked(fd, gone);
    registry_leave(&section);
}

void epoll_ctl_forget_socket(uint64_t cookie)
{
    struct critical_section section;
    struct registration *registration;

    if (!any_sockets() || !state_is_own())
        return;
    registry_enter(&section);
    while ((registration = registration_of_cookie(cookie)))
        registration_end(registration, true);
    registry_leave(&section);
}

/* Of a stand-in whose number the program takes. */
static void forget_proxies(unsigned first, unsigned last)
{
    for (struct set *set = set_next(NULL); set; set = set_next(set))
        for (struct registration *each = registration_at(set->first_active), *next; each;
             each = next) {
            next = registration_at(each->next_active);
            if (each->proxy >= 0 && (unsigned)each->proxy >= first && (unsigned)each->proxy <= last)
                proxy_end(each, false);
        }
}

void epoll_ctl_forget_range(unsigned first, unsigned last)
{
    struct critical_section section;
    int highest = atomic_load_explicit(&registry_highest, memory_order_relaxed);

    if (highest < 0 || !state_is_own())
        return;
    registry_enter(&section);
    for (unsigned fd = first; fd <= last && fd <= (unsigned)highest; fd++)
        if (!is_unknown((int)fd))
            forget_locked((int)fd, true);
    forget_proxies(first, last);
    registry_leave(&section);
}

void epoll_ctl_refresh(void)
{
    struct critical_section section;

    if (!any_sockets() || !state_is_own())
        return;
    registry_enter(&section);
    for (struct set *set = set_next(NULL); set; set = set_next(set))
        proxy_scan(set);
    registry_leave(&section);
}

void epoll_ctl_set_made(int epfd)
{
    struct critical_section section;

    if (!registry_in_range(epfd) || !state_is_own())
        return;
    registry_enter(&section);
    forget_set_number(epfd); /* one that was closed behind our back */
    set_make(epfd);
    registry_leave(&section);
}

void epoll_ctl_duplicated(int old, int new)
{
    struct critical_section section;
    struct set *set;

    if (!registry_in_range(new) || !set_of(old))
        return;
    registry_enter(&section);
    if ((set = set_of(old)) && set_of(new) != set) {
        forget_set_number(new);
        set_add_number(set, new);
    }
    registry_leave(&section);
}

/* --- fork -------------------------------------------------------------------------------- */

void epoll_ctl_forks_now(void)
{
    struct critical_section section;

    atomic_fetch_add(&registry_forks, 1);
    registry_enter(&section);
    for (struct set *set = set_next(NULL); set; set = set_next(set))
        set_update_watched(set, true);
    registry_leave(&section);
}

void epoll_ctl_before_fork(void)
{
    registry_enter(&section_of_fork);
    proxy_before_fork();
}

void epoll_ctl_after_fork(void)
{
    proxy_after_fork();
    registry_leave(&section_of_fork);
}
