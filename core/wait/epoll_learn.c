/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "wait/epoll_learn.h"

#include "base/diag.h"
#include "base/sys.h"
#include "fd/fd_class.h"
#include "wait/epoll_proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

enum { WORD = 64, WORDS = REGISTRY_NUMBERS / WORD, COPIES = 64 };

atomic_bool learn_is_following, learn_is_concerned, learn_is_family;
atomic_uint learn_rounds;

/* By descriptor number, a bit each: that it was used as a set, and that it is one of this process
 * alone. No page of it is there before it is written to. The first is no more than a hint. */
static _Atomic uint64_t used_as_set[WORDS], own_set[WORDS];
static atomic_int highest_set = -1;
/* Numbers by which a set was duplicated, plus 1; hints, too. */
static atomic_int copies[COPIES];

/* The calls of epoll_ctl that were followed since a tail was held. Under the lock. */
static unsigned idle_calls;

/* Registrations of message sockets, as long as there is room, for where /proc cannot be read. The
 * key: the set's number plus 1, and the descriptor's. 0: free. */
enum { REMEMBERED = 64 };
static struct {
    _Atomic uint64_t key, data;
    atomic_uint events;
} remembered[REMEMBERED];

/* --- the numbers of sets ----------------------------------------------------------------- */

static bool has_bit(const _Atomic uint64_t *bits, int fd)
{
    return registry_in_range(fd) &&
           (atomic_load_explicit(&bits[fd / WORD], memory_order_relaxed) >> fd % WORD & 1);
}

static void set_bit(_Atomic uint64_t *bits, int fd)
{
    int seen = atomic_load_explicit(&highest_set, memory_order_relaxed);

    if (!registry_in_range(fd) || has_bit(bits, fd))
        return;
    while (seen < fd && !atomic_compare_exchange_weak(&highest_set, &seen, fd))
        continue;
    atomic_fetch_or(&bits[fd / WORD], UINT64_C(1) << fd % WORD);
}

static void clear_bit(_Atomic uint64_t *bits, int fd)
{
    if (has_bit(bits, fd))
        atomic_fetch_and(&bits[fd / WORD], ~(UINT64_C(1) << fd % WORD));
}

bool learn_may_be_set(int fd)
{
    return has_bit(own_set, fd) || has_bit(used_as_set, fd);
}

int learn_highest(void)
{
    return atomic_load_explicit(&highest_set, memory_order_relaxed);
}

bool learn_is_own(int epfd)
{
    return has_bit(own_set, epfd);
}

void learn_set_made(int epfd)
{
    set_bit(used_as_set, epfd);
    set_bit(own_set, epfd);
}

static void forget_copy(int fd)
{
    for (int i = 0; i < COPIES; i++) {
        int expected = fd + 1;

        atomic_compare_exchange_strong(&copies[i], &expected, 0);
    }
}

void learn_set_duplicated(int old, int new)
{
    if (!learn_may_be_set(old))
        return;
    if (has_bit(own_set, old))
        set_bit(own_set, new);
    for (int i = 0; i < COPIES; i++) {
        int expected = 0;

        if (atomic_compare_exchange_strong(&copies[i], &expected, new + 1))
            return;
    }
}

static void forget_remembered(uint64_t key, uint64_t mask)
{
    for (int i = 0; i < REMEMBERED; i++) {
        uint64_t found = atomic_load_explicit(&remembered[i].key, memory_order_relaxed);

        if (found && (found & mask) == key)
            atomic_compare_exchange_strong(&remembered[i].key, &found, 0);
    }
}

static void forget_number(int fd)
{
    forget_remembered((uint64_t)(fd + 1) << 32, ~(uint64_t)UINT32_MAX);
    clear_bit(own_set, fd);
    clear_bit(used_as_set, fd);
    forget_copy(fd);
}

void learn_number_closed(int fd)
{
    if (!state_is_own_as_seen())
        return;
    if (fd_kind(fd_class_cached(fd)) >= FD_SOCKET)
        forget_remembered((unsigned)fd, UINT32_MAX);
    if (learn_may_be_set(fd))
        forget_number(fd);
}

void learn_range_closed(unsigned first, unsigned last)
{
    int highest = atomic_load(&highest_set);

    if (highest < 0 || first > (unsigned)highest || !state_is_own_as_seen())
        return;
    for (unsigned fd = first; fd <= last && fd <= (unsigned)highest; fd++)
        if (learn_may_be_set((int)fd))
            forget_number((int)fd);
}

/* Other processes may leave tails as soon as there is a socket and there has been a fork. */
static void update_family(void)
{
    if (learn_concerned() && table_is_shared() && !atomic_exchange(&learn_is_family, true))
        atomic_fetch_add(&registry_watched, 1);
}

void learn_note(int epfd, int fd)
{
    fd_class class = fd_class_cached(fd);

    set_bit(used_as_set, epfd);
    if (!learn_concerned() && fd_kind(class) >= FD_SOCKET) {
        atomic_store(&learn_is_concerned, true);
        update_family();
    }
}

/* Without a lock: who changes one registration in two threads at once cannot know either which of
 * the two will be. */
void learn_remember(int epfd, int operation, int fd, const struct epoll_event *event)
{
    uint64_t key = (uint64_t)((unsigned)epfd + 1) << 32 | (unsigned)fd, none = 0;
    int at = 0;

    if (fd_kind(fd_class_cached(fd)) < FD_SOCKET || !state_is_own_as_seen())
        return;
    if (operation == EPOLL_CTL_DEL) {
        forget_remembered(key, UINT64_MAX);
        return;
    }
    while (at < REMEMBERED && atomic_load(&remembered[at].key) != key)
        at++;
    for (int i = 0; at == REMEMBERED && i < REMEMBERED; i++, none = 0)
        if (atomic_compare_exchange_strong(&remembered[i].key, &none, key))
            at = i;
    if (at == REMEMBERED)
        return;
    atomic_store(&remembered[at].data, event->data.u64);
    atomic_store(&remembered[at].events, event->events);
}

/* --- what a registration is -------------------------------------------------------------- */

/* What stands around the entries of one set. */
struct learned {
    int epfd;
    bool own;
    uint64_t anonymous; /* the inode of epoll sets, eventfds and their like */
};

/* Whether the number is open as this file; where that cannot be asked, it is taken to be. */
static bool is_file(int fd, uint64_t inode)
{
    struct sys_file file;
    int error = sys_fstat(fd, &file);

    return error ? error != -EBADF : file.inode == inode;
}

/* The number by which an entry's file is open here; -1: none is known. An epoll set keeps the number
 * by which a socket was registered, even where that is closed and a duplicate is not. */
static int number_of(const struct fdinfo_entry *entry)
{
    if (entry->inode == 0 || is_file(entry->fd, entry->inode))
        return entry->fd;
    for (unsigned fd = 0; fd <= fd_highest(); fd++)
        if (fd_kind(fd_class_cached((int)fd)) >= FD_SOCKET && is_file((int)fd, entry->inode))
            return (int)fd;
    return -1;
}

/* Whether another process has put it into a set that is shared, to show a tail. */
static bool is_anothers(const struct learned *learned, const struct fdinfo_entry *entry)
{
    if (learned->own || entry->inode == 0 || is_file(entry->fd, entry->inode))
        return fd_is_internal(entry->fd);
    return entry->inode == learned->anonymous || proxy_may_be_flare(entry);
}

/* The cookie of an entry's socket; 0: it is none that has messages. */
static uint64_t cookie_of(const struct fdinfo_entry *entry)
{
    int fd = number_of(entry);

    return fd >= 0 && fd_kind(fd_class_cached(fd)) >= FD_SOCKET ? fd_cookie(fd) : 0;
}

static void learn_entry(struct set *set, const struct learned *learned,
                        const struct fdinfo_entry *entry)
{
    struct epoll_event event = {.events = entry->events, .data.u64 = entry->data};
    struct registration *registration;
    uint32_t events;

    if (is_anothers(learned, entry))
        return;
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

    while ((each = registration_at(set->first))) {
        proxy_end(each, false);
        each->spent = false;
        registration_set_active(each, false);
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

    for (int i = 0; i < REMEMBERED; i++) {
        uint64_t key = atomic_load(&remembered[i].key);
        struct fdinfo_entry entry = {.fd = (int)(uint32_t)key,
                                     .events = atomic_load(&remembered[i].events),
                                     .data = atomic_load(&remembered[i].data)};

        if (key >> 32 != (unsigned)learned->epfd + 1)
            continue;
        if (!set && !(set = make_set(learned)))
            return;
        learn_entry(set, learned, &entry);
    }
}

/* 0, or the error for which /proc cannot be read. */
static int fill_from_proc(const struct learned *learned)
{
    struct set *set = set_of(learned->epfd);
    struct fdinfo_entry entry;
    struct fdinfo info;
    int error = fdinfo_open(&info, learned->epfd);

    if (error)
        return error;
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
    struct learned learned = {.epfd = epfd, .own = learn_is_own(epfd)};
    struct sys_file file;
    int error = sys_fstat(epfd, &file);

    if (error == -EBADF)
        return 0; /* it is closed */
    learned.anonymous = error ? 0 : file.inode;
    if (set_of(epfd))
        empty_set(set_of(epfd));
    error = fill_from_proc(&learned);
    if (error)
        fill_from_memory(&learned);
    return error;
}

/* Whether two numbers are of one set: what is in the one cannot be added to the other. The eventfd
 * is asked for nothing, so that it wakes nobody. */
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

/* Where a set is known by two numbers as if it were two, one takes the other's. */
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
    for (int i = 0; i < COPIES; i++) {
        int fd = atomic_load_explicit(&copies[i], memory_order_relaxed) - 1;

        if (fd >= 0)
            join_copy(fd);
    }
}

static int fill_sets(void)
{
    int highest = atomic_load(&highest_set), error = 0;

    for (int fd = 0; fd <= highest; fd++) {
        int failed;

        if (!atomic_load_explicit(&used_as_set[fd / WORD], memory_order_relaxed))
            fd |= WORD - 1;
        else if (has_bit(used_as_set, fd) && (failed = fill_set(fd)) != 0)
            error = failed;
    }
    join_copies();
    return error;
}

static void note_nested(const struct set *set)
{
    for (struct registration *each = registration_at(set->first); each;
         each = registration_at(each->next_in_set)) {
        struct set *inner = set_of(each->fd);

        if (inner && inner != set)
            proxy_watch(inner);
    }
}

void learn_set(int epfd)
{
    struct set *set;

    fill_set(epfd);
    join_copies();
    set = set_of(epfd);
    if (!set)
        return;
    note_nested(set);
    proxy_scan(set);
}

/* --- the registry ------------------------------------------------------------------------ */

static void report(int error)
{
    static atomic_int reported;

    diag_once(reported,
              "cannot know who waits in epoll sets: %s; "
              "from now on tails are held in the kernel",
              strerrordesc_np(error));
    state_hold_in_kernel();
}

static void stop_following(void)
{
    registry_clear();
    atomic_store(&learn_is_following, false);
}

static void start_locked(void)
{
    int error;

    /* Before /proc is read: what comes after that sees it, and is entered. */
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
        proxy_scan(set);
    if (atomic_load(&registry_is_full))
        report(ENOMEM);
}

void learn_start(void)
{
    struct critical_section section;

    if (learn_following() || state_is_sandboxed())
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

void learn_tail_begins(void)
{
    idle_calls = 0;
}

void learn_call_followed(void)
{
    if (table_tails_here() || ++idle_calls < 64 + 4 * registry_size())
        return;
    for (struct set *set = set_next(NULL); set; set = set_next(set))
        if (set->first_active)
            return;
    stop_following();
}

/* --- fork -------------------------------------------------------------------------------- */

void learn_forked(void)
{
    int highest = atomic_load(&highest_set);
    struct critical_section section;

    update_family();
    for (int at = 0; at <= highest; at += WORD)
        if (atomic_load_explicit(&own_set[at / WORD], memory_order_relaxed))
            atomic_store_explicit(&own_set[at / WORD], 0, memory_order_relaxed);
    if (!learn_following())
        return;
    registry_enter(&section);
    for (struct set *set = set_next(NULL); set; set = set_next(set))
        set->inherited = true;
    registry_leave(&section);
}

void learn_forget_in_child(void)
{
    proxy_close_copies();
    registry_clear_in_child();
    atomic_store(&learn_is_following, false);
    atomic_store(&registry_watched, atomic_load(&learn_is_family));
}
