/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "wait/epoll_learn.h"

#include "base/diag.h"
#include "base/libc.h"
#include "base/sys.h"
#include "fd/fd_class.h"
#include "wait/epoll_hints.h"
#include "wait/epoll_proxy.h"
#include "wait/epoll_scan.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

atomic_bool learn_is_following, learn_is_concerned, learn_is_family;
atomic_uint learn_rounds;

/* How many calls of epoll_ctl were entered since one found a tail. */
static unsigned idle_calls;

/* --- concerned ---------------------------------------------------------------------------- */

/* Once a set may have a message socket and there has been a fork, other processes may leave
 * tails. */
static void update_family(void)
{
    if (learn_concerned() && table_is_shared() && !atomic_exchange(&learn_is_family, true))
        atomic_fetch_add(&registry_watched, 1);
}

void learn_note_concerned(void)
{
    if (!learn_concerned()) {
        atomic_store(&learn_is_concerned, true);
        update_family();
    }
}

void learn_note(int epfd, int fd)
{
    fd_class class = fd_class_cached(fd);

    hints_note_set(epfd);
    if (fd_kind(class) >= FD_SOCKET)
        learn_note_concerned();
}

/* --- what a registration is -------------------------------------------------------------- */

/* What is known of a set while its entries are read. */
struct learned {
    int epfd;
    bool own;
    uint64_t anonymous; /* the inode of epoll sets, eventfds and their like */
};

/* The number by which an entry's file is open here; -1: none is known. An entry keeps the number by
 * which its socket was registered, even if that is closed by now and a duplicate is open. */
static int number_of(const struct fdinfo_entry *entry)
{
    if (entry->inode == 0 || fdinfo_is_file(entry->fd, entry->inode))
        return entry->fd;
    for (unsigned fd = 0; fd <= fd_highest(); fd++)
        if (fd_kind(fd_class_cached((int)fd)) >= FD_SOCKET && fdinfo_is_file((int)fd, entry->inode))
            return (int)fd;
    return -1;
}

/* Whether it is not the program's own registration, but shows a tail: a proxy or a flare, of this
 * process or another. */
static bool is_anothers(const struct learned *learned, const struct fdinfo_entry *entry)
{
    if (learned->own || entry->inode == 0 || fdinfo_is_file(entry->fd, entry->inode))
        return fd_is_internal(entry->fd);
    return entry->inode == learned->anonymous || proxy_may_be_flare(entry);
}

/* The cookie of an entry's socket; 0: it is no message socket. */
static uint64_t cookie_of(const struct fdinfo_entry *entry)
{
    int fd = number_of(entry);

    return fd >= 0 && fd_kind(fd_class_cached(fd)) >= FD_SOCKET ? fd_cookie(fd) : 0;
}

static void learn_entry(struct set *set, const struct learned *learned,
                        const struct fdinfo_entry *entry)
{
    struct epoll_event event = {.events = entry->events & ~(uint32_t)(EPOLLERR | EPOLLHUP),
                                .data.u64 = entry->data};
    struct registration *registration;
    uint32_t events;

    if (is_anothers(learned, entry))
        return;
    /* The number may have been registered with an earlier file as well, of which there is a duplicate:
     * as where EPOLL_CTL_ADD is seen, it then stands for the file that it is now. */
    registration = registration_find(set, entry->fd);
    if (registration && !fdinfo_is_file(entry->fd, entry->inode))
        return;
    if (registration)
        registration_free(registration);
    if (proxy_is_muted(entry, &events))
        event.events = events;
    registration = registration_make(set, entry->fd, &event);
    if (registration)
        registration_set_socket(registration, cookie_of(entry));
}

/* --- sets -------------------------------------------------------------------------------- */

static void empty_set(struct set *set)
{
    struct registration *each;

    while ((each = registration_first(set, REGISTRATION_ALL))) {
        proxy_settle(each);
        proxy_end(each, false);
        registration_set_state(each, TAIL_IDLE);
        registration_free(each);
    }
}

static struct set *make_set(const struct learned *learned)
{
    struct set *set = set_make(learned->epfd);

    if (set) {
        set->exposed = !learned->own;
        set->inherited = !learned->own && table_is_shared();
    }
    return set;
}

static void fill_from_memory(const struct learned *learned)
{
    struct set *set = set_of(learned->epfd);
    struct fdinfo_entry entry;

    for (int at = 0; hints_next_remembered(&at, learned->epfd, &entry);)
        if (set || (set = make_set(learned)))
            learn_entry(set, learned, &entry);
}

/* 0, or the error for which /proc cannot be read: then what was known of the set still is. */
static int fill_from_proc(const struct learned *learned)
{
    struct set *set = set_of(learned->epfd);
    struct fdinfo_entry entry;
    struct fdinfo info;
    int error = fdinfo_open(&info, learned->epfd);

    if (error)
        return error;
    if (set)
        empty_set(set);
    while (fdinfo_next(&info, &entry))
        if (set || (set = make_set(learned)))
            learn_entry(set, learned, &entry);
    fdinfo_close(&info);
    if (info.error && set)
        empty_set(set);
    return info.error;
}

static int fill_set(int epfd)
{
    struct learned learned = {.epfd = epfd, .own = hints_is_own(epfd)};
    struct sys_file file;
    int error = sys_fstat(epfd, &file);

    if (error == -EBADF)
        return 0; /* it is closed */
    if (!error && (file.mode & S_IFMT) != 0)
        return 0; /* a file that came in a message */
    learned.anonymous = error ? 0 : file.inode;
    error = fill_from_proc(&learned);
    if (error == -ENOENT && sys_fstat(epfd, &file) == -EBADF)
        return 0; /* it has been closed meanwhile */
    if (error)
        fill_from_memory(&learned);
    return error;
}

/* Whether two numbers are the same set: then what is in the one cannot be added to the other. The
 * eventfd is registered for no event, so it wakes nobody. */
static bool is_same_set(int epfd, int copy)
{
    struct epoll_event event = {.events = 0};
    int fd = sys_eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool same = false;

    if (fd < 0)
        return false;
    if (next_calls.epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event) == 0) {
        if (next_calls.epoll_ctl(copy, EPOLL_CTL_ADD, fd, &event) == 0)
            next_calls.epoll_ctl(copy, EPOLL_CTL_DEL, fd, NULL);
        else
            same = errno == EEXIST;
        next_calls.epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL);
    }
    sys_close(fd);
    return same;
}

/* If a duplicate was taken for a set of its own, it becomes a number of the set that it is. */
static void join_copy(int copy)
{
    struct set *other = set_of(copy);

    for (struct set *set = set_next(NULL); set; set = set_next(set)) {
        if (set == other || !is_same_set(set->epfd, copy))
            continue;
        if (other && set_drop_number(other, copy)) {
            empty_set(other);
            set_free(other);
        }
        set_add_number(set, copy);
        return;
    }
}

static void join_copies(void)
{
    for (int at = 0, copy; (copy = hints_next_copy(&at)) >= 0;)
        join_copy(copy);
}

static int fill_sets(void)
{
    int error = 0;

    for (int epfd = -1; (epfd = hints_next_set(epfd)) >= 0;) {
        int failed = fill_set(epfd);

        if (failed)
            error = failed;
    }
    join_copies();
    return error;
}

static void note_nested(const struct set *set)
{
    for (struct registration *each = registration_first(set, REGISTRATION_ALL); each;
         each = registration_next(each, REGISTRATION_ALL)) {
        struct set *inner = set_of(each->fd);

        if (inner && inner != set)
            proxy_watch(inner);
    }
}

static void report(int error)
{
    static atomic_int reported;

    diag_once(reported,
              "cannot know who waits in epoll sets: %s; "
              "from now on tails are held in the kernel",
              strerrordesc_np(error));
    state_hold_in_kernel();
}

bool learn_set(int epfd)
{
    int error = fill_set(epfd);
    struct set *set;

    if (error)
        report(-error);
    join_copies();
    set = set_of(epfd);
    if (set) {
        note_nested(set);
        scan_set(set);
    }
    return !error;
}

struct set *learn_make_set(int epfd)
{
    return make_set(&(struct learned){.epfd = epfd, .own = hints_is_own(epfd)});
}

/* --- the registry ------------------------------------------------------------------------ */

static void stop_following(void)
{
    registry_clear();
    atomic_store(&learn_is_following, false);
}

static void start_locked(void)
{
    int error;

    /* Set before /proc is read, so that each call made after that is entered. */
    atomic_store(&learn_is_following, true);
    atomic_fetch_add(&learn_rounds, 1);
    idle_calls = 0;
    error = fill_sets();
    if (error)
        report(-error);
    if (atomic_load(&registry_sockets) == 0) {
        atomic_store(&learn_is_concerned, false);
        stop_following();
        return;
    }
    for (struct set *set = set_next(NULL); set; set = set_next(set))
        note_nested(set);
    for (struct set *set = set_next(NULL); set; set = set_next(set))
        scan_set(set);
    if (atomic_load(&registry_is_full))
        report(ENOMEM);
}

void learn_start(void)
{
    struct critical_section section;

    if (learn_following() || sys_is_sandboxed())
        return;
    registry_enter(&section);
    if (!learn_following())
        start_locked();
    registry_leave(&section);
}

void learn_end(void)
{
    struct critical_section section;

    if (!learn_following())
        return;
    registry_enter(&section);
    for (struct set *set = set_next(NULL); set; set = set_next(set))
        empty_set(set);
    stop_following();
    registry_leave(&section);
}

bool learn_call_idles(void)
{
    idle_calls = table_tails_here() ? 0 : idle_calls + 1;
    return idle_calls >= 64 + 4 * registry_size();
}

void learn_rest(void)
{
    for (struct set *set = set_next(NULL); set; set = set_next(set)) {
        registration_each_active(set, proxy_end_lingering);
        if (registration_first(set, REGISTRATION_ACTIVE))
            return;
    }
    stop_following();
}

/* --- fork -------------------------------------------------------------------------------- */

void learn_forked(void)
{
    struct critical_section section;

    update_family();
    hints_forked();
    if (!learn_following())
        return;
    registry_enter(&section);
    for (struct set *set = set_next(NULL); set; set = set_next(set))
        proxy_share(set);
    registry_leave(&section);
}

void learn_forget_in_child(void)
{
    proxy_close_copies();
    registry_clear_in_child();
    atomic_store(&learn_is_following, false);
    atomic_store(&registry_watched, atomic_load(&learn_is_family));
}
