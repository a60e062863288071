/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "wait/epoll_ctl.h"

#include "base/sys.h"
#include "fd/fd_class.h"
#include "table/held.h"
#include "wait/epoll_hints.h"
#include "wait/epoll_learn.h"
#include "wait/epoll_proxy.h"
#include "wait/epoll_scan.h"

#include <errno.h>

/* While the registry is filled, a fork takes its lock. */
static __thread struct critical_section section_of_fork;
static __thread bool fork_has_lock;

static bool any_sockets(void)
{
    return atomic_load_explicit(&registry_sockets, memory_order_acquire) != 0;
}

/* Whether the registry is filled, and belongs to this process (not to the parent of a vfork
 * child). */
static bool is_followed_here(void)
{
    return learn_following() && state_is_own();
}

/* --- what is held ------------------------------------------------------------------------ */

static void update_all(uint64_t cookie)
{
    struct critical_section section;
    bool held;

    registry_enter(&section);
    held = proxy_look(cookie, NULL);
    for (struct registration *each = registration_of_cookie(cookie); each;
         each = registration_next_of_cookie(each))
        proxy_update(each, held, false);
    registry_leave(&section);
}

void epoll_ctl_tail_changed(uint64_t cookie)
{
    if (!state_is_own_as_seen() || sys_is_sandboxed())
        return;
    if (any_sockets())
        update_all(cookie);
    else if (learn_concerned() && !learn_following() && proxy_look(cookie, NULL))
        learn_start(); /* which shows the tail as well */
}

bool epoll_ctl_is_concerned(void)
{
    return any_sockets() || learn_concerned();
}

int epoll_ctl_highest(int other)
{
    int highest = hints_highest();

    return highest > other ? highest : other;
}

bool epoll_ctl_expose(int fd)
{
    struct critical_section section;
    struct set *set;

    if (!learn_concerned() || !hints_may_be_set(fd))
        return false;
    learn_start();
    set = learn_following() ? set_of(fd) : NULL;
    if (!set || atomic_load_explicit(&set->exposed, memory_order_relaxed))
        return false;
    registry_enter(&section);
    if ((set = set_of(fd)))
        proxy_watch(set);
    registry_leave(&section);
    return true;
}

/* --- epoll_ctl --------------------------------------------------------------------------- */

static void registration_end(struct registration *registration, bool closing)
{
    proxy_reset(registration, closing);
    registration_free(registration);
}

/* It was closed without a call that we saw. */
static void registration_is_gone(struct registration *registration)
{
    registration_end(registration, true);
}

/* The program is about to close the socket, or the set. */
static void registration_close(struct registration *registration)
{
    proxy_leave(registration);
    registration_end(registration, true);
}

/* Shows what is held for a registration that the program has just made (`is_new`) or changed. */
static void show(struct registration *registration, bool is_new)
{
    uint64_t cookie = registration->cookie;

    /* If the kernel knew the registration already, the socket is still the same. If it is new, the
     * number may have been closed and reused without a call that we saw. */
    if (is_new || cookie == 0) {
        bool socket = fd_kind(fd_class_cached(registration->fd)) >= FD_SOCKET;

        if (socket && is_new)
            fd_class_query(registration->fd);
        cookie = socket ? fd_cookie(registration->fd) : 0;
        registration_set_socket(registration, cookie);
    }
    if (cookie)
        proxy_update(registration, proxy_look(cookie, NULL), true);
}

/* The same for a registration that the registry has learned of from the kernel. */
static void show_asked(int epfd, int fd)
{
    struct set *set = set_of(epfd);
    struct registration *registration = set ? registration_find(set, fd) : NULL;

    if (registration)
        show(registration, false);
}

/* If several registrations have the same data, the kernel reports their tails: by proxies. */
static void expose_shared_data(const struct set *set, uint64_t data)
{
    for (struct registration *each = registration_of_data(set, data); each;
         each = registration_next_of_data(each))
        proxy_expose(each);
}

static struct registration *change_locked(struct set *set, int operation, int fd,
                                          const struct epoll_event *event)
{
    struct registration *registration = registration_find(set, fd);

    if (registration && operation != EPOLL_CTL_MOD) {
        registration_end(registration, operation == EPOLL_CTL_ADD);
        registration = NULL;
    }
    if (operation == EPOLL_CTL_DEL)
        return NULL;
    if (registration) {
        /* What was to be reported has the old data, or has been reported already. */
        proxy_renew(registration);
        registration_change(registration, event);
        show(registration, false);
    } else if ((registration = registration_make(set, fd, event))) {
        show(registration, true);
    }
    return registration;
}

static void control_locked(int epfd, int operation, int fd, const struct epoll_event *event)
{
    struct registration *registration;
    struct set *set = set_of(epfd), *inner = set_of(fd);

    if (!set && learn_set(epfd)) {
        show_asked(epfd, fd); /* what was registered just now is in it */
        return;
    }
    if (!set && !(set = set_of(epfd)) && !(set = learn_make_set(epfd)))
        return;
    if (inner && operation != EPOLL_CTL_DEL)
        proxy_watch(inner);
    registration = change_locked(set, operation, fd, event);
    if (registration && !registration_is_alone(registration))
        expose_shared_data(set, event->data.u64);
}

static int call(int epfd, int operation, int fd, struct epoll_event *event)
{
    int error;

    epoll_ctl_begins(epfd, operation, fd);
    error = next_calls.epoll_ctl(epfd, operation, fd, event) == 0 ? 0 : -errno;
    if (!error)
        hints_remember(epfd, operation, fd, event);
    return error;
}

/* --- a one shot that is armed again ------------------------------------------------------ */

/* A registration whose change needs no lock, if the program arms it as it was: with one thread and
 * only our waits, a signal handler's changes show in its word. NULL: there is none. */
static struct registration *without_lock(int epfd, int operation, int fd, uint32_t *ret_word)
{
    struct set *set = operation == EPOLL_CTL_MOD ? set_of(epfd) : NULL;
    struct registration *found =
        set && proxy_only_waits_look(set) ? registration_find(set, fd) : NULL;

    if (!found || !(found->events & EPOLLONESHOT))
        return NULL;
    *ret_word = registration_word(found);
    return found->cookie && found->proxy < 0 && found->fd == fd && registration_set(found) == set
               ? found
               : NULL;
}

/* Enters that; false: it has to be done with the lock. */
static bool arm_again(struct registration *registration, uint32_t word,
                      const struct epoll_event *event)
{
    enum tail_state before = tail_state_of(word);
    bool held = proxy_look(registration->cookie, NULL), idles = learn_call_idles();

    if (registration->events != event->events || registration->data.u64 != event->data.u64)
        return false;
    if (before == TAIL_IDLE)
        return !held && registration_word(registration) == word && !idles;
    if (!held || before == TAIL_SHOWN || !(event->events & PROXY_READABLE) ||
        !registration_is_alone(registration))
        return false;
    registration->reported = SIZE_MAX;
    return registration_try_state(registration, word, TAIL_PENDING);
}

/* A tail came during a call, and the set may have been read before that. */
static void enter_late(int epfd, int operation, int fd, const struct epoll_event *event, int error)
{
    struct critical_section section;

    registry_enter(&section);
    if (learn_following() && !learn_set(epfd) && !error)
        control_locked(epfd, operation, fd, event);
    else if (!learn_following() && operation != EPOLL_CTL_DEL)
        learn_note(epfd, fd);
    registry_leave(&section);
}

/* A tail is held, and until this call it concerned no set. */
static void show_first(int epfd, int fd)
{
    struct critical_section section;

    learn_note(epfd, fd);
    if (!learn_concerned())
        return;
    learn_start();
    registry_enter(&section);
    show_asked(epfd, fd);
    registry_leave(&section);
}

unsigned epoll_ctl_begins(int epfd, int operation, int fd)
{
    unsigned rounds = atomic_load(&learn_rounds);

    if (operation != EPOLL_CTL_DEL)
        learn_note(epfd, fd);
    return rounds;
}

int epoll_ctl_ends(int epfd, int operation, int fd, const struct epoll_event *event, unsigned begun,
                   int error)
{
    if (!error)
        hints_remember(epfd, operation, fd, event);
    if (!LIKELY(begun == atomic_load(&learn_rounds)))
        enter_late(epfd, operation, fd, event, error);
    if (!error && operation != EPOLL_CTL_DEL && !LIKELY(!table_tails_here()))
        show_first(epfd, fd);
    return error;
}

int epoll_ctl_follow(int epfd, int operation, int fd, struct epoll_event *event)
{
    struct critical_section section;
    struct registration *known;
    uint32_t word;
    int error = 0;

    if (epoll_ctl_is_plain()) {
        unsigned begun = epoll_ctl_begins(epfd, operation, fd);

        error = next_calls.epoll_ctl(epfd, operation, fd, event) == 0 ? 0 : -errno;
        return epoll_ctl_ends(epfd, operation, fd, event, begun, error);
    }
    known = without_lock(epfd, operation, fd, &word);
    if (known) {
        error = call(epfd, operation, fd, event);
        if (error || arm_again(known, word, event))
            return error;
    }
    registry_enter(&section);
    /* If a signal handler has changed it meanwhile, this is the later change. */
    if (!known || registration_word(known) != word)
        error = call(epfd, operation, fd, event);
    if (!error && learn_following() && registry_in_range(epfd) && registry_in_range(fd))
        control_locked(epfd, operation, fd, event);
    if (learn_following() && learn_call_idles())
        learn_rest();
    registry_leave(&section);
    return error;
}

/* --- descriptors ------------------------------------------------------------------------- */

/* `end`: registration_close(), or registration_is_gone() if the number is another file's by now. */
static void forget_set_number(int fd, void (*end)(struct registration *))
{
    struct registration *registration;
    struct set *set = set_of(fd);

    if (!set || !set_drop_number(set, fd))
        return;
    while ((registration = registration_first(set, REGISTRATION_ALL)))
        end(registration);
    set_free(set);
}

/* Whether nothing is known of a descriptor's number. Needs no lock. */
static bool is_unknown(int fd)
{
    return !set_of(fd) && registry_first_of(fd) == 0;
}

static void forget_locked(int fd, bool gone, void (*end)(struct registration *))
{
    struct registration *registration;

    forget_set_number(fd, end);
    /* While a duplicate is open, the kernel keeps the registration. */
    while (gone && (registration = registration_of_fd(fd)))
        end(registration);
}

void epoll_ctl_forget(int fd, bool gone)
{
    struct critical_section section;

    hints_number_closed(fd);
    if (is_unknown(fd) || !is_followed_here())
        return;
    registry_enter(&section);
    forget_locked(fd, gone, registration_close);
    registry_leave(&section);
}

void epoll_ctl_forget_socket(uint64_t cookie)
{
    struct critical_section section;
    struct registration *registration;

    if (!any_sockets() || !is_followed_here())
        return;
    registry_enter(&section);
    while ((registration = registration_of_cookie(cookie)))
        registration_close(registration);
    registry_leave(&section);
}

/* Ends the proxies whose numbers the program closes. */
static void forget_proxies(unsigned first, unsigned last)
{
    for (struct set *set = set_next(NULL); set; set = set_next(set))
        for (struct registration *each = registration_first(set, REGISTRATION_ACTIVE), *next; each;
             each = next) {
            next = registration_next(each, REGISTRATION_ACTIVE);
            if (each->proxy >= 0 && (unsigned)each->proxy >= first && (unsigned)each->proxy <= last)
                proxy_end(each, false);
        }
}

void epoll_ctl_forget_range(unsigned first, unsigned last)
{
    struct critical_section section;
    int highest = atomic_load_explicit(&registry_highest, memory_order_relaxed);

    hints_range_closed(first, last);
    if (highest < 0 || !is_followed_here())
        return;
    registry_enter(&section);
    for (unsigned fd = first; fd <= last && fd <= (unsigned)highest; fd++)
        if (!is_unknown((int)fd))
            forget_locked((int)fd, true, registration_close);
    forget_proxies(first, last);
    registry_leave(&section);
}

void epoll_ctl_refresh(void)
{
    struct critical_section section;

    if (!any_sockets() || !is_followed_here())
        return;
    registry_enter(&section);
    for (struct set *set = set_next(NULL); set; set = set_next(set))
        scan_set(set);
    registry_leave(&section);
}

uint64_t epoll_ctl_set_begins(void)
{
    return hints_forks();
}

void epoll_ctl_set_made(int epfd, uint64_t begun)
{
    struct critical_section section;

    if (!state_is_own_as_seen())
        return;
    hints_set_made(epfd, begun);
    if (is_unknown(epfd) || !is_followed_here())
        return;
    registry_enter(&section);
    forget_locked(epfd, true, registration_is_gone); /* the one before */
    registry_leave(&section);
}

void epoll_ctl_duplicated(int old, int new)
{
    struct critical_section section;
    struct set *set;

    hints_set_duplicated(old, new);
    if (!registry_in_range(new) || !set_of(old) || !learn_following())
        return;
    registry_enter(&section);
    if ((set = set_of(old)) && set_of(new) != set) {
        forget_set_number(new, registration_is_gone);
        set_add_number(set, new);
    }
    registry_leave(&section);
}

void epoll_ctl_before_sandbox(void)
{
    learn_end();
}

void epoll_ctl_before_exec(void)
{
    struct critical_section section;

    if (!any_sockets() || !is_followed_here())
        return;
    registry_enter(&section);
    for (struct set *set = set_next(NULL); set; set = set_next(set))
        registration_each_active(set, proxy_settle);
    registry_leave(&section);
}

/* --- fork -------------------------------------------------------------------------------- */

void epoll_ctl_forks_now(void)
{
    learn_forked();
}

void epoll_ctl_before_fork(void)
{
    hints_fork_begins();
    learn_forked(); /* what was there before is everybody's, and what comes now as well */
    fork_has_lock = learn_following();
    if (!fork_has_lock)
        return;
    registry_enter(&section_of_fork);
    proxy_before_fork();
}

void epoll_ctl_after_fork(void)
{
    hints_forked();
    hints_fork_ends();
    if (fork_has_lock) {
        proxy_after_fork();
        registry_leave(&section_of_fork);
        fork_has_lock = false;
    }
}

void epoll_ctl_after_fork_in_child(void)
{
    learn_forget_in_child();
    hints_fork_ends_in_child();
    if (fork_has_lock)
        critical_section_leave(&section_of_fork);
    fork_has_lock = false;
    learn_forked();
}
